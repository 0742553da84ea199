"""Make a backup, and restore one into a database with nothing in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import msgspec

from sightline.backups import folder, invariants, manifest, opening, steps
from sightline.backups.errors import BackupError, DamageError, RefusedError
from sightline.backups.ledger import Database, Ending, Entry, Look, ending
from sightline.backups.manifest import Encryption, Manifest
from sightline.backups.opening import Keys
from sightline.backups.target import MANIFEST, Source, Target, new_id
from sightline.journal import Journal
from sightline.steps import Step

Now: TypeAlias = Callable[[], datetime]


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is there."""

    location: str
    manifest: Manifest


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is in a database now, its counts and invariants compared."""

    id: str
    location: str
    database: str
    tables: dict[str, int]
    seconds: float


def utc() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def plan_create(source: str, target: str, recipients: Sequence[str]) -> list[Step]:
    """What `create` does."""
    encrypted = [steps.Encrypt(recipients=tuple(recipients))] if recipients else []
    return [steps.Dump(source=source), *encrypted, steps.Store(where=target)]


def create(
    database: Database,
    target: Target,
    *,
    recipients: Sequence[str] = (),
    allow_empty: bool = False,
    schedule: str | None = None,
    journal: Journal | None = None,
    now: Now = utc,
) -> Created:
    """A new backup in `target`, encrypted where there are recipients. Raises BackupError.

    The database's own table of backups has it from its beginning to its end, whatever that is.
    """
    started = now()
    name = new_id(started)
    location = f"{target.where}/{name}"
    database.require()
    database.begin(Entry(id=name, location=location, started_at=started))
    making = _Making(database, target, tuple(recipients), journal or Journal(), now)
    try:
        made = making.made(name, started, allow_empty=allow_empty, schedule=schedule)
    except BaseException as error:
        said = str(error) if isinstance(error, BackupError) else "interrupted"
        # What went wrong first is what is told; a database that is gone cannot note it.
        with contextlib.suppress(BackupError):
            database.end(Ending(id=name, finished_at=now(), error=said))
        raise
    database.end(ending(made))
    return Created(location=location, manifest=made)


class _Making:
    def __init__(
        self,
        database: Database,
        target: Target,
        recipients: tuple[str, ...],
        journal: Journal,
        now: Now,
    ) -> None:
        self._database, self._target, self._now = database, target, now
        self._recipients, self._journal = recipients, journal

    def made(
        self, name: str, started: datetime, *, allow_empty: bool, schedule: str | None
    ) -> Manifest:
        where = self._database.where
        with contextlib.ExitStack() as stack:
            partial = stack.enter_context(self._target.appearing(name))
            dump = partial / "dump"
            try:
                with self._journal.step(steps.Dump(source=where)):
                    dump.touch(mode=0o600)
                    taken = self._database.take(dump, allow_empty=allow_empty)
                    if dump.stat().st_size == 0:
                        raise DamageError(f"the dump of {where} is empty")
                stored, encryption = self._encrypted(dump)
                made = Manifest(
                    id=name,
                    kind=self._database.kind,
                    source=where,
                    schema=taken.schema,
                    started_at=started,
                    finished_at=self._now(),
                    size_bytes=stored.stat().st_size,
                    sha256=folder.digest(stored),
                    encryption=encryption,
                    tables=taken.tables,
                    facts=taken.facts,
                    schema_version=taken.schema_version,
                    head=taken.head,
                    tools=taken.tools,
                    schedule=schedule,
                )
                data = manifest.written(made)
                (partial / MANIFEST).write_bytes(data)
            except OSError as error:
                raise BackupError(
                    f"{self._target.where} cannot be written: {error.strerror}"
                ) from error
            with self._journal.step(steps.Store(where=self._target.where)):
                stack.close()
        return manifest.read(data, where=MANIFEST)

    def _encrypted(self, dump: Path) -> tuple[Path, Encryption | None]:
        """The file that is stored; the plain one is gone then."""
        if not self._recipients:
            return dump, None
        from sightline.backups import encryption  # noqa: PLC0415 - needs an extra

        with self._journal.step(steps.Encrypt(recipients=self._recipients)):
            told = Encryption(
                recipients=self._recipients,
                plain_bytes=dump.stat().st_size,
                plain_sha256=folder.digest(dump),
            )
            stored = dump.with_name("dump.age")
            encryption.encrypt(dump, stored, self._recipients)
            dump.unlink()
        return stored, told


def plan_restore(source: str, told: Manifest, into: str) -> list[Step]:
    """What `restore` does, and `verify` first."""
    return [
        steps.Fetch(id=told.id, where=source),
        steps.Check(id=told.id),
        *([steps.Decrypt(id=told.id)] if told.encryption is not None else []),
        steps.Restore(id=told.id, into=into),
        steps.Compare(id=told.id),
    ]


def restore(
    database: Database,
    source: Source,
    name: str,
    *,
    keys: Keys | None = None,
    scratch: Path | None = None,
    journal: Journal | None = None,
) -> Restored:
    """A backup into a database with nothing in it; raises BackupError, also where it differs."""
    journal = journal or Journal()
    with opening.plain(source, name, keys=keys, scratch=scratch, journal=journal) as (told, dump):
        found = fill(database, told, dump, journal=journal)
    # The dump was made before it was known how its making would end.
    database.end(ending(told))
    return Restored(
        id=told.id,
        location=f"{source.where}/{name}",
        database=database.where,
        tables=found.tables,
        seconds=round(sum(each.seconds for each in journal.times), 3),
    )


def fill(database: Database, told: Manifest, dump: Path, *, journal: Journal) -> Look:
    """A dump into a database, compared. Raises BackupError."""
    if told.kind != database.kind:
        raise RefusedError(f"{told.id} is of {told.kind}, and {database.where} is {database.kind}")
    with journal.step(steps.Restore(id=told.id, into=database.where)):
        found = database.restore(dump, told)
    with journal.step(steps.Compare(id=told.id)):
        invariants.compare(told, found)
    return found
