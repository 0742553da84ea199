"""Delivery's side of the embedded store: the outbox in order, and how far each sink has come."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from cop_gateway.outbox.record import Account, DeadLetter, Delivery, Dispatch
from cop_gateway.outbox.sqlite_file import SqliteFile, microseconds, moment_of

_DISPATCH = (
    "sequence, committed_at, xml, kind, uid, cot_type, class_name, confidence, latitude,"
    " longitude, ce90_m, stale_at"
)
_VARIABLES = 500
"""How many values one statement asks for; SQLite has a limit."""


class Own:
    """The file has one owner, and so has every sink in it."""

    def alive(self) -> bool:
        """Always."""
        return True

    def release(self) -> None:
        """Nobody is waiting."""


class SqliteDelivery:
    """The ports of cop_gateway.delivery over one file."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def head(self) -> int:
        """The newest sequence, even if that event is deleted by now."""
        with self._file.reading("read") as reader:
            row = reader.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
            return int(row[0]) if row is not None else 0

    def after(self, sequence: int, limit: int) -> list[Dispatch]:
        """The next events to deliver, in order."""
        with self._file.reading("read") as reader:
            rows = reader.execute(
                f"SELECT {_DISPATCH} FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",  # noqa: S608
                (sequence, limit),
            ).fetchall()
        return [_dispatch(row) for row in rows]

    def these(self, sequences: Iterable[int]) -> list[Dispatch]:
        """Those of them that are still there, in order."""
        found: list[Dispatch] = []
        with self._file.reading("read") as reader:
            for some in _portions(sorted(set(sequences))):
                marks = ", ".join("?" * len(some))
                rows = reader.execute(
                    f"SELECT {_DISPATCH} FROM events WHERE sequence IN ({marks}) ORDER BY sequence",  # noqa: S608
                    some,
                )
                found += [_dispatch(row) for row in rows]
        return found

    def newest(self, uids: Iterable[str]) -> dict[str, int]:
        """The newest sequence of each of these objects."""
        found: dict[str, int] = {}
        with self._file.reading("read") as reader:
            for uid in set(uids):
                row = reader.execute(
                    "SELECT max(sequence) FROM events WHERE uid = ?", (uid,)
                ).fetchone()
                if row[0] is not None:
                    found[uid] = int(row[0])
        return found

    def hold(self, sink: str) -> Own:  # noqa: ARG002 - of every sink alike
        """The file has one owner, and so has every sink in it."""
        return Own()

    def account(self, sink: str) -> Account:
        """What is known of a sink; a new one begins at the newest event."""
        with self._file.writing("read a cursor") as cursor:
            cursor.execute(
                "INSERT INTO sinks (name, cursor) SELECT ?, coalesce(max(seq), 0)"
                " FROM sqlite_sequence WHERE name = 'events' ON CONFLICT DO NOTHING",
                (sink,),
            )
            row = cursor.execute(
                "SELECT cursor, paused, ponged FROM sinks WHERE name = ?", (sink,)
            ).fetchone()
            return Account(cursor=int(row[0]), paused=bool(row[1]), ponged=bool(row[2]))

    def settle(self, sink: str, deliveries: Sequence[Delivery]) -> None:
        """Move the cursor to the last one's end and remember them all; it never moves back."""
        if not deliveries:
            return
        with self._file.writing("move a cursor") as cursor:
            cursor.executemany(
                "INSERT OR REPLACE INTO deliveries"
                " (sink, last, first, sent_at, settled_at, acknowledged, skipped)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        sink,
                        each.last,
                        each.first,
                        microseconds(each.sent_at),
                        microseconds(each.settled_at),
                        each.acknowledged,
                        json.dumps(each.skipped) if each.skipped else None,
                    )
                    for each in deliveries
                ],
            )
            cursor.execute(
                "UPDATE sinks SET cursor = max(cursor, ?), ponged = max(ponged, ?) WHERE name = ?",
                (deliveries[-1].last, any(each.acknowledged for each in deliveries), sink),
            )

    def bury(self, sink: str, sequence: int, reason: str) -> None:
        """That event cannot be delivered to that sink: a dead letter."""
        with self._file.writing("bury an event") as cursor:
            cursor.execute(
                "INSERT INTO dead_letters (sink, sequence, reason, buried_at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET reason = excluded.reason, retrying = 0,"
                " buried_at = excluded.buried_at",
                (sink, sequence, reason, microseconds(datetime.now(UTC))),
            )

    def recalled(self, sink: str, limit: int) -> list[int]:
        """The dead letters to try again, in order."""
        with self._file.reading("read") as reader:
            rows = reader.execute(
                "SELECT sequence FROM dead_letters WHERE sink = ? AND retrying"
                " ORDER BY sequence LIMIT ?",
                (sink, limit),
            )
            return [int(row[0]) for row in rows]

    def revive(self, sink: str, sequences: Iterable[int]) -> None:
        """These were delivered: they are no dead letters any more."""
        with self._file.writing("revive events") as cursor:
            cursor.executemany(
                "DELETE FROM dead_letters WHERE sink = ? AND sequence = ?",
                [(sink, sequence) for sequence in sequences],
            )

    # What operators do.

    def pause(self, sink: str, *, paused: bool) -> None:
        """Remember whether a sink is paused."""
        with self._file.writing("pause a sink") as cursor:
            cursor.execute("UPDATE sinks SET paused = ? WHERE name = ?", (paused, sink))

    def dead_letters(self, sink: str, *, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """A sink's dead letters in the order of the outbox."""
        with self._file.reading("read") as reader:
            rows = reader.execute(
                "SELECT d.sequence, coalesce(e.uid, ''), d.reason, d.buried_at, d.retrying"
                " FROM dead_letters AS d LEFT JOIN events AS e USING (sequence)"
                " WHERE d.sink = ? AND d.sequence > ? ORDER BY d.sequence LIMIT ?",
                (sink, after, limit),
            ).fetchall()
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
        with self._file.reading("read") as reader:
            rows = reader.execute("SELECT sink, count(*) FROM dead_letters GROUP BY sink")
            return {row[0]: int(row[1]) for row in rows}

    def retry(self, sink: str, sequences: Iterable[int] | None = None) -> int:
        """Recall these dead letters, or all of a sink; how many."""
        with self._file.writing("recall dead letters") as cursor:
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


def _dispatch(row: sqlite3.Row) -> Dispatch:
    sequence, committed_at, *middle, stale_at = row
    return Dispatch._make((sequence, moment_of(committed_at), *middle, moment_of(stale_at)))


def _portions(values: Sequence[int]) -> Iterable[Sequence[int]]:
    return (values[i : i + _VARIABLES] for i in range(0, len(values), _VARIABLES))
