"""A tracked object by the uid in a path."""

from __future__ import annotations

import asyncio
from typing import Protocol

from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.record import SEEN, EventKind
from serving.problems import HttpProblem
from sightline.messages import Event


class Tracks(Protocol):
    """What this needs of storage."""

    def events(self, query: Query) -> list[Event]:
        """The events that a query means, in its order."""


async def newest(store: Tracks, uid: str, kinds: tuple[EventKind, ...] = SEEN) -> Event:
    """The newest event of an object. Raises HttpProblem when there is none."""
    query = Query(uid=uid, kinds=kinds, limit=1)
    # Not every store can be asked for a NUL.
    found = [] if "\0" in uid else await asyncio.to_thread(store.events, query)
    if not found:
        raise HttpProblem(
            status=404, type="no-such-track", detail=f"nothing was seen of {uid[:128]!r}"
        )
    return found[0]
