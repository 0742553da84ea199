"""The history's side of the store: sightings by time, place and class, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cop_gateway.geolocation import flag, tle_category
from cop_gateway.outbox.database import Database, marks, microseconds, moment_of, portions
from cop_gateway.outbox.record import SEEN, EventKind, FrameKey
from sightline.messages import (
    AuditEntry,
    AuditSink,
    Event,
    GroundPosition,
    Receipt,
    decode,
)

EVENT = (
    "sequence, uid, cot_type, class_name, confidence, camera_id, frame_id, position, captured_at,"
    " committed_at, stale_at, latitude, longitude, hae, ce90_m, le90_m, course, speed_mps"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """Which sightings. None is no limit; all limits must hold.

    Newest first, and `before` the page's end; with `since`, oldest first. `box` is south, west,
    north, east in degrees, with west above east across the antimeridian.
    """

    before: int | None = None
    since: int | None = None
    uid: str | None = None
    camera_id: str | None = None
    class_name: str | None = None
    captured_from: datetime | None = None
    captured_to: datetime | None = None
    box: tuple[float, float, float, float] | None = None
    kinds: tuple[EventKind, ...] = SEEN
    limit: int = 100

    def where(self) -> tuple[str, list[Any]]:
        """The condition and its values."""
        parts: list[tuple[str, Sequence[Any]]] = [
            (f"kind IN ({marks(len(self.kinds))})", self.kinds)
        ]
        for condition, value in (
            ("sequence < ?", self.before),
            ("sequence > ?", self.since),
            ("uid = ?", self.uid),
            ("camera_id = ?", self.camera_id),
            ("class_name = ?", self.class_name),
            ("captured_at >= ?", self.captured_from and microseconds(self.captured_from)),
            ("captured_at < ?", self.captured_to and microseconds(self.captured_to)),
        ):
            if value is not None:
                parts.append((condition, (value,)))
        if self.box is not None:
            south, west, north, east = self.box
            parts.append(("latitude BETWEEN ? AND ?", (south, north)))
            across = "OR" if west > east else "AND"
            parts.append((f"(longitude >= ? {across} longitude <= ?)", (west, east)))
        return (
            " AND ".join(condition for condition, _ in parts),
            [value for _, values in parts for value in values],
        )


class HistoryTables:
    """The ports of cop_gateway.web over any database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def events(self, query: Query) -> list[Event]:
        """The sightings that a query means, in its order."""
        return [event_of(row) for row in self._rows(EVENT, query)]

    def xml_of(self, query: Query) -> list[tuple[int, str]]:
        """Sequence and CoT of the sightings that a query means."""
        return [(int(row[0]), row[1]) for row in self._rows("sequence, xml", query)]

    def _rows(self, columns: str, query: Query) -> list[Any]:
        where, values = query.where()
        order = "ASC" if query.since is not None else "DESC"
        with self._database.reading("read the history") as cursor:
            cursor.execute(
                f"SELECT {columns} FROM events WHERE {where} ORDER BY sequence {order} LIMIT ?",  # noqa: S608
                [*values, query.limit],
            )
            return cursor.fetchall()

    def retracted(self, uids: Iterable[str]) -> dict[str, datetime]:
        """When those of these tracks that were taken back were so."""
        found: dict[str, datetime] = {}
        with self._database.reading("read the history") as cursor:
            for some in portions(list(dict.fromkeys(uids))):
                cursor.execute(
                    "SELECT uid, committed_at FROM events WHERE kind = 'retraction'"  # noqa: S608
                    f" AND uid IN ({marks(len(some))})",
                    some,
                )
                found.update((row[0], moment_of(row[1])) for row in cursor.fetchall())
        return found

    def retracted_since(self, sequence: int, limit: int) -> list[str]:
        """The tracks that were taken back after that place in the outbox, in order."""
        with self._database.reading("read the history") as cursor:
            cursor.execute(
                # The plus keeps the database from walking along all events since then.
                "SELECT uid FROM events WHERE kind = 'retraction' AND +sequence > ?"
                " ORDER BY +sequence LIMIT ?",
                (sequence, limit),
            )
            return [row[0] for row in cursor.fetchall()]

    def frame_xml(self, key: FrameKey) -> list[str]:
        """The CoT of a frame's placed detections, in their order."""
        with self._database.reading("read a frame") as cursor:
            cursor.execute(
                "SELECT e.xml FROM frames AS f JOIN events AS e"
                " ON e.sequence BETWEEN f.first_sequence AND f.last_sequence"
                " WHERE f.camera_id = ? AND f.frame_id = ? AND e.kind = 'detection'"
                " ORDER BY e.sequence",
                key,
            )
            return [row[0] for row in cursor.fetchall()]

    def audit(self, key: FrameKey) -> list[AuditEntry] | None:
        """What happened to each detection of a frame; None when there is no such frame here."""
        with self._database.reading("read the audit trail") as cursor:
            cursor.execute(
                "SELECT captured_at, committed_at, receipt, received_at, trace_id, first_sequence,"
                " last_sequence FROM frames WHERE camera_id = ? AND frame_id = ?",
                key,
            )
            frame = cursor.fetchone()
            if frame is None or key.is_retraction:
                return None
            first, last = int(frame[5] or 0), int(frame[6] or -1)
            cursor.execute(
                "SELECT sequence, position FROM events"
                " WHERE sequence BETWEEN ? AND ? AND kind = 'detection'",
                (first, last),
            )
            sequences = {int(row[1]): int(row[0]) for row in cursor.fetchall()}
            cursor.execute("SELECT name, cursor FROM sinks ORDER BY name")
            sinks = cursor.fetchall()
            deliveries: list[Any] = []
            dead: dict[tuple[str, int], Any] = {}
            for name, _ in sinks:
                # A sink's batches follow each other: those that the frame is in come first.
                cursor.execute(
                    "SELECT sink, first, last, sent_at, settled_at, acknowledged, skipped"
                    " FROM deliveries WHERE sink = ? AND last >= ? ORDER BY last LIMIT ?",
                    (name, first, last - first + 1),
                )
                deliveries += cursor.fetchall()
                cursor.execute(
                    "SELECT sink, sequence, reason, buried_at FROM dead_letters"
                    " WHERE sink = ? AND sequence BETWEEN ? AND ?",
                    (name, first, last),
                )
                dead.update(((row[0], int(row[1])), row) for row in cursor.fetchall())
        receipt = decode(bytes(frame[2]), Receipt)
        return [
            AuditEntry(
                camera_id=key.camera_id,
                frame_id=key.frame_id,
                index=result.index,
                trace_id=frame[4],
                captured_at=moment_of(frame[0]),
                received_at=moment_of(frame[3] or frame[1]),
                committed_at=moment_of(frame[1]),
                result=result,
                sequence=sequences.get(result.index),
                sinks=tuple(
                    _at_sink(str(name), int(cursor_), sequence, deliveries, dead)
                    for name, cursor_ in sinks
                )
                if (sequence := sequences.get(result.index)) is not None
                else (),
            )
            for result in receipt.results
        ]


