"""What was settled on one connection, and is still to be written down."""

from __future__ import annotations

import asyncio

import structlog

from cop_gateway.delivery.standing import Storage
from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.outbox.record import Delivery

_log = structlog.get_logger(__name__)


class Settlements:
    """`reviving` are the dead letters that are on their way again, until that is written down."""

    def __init__(self, *, sink: str, storage: Storage) -> None:
        self._sink = sink
        self._storage = storage
        self._settled: list[Delivery] = []
        self._revived: list[int] = []
        self._saving = asyncio.Lock()
        self.reviving: set[int] = set()

    def add(self, delivery: Delivery | None, revived: tuple[int, ...]) -> None:
        """A batch was settled: events of the outbox, or dead letters."""
        if delivery is not None:
            self._settled.append(delivery)
        self._revived += revived

    async def save(self) -> None:
        """Write down what was settled; whatever comes in meanwhile goes with the next writing.

        Forgotten only once it is written: a save that is cancelled is simply done again.
        """
        async with self._saving:
            settled, revived = list(self._settled), list(self._revived)
            try:
                if settled:
                    await asyncio.to_thread(self._storage.settle, self._sink, settled)
                    del self._settled[: len(settled)]
                if revived:
                    await asyncio.to_thread(self._storage.revive, self._sink, revived)
                    del self._revived[: len(revived)]
                    self.reviving.difference_update(revived)
            except StoreFailedError as error:
                # Saved with the next pong; a restart before that only sends these events again.
                _log.error("cursor_not_saved", sink=self._sink, error=str(error))
