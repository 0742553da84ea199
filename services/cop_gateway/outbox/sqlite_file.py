"""The embedded store's file: SQLite in WAL mode, synchronous FULL, owned by one process.

A commit returns only when the kernel says that the write-ahead log is on the disk (fsync). One
connection writes, one reads, each behind a lock; calls block, so callers use threads.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from cop_gateway.outbox.errors import StoreFailedError, StoreUnusableError
from cop_gateway.outbox.migrations import STEPS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BUSY_MS = 5_000


class SqliteFile:
    """Opens (and creates or migrates) the file; raises StoreUnusableError in one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = _claim(path)
        try:
            self._writer = _connect(path)
            _migrate(self._writer, path)
            self._reader = _connect(path)
            self._reader.execute("PRAGMA query_only = ON")
            self._reader.row_factory = sqlite3.Row
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
    def writing(self, doing: str) -> Iterator[sqlite3.Cursor]:
        """A transaction: all of it or nothing. `doing` names it in a StoreFailedError."""
        with self._writing, _failing(doing), _transaction(self._writer) as cursor:
            yield cursor

    @contextmanager
    def reading(self, doing: str) -> Iterator[sqlite3.Connection]:
        """The connection that reads, with rows by name."""
        with self._reading, _failing(doing):
            yield self._reader


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
    if version > len(STEPS):
        raise StoreUnusableError(
            f"database: {path} has schema {version}, newer than this gateway's {len(STEPS)}:"
            " run a newer gateway"
        )
    for number, step in enumerate(STEPS[version:], start=version + 1):
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


@contextmanager
def _failing(doing: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreFailedError(f"the store could not {doing}: {error}") from error


def microseconds(moment: datetime) -> int:
    """How times are stored: microseconds since the epoch."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment_of(stored: int) -> datetime:
    """A stored time."""
    return _EPOCH + timedelta(microseconds=stored)