def _at_sink(
    name: str,
    reached: int,
    sequence: int,
    deliveries: Sequence[Any],
    dead: dict[tuple[str, int], Any],
) -> AuditSink:
    """What became of one event at one sink."""
    if (name, sequence) in dead:
        _, _, reason, buried_at = dead[name, sequence]
        return AuditSink(sink=name, outcome="dead", reason=reason, sent_at=moment_of(buried_at))
    for sink, first, last, sent_at, settled_at, acknowledged, skipped in deliveries:
        if sink != name or not first <= sequence <= last:
            continue
        reasons = json.loads(skipped) if skipped else {}
        for reason, sequences in reasons.items():
            if sequence in sequences:
                return AuditSink(sink=name, outcome="skipped", reason=reason)
        return AuditSink(
            sink=name,
            outcome="acknowledged" if acknowledged else "sent",
            sent_at=moment_of(sent_at),
            settled_at=moment_of(settled_at),
        )
    # Before the sink was known, or so long ago that its deliveries are forgotten.
    return AuditSink(sink=name, outcome="waiting" if sequence > reached else "unknown")


def event_of(row: Sequence[Any]) -> Event:
    """A row of EVENT."""
    ce90_m = float(row[14])
    return Event(
        sequence=int(row[0]),
        uid=row[1],
        cot_type=row[2],
        class_name=row[3],
        confidence=float(row[4]),
        camera_id=row[5],
        frame_id=row[6],
        index=int(row[7]),
        captured_at=moment_of(row[8]),
        committed_at=moment_of(row[9]),
        stale_at=moment_of(row[10]),
        position=GroundPosition(
            latitude=float(row[11]), longitude=float(row[12]), hae=float(row[13])
        ),
        ce90_m=ce90_m,
        le90_m=float(row[15]),
        flag=flag(ce90_m),
        tle_category=tle_category(ce90_m),
        course=row[16],
        speed_mps=row[17],
    )
