"""What keeps the store small: the oldest goes first, in portions, and never what is undelivered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cop_gateway.outbox.database import Cursor, Database, marks, microseconds


class UpkeepTables:
    """Forgetting, over any database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def forget(self, before: datetime | None, *, sinks: Sequence[str], portion: int) -> int:
        """Delete at most so many rows of each table that are older; how many events went.

        Without `before`, the oldest go whatever their age. Events that one of these sinks has not
        settled stay, and so do the frames that they belong to.
        """
        moment = microseconds(before) if before is not None else 2**63 - 1
        with self._database.writing("forget what is old") as cursor:
            floor = _settled_by_all(cursor, sinks)
            cursor.execute(
                "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events"
                " WHERE sequence <= ? AND committed_at < ? ORDER BY sequence LIMIT ?)",
                (floor, moment, portion),
            )
            gone = cursor.rowcount
            for table in ("frames", "unplaced"):
                self._forget_frames(cursor, table, moment, floor, portion)
            cursor.execute("SELECT min(sequence) FROM events")
            oldest = cursor.fetchone()[0]
            if oldest is not None:
                cursor.execute(
                    "DELETE FROM deliveries WHERE (sink, last) IN"
                    " (SELECT sink, last FROM deliveries WHERE last < ? LIMIT ?)",
                    (oldest, portion),
                )
            if before is not None:
                cursor.execute("DELETE FROM dead_letters WHERE buried_at < ?", (moment,))
        return gone

    @staticmethod
    def _forget_frames(cursor: Cursor, table: str, moment: int, floor: int, portion: int) -> None:
        key = "camera_id, frame_id" + (", position" if table == "unplaced" else "")
        settled = " AND coalesce(last_sequence, 0) <= ?" if table == "frames" else ""
        cursor.execute(
            f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table}"  # noqa: S608
            f" WHERE committed_at < ?{settled} ORDER BY committed_at LIMIT ?)",
            (moment, *((floor,) if settled else ()), portion),
        )


def _settled_by_all(cursor: Cursor, sinks: Sequence[str]) -> int:
    """The newest sequence that every one of these sinks has settled."""
    if not sinks:
        return 2**63 - 1
    cursor.execute(
        f"SELECT min(cursor) FROM sinks WHERE name IN ({marks(len(sinks))})",  # noqa: S608
        list(sinks),
    )
    row = cursor.fetchone()
    return int(row[0]) if row[0] is not None else 0
