"""Make a backup, and restore one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import msgspec

from sightline.backups import folder, manifest, tables
from sightline.backups.errors import BackupError, DamageError, RefusedError
from sightline.backups.ledger import Database, Ending, Entry
from sightline.backups.manifest import Manifest

Now: TypeAlias = Callable[[], datetime]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is in a database now, its counts compared."""

    id: str
    folder: str
    database: str
    tables: dict[str, int]
    seconds: float


def utc() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def create(
    database: Database,
    target: Path,
    *,
    allow_empty: bool = False,
    schedule: str | None = None,
    now: Now = utc,
) -> tuple[Path, Manifest]:
    """A new backup in `target`: its folder and manifest. Raises BackupError.

    The database's own table of backups has it from its beginning to its end, whatever that is.
    """
    started = now()
    name = folder.new_id(started)
    place = target.absolute() / name
    database.require()
    database.begin(Entry(id=name, location=str(place), started_at=started))
    try:
        made = _make(database, place, started, allow_empty=allow_empty, schedule=schedule, now=now)
    except BaseException as error:
        said = str(error) if isinstance(error, BackupError) else "interrupted"
        # What went wrong first is what is told; a database that is gone cannot note it.
        with contextlib.suppress(BackupError):
            database.end(Ending(id=name, finished_at=now(), error=said))
        raise
    database.end(
        Ending(
            id=name,
            finished_at=made.finished_at,
            size_bytes=made.size_bytes,
            sha256=made.sha256,
            schema_version=made.schema_version,
            head=made.head,
        )
    )
    return place, made


def _make(
    database: Database,
    place: Path,
    started: datetime,
    *,
    allow_empty: bool,
    schedule: str | None,
    now: Now,
) -> Manifest:
    with folder.appearing(place.parent, place.name) as partial:
        dump = partial / folder.DUMP
        try:
            dump.touch(mode=0o600)
            taken = database.take(dump, allow_empty=allow_empty)
            size = dump.stat().st_size
            if size == 0:
                raise DamageError(f"the dump of {database.where} is empty")
            made = Manifest(
                id=place.name,
                kind=database.kind,
                source=database.where,
                schema=taken.schema,
                started_at=started,
                finished_at=now(),
                size_bytes=size,
                sha256=folder.digest(dump),
                tables=taken.tables,
                schema_version=taken.schema_version,
                head=taken.head,
                tools=taken.tools,
                schedule=schedule,
            )
            (partial / folder.MANIFEST).write_bytes(manifest.written(made))
        except OSError as error:
            raise BackupError(f"{place.parent} cannot be written: {error.strerror}") from error
    return made


def restore(database: Database, source: Path) -> Restored:
    """A backup into a database with nothing in it; raises BackupError, also where counts differ."""
    began = time.monotonic()
    place = folder.find(source)
    told = folder.opened(place)
    if told.kind != database.kind:
        raise RefusedError(f"{place} is of {told.kind}, and {database.where} is {database.kind}")
    found = database.restore(place / folder.DUMP, told)
    tables.compare(told.tables, found, what="restored")
    return Restored(
        id=told.id,
        folder=str(place),
        database=database.where,
        tables=found,
        seconds=round(time.monotonic() - began, 3),
    )
