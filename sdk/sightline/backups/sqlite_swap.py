"""Swapping SQLite files by name, while no gateway can have either.

The old file first gets its second name as well (a link); then the new one takes the first, in one
step of the file system: there is no moment without a file.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sightline.backups import folder, swapping
from sightline.backups.errors import DatabaseError, RefusedError
from sightline.backups.ledger import Database
from sightline.backups.manifest import Kind
from sightline.backups.sqlite import SqliteDatabase
from sightline.backups.swapping import Live

_LOGS = ("-wal", "-shm", "-journal")


class SqliteSwap:
    """The file of a database."""

    kind: Kind = "sqlite"

    def __init__(self, database: SqliteDatabase) -> None:
        self._database, file = database, Path(database.where)
        self._file = file.absolute()
        self.name, self.where = file.name, database.where

    @contextlib.contextmanager
    def held(self) -> Iterator[Live]:
        """What it is; no gateway can open it as long as this lasts."""
        if not self._file.parent.is_dir():
            raise RefusedError(f"the folder {self._file.parent} does not exist")
        with self._database.claimed():
            if not self._file.exists():
                yield Live(exists=False, head=0)
                return
            yield Live(exists=True, head=self._head())

    def _head(self) -> int | None:
        try:
            with self._database.connected() as connection:
                # What is in the log goes into the file, which is renamed without it.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                names = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                if names == (0,):
                    return 0
                row = connection.execute("SELECT head FROM outbox").fetchone()
                return None if row is None else int(row[0])
        except DatabaseError:
            return None

    @contextlib.contextmanager
    def beside(self, stamp: str) -> Iterator[Database]:
        """A file in the same folder; gone afterwards if it still has its first name."""
        file = self._file.with_name(f".{self.name}.restored_{stamp.lower()}")
        try:
            yield SqliteDatabase(file)
        finally:
            for each in ("", ".lock", *_LOGS):
                file.with_name(file.name + each).unlink(missing_ok=True)

    def exchange(self, beside: Database, *, kept: str, live: Live) -> None:
        """What was in use stays, with its log where it could not be folded in."""
        new, old = Path(beside.where), self._file.with_name(kept)
        if live.exists and live.head is not None:
            if self._head() != live.head:
                raise RefusedError(f"{self.where} was written to meanwhile: all is as it was")
            _carry(self._file, new)
        try:
            folder.sync(new)
            if live.exists:
                os.link(self._file, old)
                for ending in _LOGS:
                    log = self._file.with_name(self._file.name + ending)
                    if log.exists():
                        log.replace(old.with_name(old.name + ending))
            new.replace(self._file)
            folder.sync(self._file.parent)
        except OSError as error:
            raise DatabaseError(f"{self.where} cannot be swapped: {error.strerror}") from error


def _carry(old: Path, new: Path) -> None:
    """What is known of backups is true whichever file is in use."""
    columns = ", ".join(swapping.CARRIED)
    with (
        contextlib.closing(sqlite3.connect(old)) as before,
        contextlib.closing(sqlite3.connect(new)) as after,
    ):
        rows = before.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'backups'"
        ).fetchall()
        if not rows:
            return
        with after:
            after.executemany(
                swapping.carry("?"),
                before.execute(f"SELECT {columns} FROM backups").fetchall(),  # noqa: S608
            )
