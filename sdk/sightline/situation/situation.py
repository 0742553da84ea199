"""The parts of the screen, as values; and what of it somebody should look at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sightline.colours.colour import Colour, Component, Fact
from sightline.colours.finding import Finding, warning
from sightline.colours.standing import Standing
from sightline.messages.sink import SinkState
from sightline.releases.budget import Served
from sightline.releases.lease import Lease
from sightline.releases.record import Record

BACKUP_HOURS, VERIFIED_DAYS, CERTIFICATE_DAYS = 26.0, 8.0, 21
"""A backup each night, restored each week; three weeks to renew a certificate."""
LAG_SECONDS = 60.0


class Backup(Fact, frozen=True, kw_only=True):
    """The newest that is there."""

    finished: datetime | None = None
    verified: datetime | None = None
    size_bytes: int | None = None


class Situation(Fact, frozen=True, kw_only=True):
    """All of it; what could not be learnt is in `unknown`, by its part."""

    environment: str
    namespace: str
    at: datetime
    standing: Standing | None = None
    served: Served | None = None
    """By the pods that serve, since each was started."""
    objective: float
    sinks: tuple[SinkState, ...] = ()
    backup: Backup | None = None
    record: Record = Record()
    lease: Lease = Lease()
    git_active: Colour | None = None
    unknown: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def availability(self) -> float | None:
        """The share of requests that did not fail."""
        if self.served is None or not self.served.requests:
            return None
        return 1 - self.served.failures / self.served.requests

    def active(self) -> dict[Component, Colour | None]:
        """Who serves."""
        return {} if self.standing is None else self.standing.active


def concerns(seen: Situation) -> tuple[Finding, ...]:
    """What somebody should look at, the standing's own findings first."""
    return tuple(_concerns(seen))


def _concerns(seen: Situation) -> Iterator[Finding]:
    if seen.standing is not None:
        yield from (each for each in seen.standing.findings if each.outcome != "ok")
    share = seen.availability
    if share is not None and share < seen.objective:
        yield warning("errors", f"{share:.3%} of requests succeed (objective {seen.objective:.3%})")
    for sink in seen.sinks:
        yield from _sink(sink, seen.at)
    yield from _backup(seen)
    colours = set(seen.active().values())
    if seen.git_active is not None and colours and colours != {seen.git_active}:
        serving = ", ".join(sorted(str(each) for each in colours))
        yield warning("drift", f"Git says {seen.git_active}, and {serving} serves users")
    if seen.record.pending is not None:
        yield warning("drift", "Git has yet to be told: `sightline releases write-back`")
    current = seen.record.current
    if current is not None and current.open:
        told = f"the release of {current.version} is {current.phase}"
        yield warning("release", f"{told}: {current.problem}" if current.problem else told)
    for part, why in seen.unknown.items():
        yield warning(part, f"not known: {why}")


def _sink(sink: SinkState, now: datetime) -> Iterator[Finding]:
    check = f"sink {sink.name}"
    if sink.state in ("broken", "backing_off", "paused"):
        yield warning(check, f"{sink.state}: {sink.last_error or 'no error is told'}")
    if sink.lag_seconds > LAG_SECONDS:
        yield warning(check, f"{sink.lag_events} events behind, by {sink.lag_seconds:.0f} s")
    if sink.dead_letters:
        yield warning(check, f"{sink.dead_letters} dead letters")
    if sink.certificate_expires_at is not None:
        days = (sink.certificate_expires_at - now).days
        if days < CERTIFICATE_DAYS:
            yield warning(check, f"its certificate is good for {days} days more")


def _backup(seen: Situation) -> Iterator[Finding]:
    if seen.backup is None:
        return
    if seen.backup.finished is None:
        yield warning("backup", "there is none")
        return
    if seen.at - seen.backup.finished > timedelta(hours=BACKUP_HOURS):
        hours = (seen.at - seen.backup.finished).total_seconds() / 3600
        yield warning("backup", f"the newest is {hours:.0f} hours old (limit {BACKUP_HOURS:g})")
    if seen.backup.verified is None:
        yield warning("backup", "none was ever restored: `sightline backups verify`")
    elif seen.at - seen.backup.verified > timedelta(days=VERIFIED_DAYS):
        days = (seen.at - seen.backup.verified).days
        yield warning("backup", f"none was restored for {days} days (limit {VERIFIED_DAYS:g})")


def document(seen: Situation) -> dict[str, Any]:
    """As JSON: the situation, and what to look at."""
    plain = msgspec.to_builtins(seen)
    current = seen.record.current
    release = None if current is None else msgspec.structs.replace(current, values={}, before={})
    plain["record"] = {"current": msgspec.to_builtins(release),
                       "pending": msgspec.to_builtins(seen.record.pending)}  # fmt: skip
    return {**plain, "availability": seen.availability,
            "concerns": msgspec.to_builtins(concerns(seen))}  # fmt: skip
