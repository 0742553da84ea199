"""The embedded store: one SQLite file in WAL mode, synchronous FULL, owned by one process.

A commit returns only when the kernel says that the write-ahead log is on the disk (fsync). One
connection writes, one reads, each behind a lock; calls block, so callers use threads.
"""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from cop_gateway.outbox.errors import StoreFailedError, StoreUnusableError
from cop_gateway.outbox.health import Health, Way
from cop_gateway.outbox.intake_tables import (
    EVENT_COLUMNS,
    FRAME_COLUMNS,
    UNPLACED_COLUMNS,
    Rows,
    insert,
    move_head,
    read_head,
    read_receipts,
)
from cop_gateway.outbox.migrations import SQLITE_STEPS
from cop_gateway.outbox.record import FrameKey, FrameRecord, Schema, Space
from cop_gateway.outbox.store import Outbox
from sightline.messages import Event

_BUSY_MS = 5_000


class SqliteDatabase:
    """Opens (and creates or migrates) the file; raises StoreUnusableError in one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.health = Health()
        self._guard = _claim(path)
        try:
            self._writer = _connect(path)
            _migrate(self._writer, path)
            self._reader = _connect(path)
            self._reader.execute("PRAGMA query_only = ON")
        except (sqlite3.Error, StoreUnusableError) as error:
            self._guard.close()
            if isinstance(error, StoreUnusableError):
                raise
            raise StoreUnusableError(f"{path} cannot be used as a database: {error}") from error
        self._writing = threading.Lock()
        self._reading = threading.Lock()

    def close(self) -> None:
        """Finish what runs, fold the log into the file and let go of it."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()
            self._guard.close()

    @contextmanager
    def reading(self, doing: str) -> Iterator[sqlite3.Cursor]:
        """A look at what is committed."""
        with self._reading, self._failing(doing, "read"):
            cursor = self._reader.execute("BEGIN")
            try:
                yield cursor
            finally:
                self._reader.rollback()

    @contextmanager
    def writing(self, doing: str) -> Iterator[sqlite3.Cursor]:
        """A transaction: all of it or nothing."""
        with (
            self._writing,
            self._failing(doing, "write"),
            _transaction(self._writer) as cursor,
        ):
            yield cursor

    @contextmanager
    def _failing(self, doing: str, way: Way) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self.health.failed(way)
            raise StoreFailedError(f"the store could not {doing}: {error}") from error
        self.health.answered(way)


class Own:
    """The file has one owner, and so has every sink in it."""

    def alive(self) -> bool:
        """Always."""
        return True

    def release(self) -> None:
        """Nobody is waiting."""


class SqliteOutbox(Outbox):
    """The store in one file. Raises StoreUnusableError in one sentence when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteDatabase(path)
        super().__init__(self._file)
        self.health = self._file.health

    def close(self) -> None:
        """Finish what runs, fold the log into the file and let go of it."""
        self._file.close()

    @contextmanager
    def turn(self) -> Iterator[Sequence[Event]]:
        """Nobody else commits: there is nothing to wait for and nothing new."""
        yield ()

    def receipts(self, keys: Sequence[FrameKey]) -> dict[FrameKey, bytes]:
        """The receipts of those frames that are committed already."""
        with self._file.reading("look frames up") as cursor:
            return read_receipts(cursor, keys)

    def commit(self, records: Sequence[FrameRecord], committed_at: datetime) -> int:
        """Store all frames or none; the newest sequence. On return they are on the disk."""
        with self._file.writing("commit") as cursor:
            rows = Rows(records, head=read_head(cursor), committed_at=committed_at)
            cursor.executemany(insert("frames", FRAME_COLUMNS), rows.frames)
            cursor.executemany(insert("events", EVENT_COLUMNS), rows.events)
            cursor.executemany(insert("unplaced", UNPLACED_COLUMNS), rows.unplaced)
            move_head(cursor, rows.head)
        return rows.head

    def space(self) -> Space:
        """What the file takes (what is deleted in it is used again), and what is left beside it."""
        with self._file.reading("measure the store") as cursor:
            pages, free, size = (
                int(cursor.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
        left = shutil.disk_usage(self._file.path.parent or ".").free
        return Space(used=(pages - free) * size, free=left)

    def schema(self) -> Schema:
        """The file's is this code's: nobody else has it open."""
        with self._file.reading("read the schema's version") as cursor:
            version = int(cursor.execute("PRAGMA user_version").fetchone()[0])
        return Schema(code=len(SQLITE_STEPS), database=version, oldest_code=version)

    def hold(self, sink: str) -> Own:  # noqa: ARG002 - of every sink alike
        """The file has one owner, and so has every sink in it."""
        return Own()


def _claim(path: Path) -> TextIO:
    """Hold the file for this process alone: two gateways on one outbox would deliver twice."""
    if not path.parent.is_dir():
        raise StoreUnusableError(f"database: the folder {path.parent} does not exist")
    try:
        guard = path.with_name(path.name + ".lock").open("w", encoding="utf-8")
    except OSError as error:
        raise StoreUnusableError(f"database: {path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        guard.close()
        raise StoreUnusableError(f"database: {path} is in use by another gateway") from error
    return guard


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(SQLITE_STEPS):
        raise StoreUnusableError(
            f"database: {path} has schema {version}, newer than this gateway's {len(SQLITE_STEPS)}:"
            " run a newer gateway"
        )
    for number, step in enumerate(SQLITE_STEPS[version:], start=version + 1):
        connection.executescript(f"BEGIN;\n{step}\nPRAGMA user_version = {number};\nCOMMIT;")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    cursor = connection.execute("BEGIN IMMEDIATE")
    try:
        yield cursor
        cursor.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise
