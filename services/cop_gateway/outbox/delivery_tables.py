"""Delivery's side of the store: the outbox in order, and how far each sink has come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from cop_gateway.outbox.database import (
    Cursor,
    Database,
    marks,
    microseconds,
    moment_of,
    portions,
)
from cop_gateway.outbox.intake_tables import read_head
from cop_gateway.outbox.record import (
    Account,
    DeadLetter,
    Delivery,
    Dispatch,
    FrameKey,
    Traced,
)

_DISPATCH = (
    "sequence, committed_at, xml, kind, uid, cot_type, class_name, confidence, latitude,"
    " longitude, ce90_m, stale_at, captured_at"
)


class DeliveryTables:
    """The ports of cop_gateway.delivery over any database; who holds a sink is for the adapter."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> int:
        """The newest sequence, even if that event is deleted by now."""
        with self._database.reading("read") as cursor:
            return read_head(cursor)

    def after(self, sequence: int, limit: int) -> list[Dispatch]:
        """The next events to deliver, in order."""
        with self._database.reading("read") as cursor:
            cursor.execute(
                f"SELECT {_DISPATCH} FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",  # noqa: S608
                (sequence, limit),
            )
            return [_dispatch(row) for row in cursor.fetchall()]

    def these(self, sequences: Iterable[int]) -> list[Dispatch]:
        """Those of them that are still there, in order."""
        found: list[Dispatch] = []
        with self._database.reading("read") as cursor:
            for some in portions(sorted(set(sequences))):
                cursor.execute(
                    f"SELECT {_DISPATCH} FROM events WHERE sequence IN ({marks(len(some))})"  # noqa: S608
                    " ORDER BY sequence",
                    some,
                )
                found += [_dispatch(row) for row in cursor.fetchall()]
        return found

    def newest(self, uids: Iterable[str]) -> dict[str, int]:
        """The newest sequence of each of these objects."""
        found: dict[str, int] = {}
        with self._database.reading("read") as cursor:
            for some in portions(list(set(uids))):
                cursor.execute(
                    "SELECT uid, max(sequence) FROM events"  # noqa: S608
                    f" WHERE uid IN ({marks(len(some))}) GROUP BY uid",
                    some,
                )
                found.update((row[0], int(row[1])) for row in cursor.fetchall())
        return found

    def traced(self, sequences: Iterable[int]) -> list[Traced]:
        """The frames of these events whose traces somebody keeps, in order."""
        found: list[Traced] = []
        with self._database.reading("read traces") as cursor:
            for some in portions(sorted(set(sequences))):
                cursor.execute(
                    "SELECT f.camera_id, f.frame_id, f.trace_id, f.span_id, count(*),"  # noqa: S608
                    " min(e.committed_at) FROM events AS e JOIN frames AS f"
                    " ON f.camera_id = e.camera_id AND f.frame_id = e.frame_id"
                    f" WHERE e.sequence IN ({marks(len(some))}) AND f.span_id IS NOT NULL"
                    " GROUP BY f.camera_id, f.frame_id, f.trace_id, f.span_id"
                    " ORDER BY min(e.sequence)",
                    some,
                )
                found += [
                    Traced(FrameKey(row[0], row[1]), row[2], row[3], row[4], moment_of(row[5]))
                    for row in cursor.fetchall()
                ]
        return found

    def account(self, sink: str) -> Account:
        """What is known of a sink; a new one begins at the newest event."""
        # It is asked again and again, and a sink is new but once: whoever commits is not held up.
        with self._database.reading("read a cursor") as cursor:
            known = _account(cursor, sink)
        if known is not None:
            return known
        with self._database.writing("open an account") as cursor:
            cursor.execute(
                "INSERT INTO sinks (name, cursor) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (sink, read_head(cursor)),
            )
            opened = _account(cursor, sink)
        assert opened is not None
        return opened

    def settle(self, sink: str, deliveries: Sequence[Delivery]) -> None:
        """Move the cursor to the last one's end and remember them all; it never moves back."""
        if not deliveries:
            return
        with self._database.writing("move a cursor") as cursor:
            self._settle(cursor, sink, deliveries)

    def _settle(self, cursor: Cursor, sink: str, deliveries: Sequence[Delivery]) -> None:
        cursor.executemany(
            "INSERT INTO deliveries (sink, last, first, sent_at, settled_at, acknowledged, skipped)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sink, last) DO UPDATE SET"
            " first = excluded.first, sent_at = excluded.sent_at,"
            " settled_at = excluded.settled_at, acknowledged = excluded.acknowledged,"
            " skipped = excluded.skipped",
            [
                (
                    sink,
                    each.last,
                    each.first,
                    microseconds(each.sent_at),
                    microseconds(each.settled_at),
                    int(each.acknowledged),
                    json.dumps(each.skipped) if each.skipped else None,
                )
                for each in deliveries
            ],
        )
        cursor.execute(
            "UPDATE sinks SET cursor = ? WHERE name = ? AND cursor < ?",
            (deliveries[-1].last, sink, deliveries[-1].last),
        )
        if any(each.acknowledged for each in deliveries):
            cursor.execute("UPDATE sinks SET ponged = 1 WHERE name = ? AND ponged = 0", (sink,))

    def bury(self, sink: str, sequence: int, reason: str) -> None:
        """That event cannot be delivered to that sink: a dead letter."""
        with self._database.writing("bury an event") as cursor:
            cursor.execute(
                "INSERT INTO dead_letters (sink, sequence, reason, buried_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (sink, sequence) DO UPDATE SET reason = excluded.reason,"
                " retrying = 0, buried_at = excluded.buried_at",
                (sink, sequence, reason, microseconds(datetime.now(UTC))),
            )

    def recalled(self, sink: str, limit: int) -> list[int]:
        """The dead letters to try again, in order."""
        with self._database.reading("read") as cursor:
            cursor.execute(
                "SELECT sequence FROM dead_letters WHERE sink = ? AND retrying = 1"
                " ORDER BY sequence LIMIT ?",
                (sink, limit),
            )
            return [int(row[0]) for row in cursor.fetchall()]

    def revive(self, sink: str, sequences: Iterable[int]) -> None:
        """These were delivered: they are no dead letters any more."""
        with self._database.writing("revive events") as cursor:
            cursor.executemany(
                "DELETE FROM dead_letters WHERE sink = ? AND sequence = ?",
                [(sink, sequence) for sequence in sequences],
            )

    # What operators do.

    def pause(self, sink: str, *, paused: bool) -> None:
        """Remember whether a sink is paused."""
        with self._database.writing("pause a sink") as cursor:
            cursor.execute("UPDATE sinks SET paused = ? WHERE name = ?", (int(paused), sink))

    def dead_letters(self, sink: str, *, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """A sink's dead letters in the order of the outbox."""
        with self._database.reading("read") as cursor:
            cursor.execute(
                "SELECT d.sequence, coalesce(e.uid, ''), d.reason, d.buried_at, d.retrying"
                " FROM dead_letters AS d LEFT JOIN events AS e ON e.sequence = d.sequence"
                " WHERE d.sink = ? AND d.sequence > ? ORDER BY d.sequence LIMIT ?",
                (sink, after, limit),
            )
            rows = cursor.fetchall()
        return [
            DeadLetter(
                sink=sink,
                sequence=row[0],
                uid=row[1],
                reason=row[2],
                buried_at=moment_of(row[3]),
                retrying=bool(row[4]),
            )
            for row in rows
        ]

    def count_dead_letters(self) -> dict[str, int]:
        """How many there are, by sink."""
        with self._database.reading("read") as cursor:
            cursor.execute("SELECT sink, count(*) FROM dead_letters GROUP BY sink")
            return {row[0]: int(row[1]) for row in cursor.fetchall()}

    def retry(self, sink: str, sequences: Iterable[int] | None = None) -> int:
        """Recall these dead letters, or all of a sink; how many."""
        with self._database.writing("recall dead letters") as cursor:
            if sequences is None:
                cursor.execute("UPDATE dead_letters SET retrying = 1 WHERE sink = ?", (sink,))
                return cursor.rowcount
            count = 0
            for sequence in sequences:
                cursor.execute(
                    "UPDATE dead_letters SET retrying = 1 WHERE sink = ? AND sequence = ?",
                    (sink, sequence),
                )
                count += cursor.rowcount
            return count


def _account(cursor: Cursor, sink: str) -> Account | None:
    cursor.execute("SELECT cursor, paused, ponged FROM sinks WHERE name = ?", (sink,))
    row = cursor.fetchone()
    if row is None:
        return None
    return Account(cursor=int(row[0]), paused=bool(row[1]), ponged=bool(row[2]))


def _dispatch(row: Sequence[Any]) -> Dispatch:
    sequence, committed_at, *middle, stale_at, captured_at = row
    moments = moment_of(stale_at), moment_of(captured_at)
    return Dispatch._make((sequence, moment_of(committed_at), *middle, *moments))
