"""Whoever is to know of a release: the audit log, Git, Grafana."""

from __future__ import annotations

from typing import Any

import msgspec

from sightline.colours.colour import Colour
from sightline.releases import audit
from sightline.releases.errors import ReleasesError, RemoteError
from sightline.releases.record import Pending, Record
from sightline.releases.release import Release
from sightline.releases.values import Values
from sightline.releases.world import World


def audited(
    world: World, record: Record, what: str, release: Release | None, **detail: Any
) -> Record:
    """One entry more; the record with its hash, to be kept."""
    told = dict(detail)
    if release is not None:
        told |= {"version": release.version, "colour": release.colour, "phase": release.phase}
        told |= {"plan": release.plan}
        if release.problem is not None:
            told["problem"] = release.problem
    entry = audit.Entry(
        number=0,
        at=world.clock.now(),
        who=world.who,
        kubernetes_user=world.user,
        what=what,
        release=None if release is None else release.id,
        detail=told,
        previous="",
    )
    head = world.log.append(lambda last: audit.chained(last, entry)).hash
    return msgspec.structs.replace(record, audit_head=head)


def write_back(
    world: World, record: Record, *, active: Colour | None, values: Values, reason: str,
    problems: list[str],
) -> Record:  # fmt: skip
    """Tell Git which colour serves and what both run; what cannot be told now is kept for later."""
    git, repository = world.environment.git, world.repository
    if git is None or repository is None:
        return record
    if active is None:
        seen = world.namespace.seen()
        active = world.namespace.active(seen)
    pending = Pending(active=active, values=values, reason=reason, since=world.clock.now())
    try:
        repository.write(
            lambda old: _told_to_git(old, pending), f"{world.environment.name}: {reason}"
        )
    except RemoteError as error:
        problems.append(f"Git has yet to be told: {error}")
        return msgspec.structs.replace(record, pending=pending)
    return msgspec.structs.replace(record, pending=None)


def _told_to_git(old: Values, pending: Pending) -> Values:
    return {**old, **pending.values, "activeColour": pending.active}


def annotate(world: World, sentence: str, problems: list[str]) -> None:
    """Draw it into dashboards; a Grafana that is away stops nothing."""
    if world.notes is None:
        return
    try:
        world.notes.annotate(sentence, "sightline", "release", world.environment.name)
    except ReleasesError as error:
        problems.append(f"no annotation: {error}")
