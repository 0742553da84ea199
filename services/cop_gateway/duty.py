"""What a gateway leaves to the other colour while it drains: delivery, where both share a database.

With SQLite nobody else has what is in the outbox, so that a gateway which drains goes on delivering
until nothing is left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from cop_gateway.delivery import Courier
from cop_gateway.outbox.record import Account, Schema
from telemetry import logs

HANDOVER_SECONDS = 3.0
"""For what is under way: pongs that are awaited, a cursor that is being moved."""
_LOOK_SECONDS = 0.02

log = logs.get("cop_gateway.duty")


class Store(Protocol):
    """What duty needs of storage."""

    def schema(self) -> Schema:
        """Which steps of the schema it has, and which this code knows."""

    def head(self) -> int:
        """The newest sequence."""

    def account(self, sink: str) -> Account:
        """How far a sink has come."""


class Roster(Protocol):
    """Storage that both colours share."""

    def stand_down(self, *, stands_down: bool, at: datetime) -> None:
        """Our colour delivers no more, or again."""


class GatewayDuty:
    """Delivery, as the drain's calls see it. `roster` is None where storage is ours alone."""

    def __init__(
        self,
        *,
        store: Store,
        roster: Roster | None,
        couriers: Sequence[Courier],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._roster = roster
        self._couriers = couriers
        self._clock = clock

    async def change(self, *, draining: bool) -> None:
        """Leave delivery to the other colour, or take it up again. Raises StoreFailedError."""
        if self._roster is None:
            return
        await asyncio.to_thread(self._roster.stand_down, stands_down=draining, at=self._clock())
        for courier in self._couriers:
            courier.look_again(let_go=draining)
        if draining:
            await self._let_go()

    async def _let_go(self) -> None:
        until = time.monotonic() + HANDOVER_SECONDS
        while held := [courier.name for courier in self._couriers if courier.holding]:
            if time.monotonic() > until:
                log.warning("sinks not given up yet", sinks=held, seconds=HANDOVER_SECONDS)
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def details(self) -> Mapping[str, Any]:
        """The schema, the sinks, and how much of the outbox is not settled."""
        return await asyncio.to_thread(self._details)

    def _details(self) -> Mapping[str, Any]:
        schema = self._store.schema()
        head = self._store.head()
        lags = {
            courier.name: max(0, head - self._store.account(courier.name).cursor)
            for courier in self._couriers
        }
        return {
            "shared_database": self._roster is not None,
            "schema": {
                "code": schema.code,
                "database": schema.database,
                "oldest_code": schema.oldest_code,
            },
            "undelivered": max(lags.values(), default=0),
            "sinks": [
                {
                    "name": courier.name,
                    "state": courier.state,
                    "held": courier.holding,
                    "lag_events": lags[courier.name],
                }
                for courier in self._couriers
            ],
        }
