"""The embedded store: one SQLite file in WAL mode, synchronous FULL, owned by one process.

A commit returns only when the kernel says that the write-ahead log is on the disk (fsync). One
connection writes, one reads, each behind a lock; calls block, so callers use threads.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from cop_gateway.geolocation import flag, tle_category
from cop_gateway.outbox.errors import StoreFailedError, StoreUnusableError
from cop_gateway.outbox.migrations import STEPS
from cop_gateway.outbox.record import Dispatch, EventRecord, FrameKey, FrameRecord
from sightline.messages import Event, GroundPosition, encode

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BUSY_MS = 5_000
_EVENT_COLUMNS = (
    "sequence, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at,"
    " committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps"
)
_INSERT_EVENT = (
    "INSERT INTO events (kind, uid, cot_type, class_name, confidence, camera_id, frame_id,"
    " position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m,"
    " course, speed_mps, xml) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class SqliteOutbox:
    """Opens (and creates or migrates) the file; raises StoreUnusableError in one sentence."""

    def __init__(self, path: Path) -> None:
        self._path = path
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

    # Intake.

    def receipts(self, keys: Sequence[FrameKey]) -> dict[FrameKey, bytes]:
        """The receipts of those frames that are committed already."""
        with self._writing, _failing("look frames up"):
            found = {}
            for key in keys:
                row = self._writer.execute(
                    "SELECT receipt FROM frames WHERE camera_id = ? AND frame_id = ?", key
                ).fetchone()
                if row is not None:
                    found[key] = bytes(row[0])
            return found

    def commit(self, records: Sequence[FrameRecord], committed_at: datetime) -> int:
        """Store all frames or none; the newest sequence. On return they are on the disk."""
        now = _microseconds(committed_at)
        with self._writing, _failing("commit"), _transaction(self._writer) as cursor:
            for record in records:
                cursor.execute(
                    "INSERT INTO frames VALUES (?, ?, ?, ?, ?)",
                    (*record.key, _microseconds(record.captured_at), now, record.receipt),
                )
                cursor.executemany(
                    _INSERT_EVENT, [_row(each, record.key, now) for each in record.events]
                )
                cursor.executemany(
                    "INSERT INTO unplaced VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (*record.key, each.index, now, each.reason, encode(each.detection))
                        for each in record.unplaced
                    ],
                )
            row = cursor.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchone()
            return int(row[0])

    # Delivery.

    def head(self) -> int:
        """The newest sequence."""
        with self._reading, _failing("read"):
            row = self._reader.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchone()
            return int(row[0])

    def after(self, sequence: int, limit: int) -> list[Dispatch]:
        """The next events to deliver, in order."""
        with self._reading, _failing("read"):
            rows = self._reader.execute(
                "SELECT sequence, committed_at, xml FROM events WHERE sequence > ?"
                " ORDER BY sequence LIMIT ?",
                (sequence, limit),
            )
            return [
                Dispatch(sequence=row[0], committed_at=_moment(row[1]), xml=row[2]) for row in rows
            ]

    def cursor(self, sink: str) -> int:
        """How far a sink has acknowledged; a new sink begins at the newest event."""
        with self._writing, _failing("read a cursor"), _transaction(self._writer) as cursor:
            cursor.execute(
                "INSERT INTO sinks SELECT ?, coalesce(max(sequence), 0) FROM events"
                " WHERE true ON CONFLICT DO NOTHING",
                (sink,),
            )
            row = cursor.execute("SELECT cursor FROM sinks WHERE name = ?", (sink,)).fetchone()
            return int(row[0])

    def move_cursor(self, sink: str, sequence: int) -> None:
        """Everything up to there was acknowledged; a cursor never moves back."""
        with self._writing, _failing("move a cursor"), _transaction(self._writer) as cursor:
            cursor.execute(
                "UPDATE sinks SET cursor = ? WHERE name = ? AND cursor < ?",
                (sequence, sink, sequence),
            )

    # History.

    def events(
        self,
        *,
        before: int | None = None,
        since: int | None = None,
        uid: str | None = None,
        limit: int = 100,
    ) -> list[Event]:
        """Sightings, newest first; with `since` only those after it, oldest first."""
        order = "ASC" if since is not None else "DESC"
        with self._reading, _failing("read the history"):
            rows = self._reader.execute(
                f"SELECT {_EVENT_COLUMNS} FROM events WHERE kind = 'detection'"  # noqa: S608
                " AND sequence < coalesce(?, 9223372036854775807) AND sequence > coalesce(?, -1)"
                " AND (? IS NULL OR uid = ?)"
                f" ORDER BY sequence {order} LIMIT ?",
                (before, since, uid, uid, limit),
            ).fetchall()
        return [_event(row) for row in rows]

    def frame_xml(self, key: FrameKey) -> list[str]:
        """The CoT of a frame's placed detections, in their order."""
        with self._reading, _failing("read"):
            rows = self._reader.execute(
                "SELECT xml FROM events WHERE kind = 'detection' AND camera_id = ?"
                " AND frame_id = ? ORDER BY sequence",
                key,
            )
            return [row[0] for row in rows]


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


def _row(event: EventRecord, key: FrameKey, committed_at: int) -> tuple[object, ...]:
    return (
        event.kind,
        event.uid,
        event.cot_type,
        event.class_name,
        event.confidence,
        *key,
        event.index,
        _microseconds(event.captured_at),
        committed_at,
        _microseconds(event.stale_at),
        event.latitude,
        event.longitude,
        event.hae,
        event.ce90_m,
        event.le90_m,
        event.course,
        event.speed_mps,
        event.xml,
    )


def _event(row: sqlite3.Row) -> Event:
    ce90_m = row["ce90_m"]
    return Event(
        sequence=row["sequence"],
        uid=row["uid"],
        cot_type=row["cot_type"],
        class_name=row["class_name"],
        confidence=row["confidence"],
        camera_id=row["camera_id"],
        frame_id=row["frame_id"],
        index=row["position"],
        captured_at=_moment(row["captured_at"]),
        committed_at=_moment(row["committed_at"]),
        stale_at=_moment(row["stale_at"]),
        position=GroundPosition(
            latitude=row["latitude"], longitude=row["longitude"], hae=row["hae"]
        ),
        ce90_m=ce90_m,
        le90_m=row["le90_m"],
        flag=flag(ce90_m),
        tle_category=tle_category(ce90_m),
        course=row["course"],
        speed_mps=row["speed_mps"],
    )


def _microseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
