"""The embedded store: what intake, history and delivery ask of one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cop_gateway.geolocation import flag, tle_category
from cop_gateway.outbox.record import EventRecord, FrameKey, FrameRecord
from cop_gateway.outbox.sqlite_delivery import SqliteDelivery
from cop_gateway.outbox.sqlite_file import SqliteFile, microseconds, moment_of
from sightline.messages import Event, GroundPosition, encode

_EVENT_COLUMNS = (
    "sequence, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at,"
    " committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps"
)
_INSERT_EVENT = (
    "INSERT INTO events (kind, uid, cot_type, class_name, confidence, camera_id, frame_id,"
    " position, captured_at, committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m,"
    " course, speed_mps, xml) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class SqliteOutbox(SqliteDelivery):
    """Opens (and creates or migrates) the file; raises StoreUnusableError in one sentence."""

    def __init__(self, path: Path) -> None:
        super().__init__(SqliteFile(path))

    def close(self) -> None:
        """Finish what runs, fold the log into the file and let go of it."""
        self._file.close()

    # Intake.

    def receipts(self, keys: Sequence[FrameKey]) -> dict[FrameKey, bytes]:
        """The receipts of those frames that are committed already."""
        with self._file.writing("look frames up") as cursor:
            found = {}
            for key in keys:
                row = cursor.execute(
                    "SELECT receipt FROM frames WHERE camera_id = ? AND frame_id = ?", key
                ).fetchone()
                if row is not None:
                    found[key] = bytes(row[0])
            return found

    def commit(self, records: Sequence[FrameRecord], committed_at: datetime) -> int:
        """Store all frames or none; the newest sequence. On return they are on the disk."""
        now = microseconds(committed_at)
        with self._file.writing("commit") as cursor:
            for record in records:
                cursor.execute(
                    "INSERT INTO frames VALUES (?, ?, ?, ?, ?)",
                    (*record.key, microseconds(record.captured_at), now, record.receipt),
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
        with self._file.reading("read the history") as reader:
            rows = reader.execute(
                f"SELECT {_EVENT_COLUMNS} FROM events WHERE kind = 'detection'"  # noqa: S608
                " AND sequence < coalesce(?, 9223372036854775807) AND sequence > coalesce(?, -1)"
                " AND (? IS NULL OR uid = ?)"
                f" ORDER BY sequence {order} LIMIT ?",
                (before, since, uid, uid, limit),
            ).fetchall()
        return [_event(row) for row in rows]

    def frame_xml(self, key: FrameKey) -> list[str]:
        """The CoT of a frame's placed detections, in their order."""
        with self._file.reading("read") as reader:
            rows = reader.execute(
                "SELECT xml FROM events WHERE kind = 'detection' AND camera_id = ?"
                " AND frame_id = ? ORDER BY sequence",
                key,
            )
            return [row[0] for row in rows]


def _row(event: EventRecord, key: FrameKey, committed_at: int) -> tuple[object, ...]:
    return (
        event.kind,
        event.uid,
        event.cot_type,
        event.class_name,
        event.confidence,
        *key,
        event.index,
        microseconds(event.captured_at),
        committed_at,
        microseconds(event.stale_at),
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
        captured_at=moment_of(row["captured_at"]),
        committed_at=moment_of(row["committed_at"]),
        stale_at=moment_of(row["stale_at"]),
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
