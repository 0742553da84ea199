"""Intake's side of the store: receipts, and frames with all that they add, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cop_gateway.outbox.database import Cursor, marks, microseconds, portions
from cop_gateway.outbox.record import EventRecord, FrameKey, FrameRecord
from sightline.messages import encode

FRAME_COLUMNS = (
    "camera_id", "frame_id", "captured_at", "committed_at", "receipt", "received_at", "trace_id",
    "span_id", "first_sequence", "last_sequence",
)  # fmt: skip
EVENT_COLUMNS = (
    "sequence", "kind", "uid", "cot_type", "class_name", "confidence", "camera_id", "frame_id",
    "position", "captured_at", "committed_at", "stale_at", "latitude", "longitude", "hae",
    "ce90_m", "le90_m", "course", "speed_mps", "xml",
)  # fmt: skip
UNPLACED_COLUMNS = ("camera_id", "frame_id", "position", "committed_at", "reason", "detection")


def insert(table: str, columns: Sequence[str]) -> str:
    """The statement that adds a row."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(len(columns))})"  # noqa: S608


def read_receipts(cursor: Cursor, keys: Sequence[FrameKey]) -> dict[FrameKey, bytes]:
    """The receipts of those frames that are committed already."""
    found: dict[FrameKey, bytes] = {}
    for some in portions(list(dict.fromkeys(keys)), 200):
        pairs = ", ".join(["(?, ?)"] * len(some))
        cursor.execute(
            # A join: for `(a, b) IN (VALUES ...)`, SQLite reads the whole table.
            f"WITH asked (camera, frame) AS (VALUES {pairs})"  # noqa: S608
            " SELECT camera_id, frame_id, receipt FROM asked"
            " JOIN frames ON camera_id = camera AND frame_id = frame",
            [value for key in some for value in key],
        )
        found.update((FrameKey(row[0], row[1]), bytes(row[2])) for row in cursor.fetchall())
    return found


def read_head(cursor: Cursor) -> int:
    """The newest sequence, even if that event is deleted by now."""
    cursor.execute("SELECT head FROM outbox")
    return int(cursor.fetchone()[0])


def move_head(cursor: Cursor, head: int) -> None:
    """The outbox ends there now."""
    cursor.execute("UPDATE outbox SET head = ?", (head,))


class Rows:
    """What a group of frames adds to each table; `head` is where the outbox then ends."""

    def __init__(
        self, records: Sequence[FrameRecord], *, head: int, committed_at: datetime
    ) -> None:
        self.frames: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.unplaced: list[tuple[Any, ...]] = []
        self.head = head
        now = microseconds(committed_at)
        for record in records:
            first = self.head + 1
            for event in record.events:
                self.head += 1
                self.events.append(_event(event, record.key, self.head, now))
            self.frames.append(
                (
                    *record.key,
                    microseconds(record.captured_at),
                    now,
                    record.receipt,
                    microseconds(record.received_at or committed_at),
                    record.trace_id,
                    record.span_id,
                    first,
                    self.head,
                )
            )
            self.unplaced += [
                (*record.key, each.index, now, each.reason, encode(each.detection))
                for each in record.unplaced
            ]


def _event(event: EventRecord, key: FrameKey, sequence: int, committed_at: int) -> tuple[Any, ...]:
    return (
        sequence,
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
