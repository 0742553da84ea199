"""Tells every courier how far the outbox has grown."""

from __future__ import annotations

import asyncio


class Bulletin:
    """The newest sequence. To be used from one event loop."""

    def __init__(self, head: int) -> None:
        self.head = head
        self._wake: set[asyncio.Event] = set()

    def announce(self, head: int) -> None:
        """The outbox now ends with that sequence."""
        if head > self.head:
            self.head = head
            for event in self._wake:
                event.set()

    def subscribe(self) -> asyncio.Event:
        """An event that is set at every announcement; whoever waits clears it."""
        event = asyncio.Event()
        self._wake.add(event)
        return event

    def unsubscribe(self, event: asyncio.Event) -> None:
        """Nobody waits for that one any more."""
        self._wake.discard(event)
