"""Prove a backup: really restore it into a throwaway database, compare, measure, write it down."""

from __future__ import annotations

import contextlib
from pathlib import Path

from sightline.backups import invariants, making, opening, steps, verification
from sightline.backups.errors import BackupError, DamageError, RefusedError, ToolError
from sightline.backups.ledger import Ledger, Proof
from sightline.backups.making import Now, utc
from sightline.backups.manifest import Manifest
from sightline.backups.opening import Keys
from sightline.backups.rooms import Room
from sightline.backups.target import Target
from sightline.backups.verification import Verification
from sightline.journal import Journal
from sightline.steps import Step

_RESTORING = frozenset({"fetch", "check", "decrypt", "restore", "compare"})
"""What a restore in earnest takes, too; making the throwaway database is not of it."""


def plan(target: str, told: Manifest, room: str, ledger: str | None) -> list[Step]:
    """What `verify` does."""
    restore = making.plan_restore(target, told, room)
    return [
        *restore[:-2],
        steps.Prepare(where=room),
        *restore[-2:],
        *(steps.Note(id=told.id, where=each) for each in (target, ledger) if each is not None),
    ]


def verify(
    target: Target,
    name: str,
    room: Room,
    *,
    keys: Keys | None = None,
    ledger: Ledger | None = None,
    scratch: Path | None = None,
    journal: Journal | None = None,
    now: Now = utc,
) -> Verification:
    """Raises BackupError where it is no backup; either way the outcome is written down.

    Beside the manifest, and, where it is good, in the table of backups of `ledger`.
    """
    journal = journal or Journal()
    seen: list[Manifest] = []
    try:
        server = _restored(target, name, room, seen, keys=keys, scratch=scratch, journal=journal)
    except (DamageError, ToolError) as error:
        # It is the backup's own fault, or may be; then nobody may rely on it any longer.
        if seen:
            outcome = _outcome(seen[0], journal, room.where, now, problem=str(error))
            with contextlib.suppress(BackupError):
                target.note(name, verification.written(outcome))
        raise
    (told,) = seen
    outcome = _outcome(told, journal, server, now)
    with journal.step(steps.Note(id=name, where=target.where)):
        target.note(name, verification.written(outcome))
    if ledger is not None:
        with journal.step(steps.Note(id=name, where=ledger.where)):
            ledger.verified(
                Proof(
                    manifest=told,
                    location=f"{target.where}/{name}",
                    verified_at=outcome.verified_at,
                    restore_seconds=outcome.restore_seconds,
                )
            )
    return outcome


def _restored(
    target: Target,
    name: str,
    room: Room,
    seen: list[Manifest],
    *,
    keys: Keys | None,
    scratch: Path | None,
    journal: Journal,
) -> str:
    """Where it was restored into; `seen` gets its manifest as soon as that can be read."""
    seen += [
        each.manifest for each in target.found() if each.id == name and each.manifest is not None
    ]
    with (
        opening.plain(target, name, keys=keys, scratch=scratch, journal=journal) as (told, dump),
        contextlib.ExitStack() as stack,
    ):
        seen[:] = [told]
        with journal.step(steps.Prepare(where=room.where)):
            database = stack.enter_context(room.database(told))
        found = making.fill(database, told, dump, journal=journal)
        invariants.require_sound(told, found)
        return found.server


def _outcome(
    told: Manifest, journal: Journal, server: str, now: Now, *, problem: str | None = None
) -> Verification:
    seconds = {each.step: each.seconds for each in journal.times if each.step in _RESTORING}
    return Verification(
        id=told.id,
        sha256=told.sha256,
        verified_at=now(),
        problem=problem,
        restore_seconds=round(sum(seconds.values()), 3),
        seconds=seconds,
        server=server,
    )


def require(target: Target, name: str) -> Manifest:
    """Its manifest, to plan with. Raises RefusedError, DamageError."""
    for each in target.found():
        if each.id == name:
            if each.manifest is None:
                raise DamageError(each.problem or f"{target.where}/{name} was never finished")
            return each.manifest
    raise RefusedError(f"there is no backup {name} in {target.where}")
