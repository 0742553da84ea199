"""What the cluster keeps of releases: the ConfigMap `sightline-releases`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec

from sightline.colours.colour import Colour, Fact
from sightline.releases.release import Approval, Release

NAME = "sightline-releases"
MOST_RELEASES, MOST_APPROVALS = 20, 50
T = TypeVar("T")


class Pending(Fact, frozen=True, kw_only=True):
    """What Git has yet to be told, since it could not be reached."""

    active: Colour
    values: dict[str, Any]
    reason: str
    since: datetime


class Record(Fact, frozen=True, kw_only=True):
    """All of it; empty before the first release."""

    current: Release | None = None
    """The newest."""
    history: tuple[Release, ...] = ()
    """Those before it, the newest last, without their values."""
    approvals: tuple[Approval, ...] = ()
    pending: Pending | None = None
    audit_head: str | None = None
    """The hash of the newest entry of the audit log: what is cut off its end is noticed."""
    broken: str | None = None
    """What of it could not be read, and was left out."""
    resource_version: str | None = None
    """Of the ConfigMap; None where there is none."""

    def approved(self, plan: str) -> tuple[Approval, ...]:
        """Who agreed to it."""
        return tuple(each for each in self.approvals if each.plan == plan)

    def with_release(self, release: Release) -> Record:
        """It is the newest, or a further phase of that."""
        history = self.history
        if self.current is not None and self.current.id != release.id:
            history = (*history, _lean(self.current))[-MOST_RELEASES:]
        return msgspec.structs.replace(self, current=release, history=history)

    def with_approval(self, approval: Approval) -> Record:
        """One person agrees once."""
        kept = tuple(
            each
            for each in self.approvals
            if (each.plan, each.who) != (approval.plan, approval.who)
        )
        return msgspec.structs.replace(self, approvals=(*kept, approval)[-MOST_APPROVALS:])


def _lean(release: Release) -> Release:
    """A ConfigMap holds a mebibyte: of old ones the values are in Git and in helm's own history."""
    return msgspec.structs.replace(release, values={}, before={}, steps=())


def read(data: Mapping[str, str], resource_version: str | None) -> Record:
    """What a ConfigMap's data says. What cannot be read is left out, and `broken` says so.

    A rollback must not fail because somebody edited a ConfigMap.
    """
    broken: list[str] = []

    def part(name: str, kind: Any, default: T) -> T:
        if not data.get(name):
            return default
        try:
            return cast(T, msgspec.json.decode(data[name], type=kind))
        except msgspec.DecodeError as error:
            broken.append(f"{name}: {error}")
            return default

    found = Record(
        current=part("current", Release | None, None),
        history=part("history", tuple[Release, ...], ()),
        approvals=part("approvals", tuple[Approval, ...], ()),
        pending=part("pending", Pending | None, None),
        audit_head=data.get("audit-head") or None,
        resource_version=resource_version,
    )
    if broken:
        return msgspec.structs.replace(found, broken=f"ConfigMap {NAME}: {'; '.join(broken)}")
    return found


def written(record: Record) -> dict[str, str]:
    """A record as a ConfigMap's data."""
    data = {
        "history": msgspec.json.encode(record.history).decode(),
        "approvals": msgspec.json.encode(record.approvals).decode(),
    }
    if record.current is not None:
        data["current"] = msgspec.json.encode(record.current).decode()
    if record.pending is not None:
        data["pending"] = msgspec.json.encode(record.pending).decode()
    if record.audit_head is not None:
        data["audit-head"] = record.audit_head
    return data
