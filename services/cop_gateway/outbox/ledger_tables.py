"""The ledger of deliveries, audited: each sink has every event of the outbox in a settled batch.

Sequences have no gaps, so a batch begins where the one before it ended. One that begins later
means that the events between went to nobody, and no restart, switch or takeover can hide that.
"""

from __future__ import annotations

from typing import NamedTuple

from cop_gateway.outbox.database import Database


class Reach(NamedTuple):
    """Up to where a sink's deliveries were audited, and how many events were missing in them."""

    last: int
    missing: int


class LedgerTables:
    """Auditing, over any database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def follow_settled(self, sink: str, after: int, limit: int) -> Reach:
        """Follow so many settled batches, from the first one that ends at `after` or later."""
        with self._database.reading("audit deliveries") as cursor:
            cursor.execute(
                "SELECT first, last FROM deliveries WHERE sink = ? AND last >= ?"
                " ORDER BY last LIMIT ?",
                (sink, after, limit),
            )
            batches = [(int(row[0]), int(row[1])) for row in cursor.fetchall()]
        reached, missing = None, 0
        for first, last in batches:
            if reached is not None:
                missing += max(0, first - reached - 1)
            reached = last
        return Reach(after if reached is None else reached, missing)
