"""What only the store knows, for metrics: asked every so often beside everything else.

Whoever scrapes gets what was found last, and never waits for a database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from cop_gateway.outbox.backup_tables import LastBackup
from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.outbox.ledger_tables import Reach
from cop_gateway.outbox.record import Account, Schema
from telemetry import logs

LOOK_SECONDS = 15.0
_EARLIER_EVENTS = 10_000
"""How far back the audit begins at a start: over whatever may have ended the process before."""
_BATCHES = 2_000

log = logs.get("cop_gateway.survey")


class Store(Protocol):
    """What a survey asks of storage."""

    def schema(self) -> Schema:
        """Which steps of the schema it has, and which this code knows."""

    def count_dead_letters(self) -> dict[str, int]:
        """How many there are, by sink."""

    def last_backup(self) -> LastBackup | None:
        """The newest one that is there."""

    def last_verified(self) -> datetime | None:
        """When a backup was last restored and compared."""

    def account(self, sink: str) -> Account:
        """How far a sink has come."""

    def follow_settled(self, sink: str, after: int, limit: int) -> Reach:
        """Follow settled batches, and count the events that none of them covers."""


class Survey:
    """`run` for as long as the process; the rest is what was found last."""

    def __init__(self, store: Store, *, sinks: Sequence[str]) -> None:
        self._store = store
        self._sinks = tuple(sinks)
        self._audited: dict[str, int] = {}
        self.schema_version: int | None = None
        self.dead_letters: Mapping[str, int] = {}
        self._missing = dict.fromkeys(sinks, 0)
        self.last_backup: LastBackup | None = None
        self.last_verified: datetime | None = None

    async def run(self) -> None:
        """Look again and again."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except StoreFailedError as error:
                log.warning("survey failed", reason=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    def dead_letters_of(self, sink: str) -> int:
        """That lie there now."""
        return self.dead_letters.get(sink, 0)

    def missing_of(self, sink: str) -> int:
        """Events that no settled batch covers, though later ones are settled."""
        return self._missing[sink]

    def look(self) -> None:
        """Ask the store once. Blocks; raises StoreFailedError."""
        self.schema_version = self._store.schema().database
        self.dead_letters = self._store.count_dead_letters()
        self.last_backup = self._store.last_backup()
        self.last_verified = self._store.last_verified()
        for sink in self._sinks:
            self._audit(sink)

    def _audit(self, sink: str) -> None:
        if sink not in self._audited:
            self._audited[sink] = max(0, self._store.account(sink).cursor - _EARLIER_EVENTS)
        reach = self._store.follow_settled(sink, self._audited[sink], _BATCHES)
        self._audited[sink] = reach.last
        if reach.missing:
            self._missing[sink] += reach.missing
            log.error("events were never delivered", sink=sink, events=reach.missing)
