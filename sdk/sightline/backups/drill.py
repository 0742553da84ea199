"""A whole disaster, as an exercise: the database is gone, and it has to come back.

From the moment of the loss on, only the place for backups is read. What is measured is what would
be lost (RPO) and how long it would take (RTO); nothing that is in use is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import msgspec

from sightline.backups import invariants, making, opening, steps, tryout
from sightline.backups.errors import BackupError
from sightline.backups.ledger import Database
from sightline.backups.making import Now, utc
from sightline.backups.manifest import Manifest
from sightline.backups.opening import Keys
from sightline.backups.rooms import Room
from sightline.backups.target import Source
from sightline.backups.tryout import Served
from sightline.journal import Journal
from sightline.steps import Step, StepTime

_RESTORING = frozenset({"fetch", "check", "decrypt", "restore", "compare", "serve"})


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised, in seconds; None: nothing."""

    rpo: float | None = None
    rto: float | None = None


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    lost_at: datetime
    target: str
    backup: str
    backup_started_at: datetime
    encrypted: bool
    size_bytes: int
    tables: dict[str, int] | None
    """Rows that are there again; None where it failed."""
    server: str
    rpo_seconds: float
    """How old the newest backup was: what came since is lost."""
    rpo_events: int | None
    """How many events that is; None where the database could not be asked."""
    rto_seconds: float
    """From the loss to a database that has been compared, and a gateway on it that delivers."""
    served: Served | None
    """None: no gateway was started."""
    limits: Limits
    problems: tuple[str, ...]
    steps: tuple[StepTime, ...]

    @property
    def passed(self) -> bool:
        """Whether the site would be there again, as promised."""
        return not self.problems


def plan(source: str, told: Manifest, room: str, *, gateway: bool) -> list[Step]:
    """What `drill` does from the loss on."""
    restore = making.plan_restore(source, told, room)
    served = [steps.Serve(into=room)] if gateway else []
    return [*restore[:-2], steps.Prepare(where=room), *restore[-2:], *served]


def drill(
    source: Source,
    told: Manifest,
    room: Room,
    *,
    url: Callable[[Database], str] | None = None,
    head: int | None = None,
    limits: Limits | None = None,
    keys: Keys | None = None,
    scratch: Path | None = None,
    journal: Journal | None = None,
    now: Now = utc,
) -> Drill:
    """Lose everything but `source`, and come back. `url` says how a gateway finds a database.

    What goes wrong is a problem in the report; `head` is the newest event at the loss.
    """
    journal, limits, lost = journal or Journal(), limits or Limits(), now()
    problems: list[str] = []
    rows, server, served = None, room.where, None
    try:
        with (
            opening.plain(source, told.id, keys=keys, scratch=scratch, journal=journal) as (
                _,
                dump,
            ),
            ExitStack() as stack,
        ):
            with journal.step(steps.Prepare(where=room.where)):
                database = stack.enter_context(room.database(told))
            found = making.fill(database, told, dump, journal=journal)
            invariants.require_sound(told, found)
            rows, server = found.tables, found.server
            if url is not None:
                with journal.step(steps.Serve(into=database.where)):
                    served = tryout.serve(url(database))
    except BackupError as error:
        problems.append(str(error))
    rpo = (lost - told.started_at).total_seconds()
    rto = sum(each.seconds for each in journal.times if each.step in _RESTORING)
    for name, took, limit in (("RPO", rpo, limits.rpo), ("RTO", rto, limits.rto)):
        if limit is not None and took > limit:
            problems.append(f"{name} is {took:.0f} s, and {limit:.0f} s were promised")
    return Drill(
        lost_at=lost,
        target=source.where,
        backup=told.id,
        backup_started_at=told.started_at,
        encrypted=told.encryption is not None,
        size_bytes=told.size_bytes,
        tables=rows,
        server=server,
        rpo_seconds=round(rpo, 1),
        rpo_events=None if head is None else max(0, head - told.head),
        rto_seconds=round(rto, 3),
        served=served,
        limits=limits,
        problems=tuple(problems),
        steps=tuple(journal.times),
    )


def page(done: Drill) -> str:
    """The report for people, as Markdown."""
    events = "not counted" if done.rpo_events is None else f"{done.rpo_events} events"
    rows = [
        ("outcome", "passed" if done.passed else "**failed**"),
        ("lost at", f"{done.lost_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("backup", f"`{done.backup}` in `{done.target}`, {done.size_bytes} bytes,"
                   f" {'encrypted' if done.encrypted else 'not encrypted'}"),
        ("restored into", done.server),
        ("RPO", f"{_duration(done.rpo_seconds)} ({events}){_of(done.limits.rpo)}"),
        ("RTO", f"{done.rto_seconds:.1f} s{_of(done.limits.rto)}"),
        ("gateway", _served(done.served)),
    ]  # fmt: skip
    lines = ["# Disaster drill", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    if done.problems:
        lines += ["", "## What went wrong", "", *(f"- {each}" for each in done.problems)]
    lines += ["", "## Steps", "", "| step | at (s) | took (s) | |", "|---|---:|---:|---|"]
    lines += [
        f"| {each.sentence} | {each.at:.1f} | {each.seconds:.1f} | {each.problem or ''} |"
        for each in done.steps
    ]
    if done.tables is not None:
        lines += ["", "## Rows that are there again", "", "| table | rows |", "|---|---:|"]
        lines += [f"| {name} | {count} |" for name, count in sorted(done.tables.items())]
    return "\n".join(lines) + "\n"


def _served(served: Served | None) -> str:
    if served is None:
        return "none was started"
    return (
        f"ready after {served.ready_seconds:.1f} s, gave its history, and delivered a new frame"
        f" within {served.delivered_seconds:.2f} s"
    )


def _of(limit: float | None) -> str:
    return "" if limit is None else f"; promised: {_duration(limit)}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
