"""What a sink is to be sent next, and what it never can be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from cop_gateway.delivery.bulletin import Bulletin
from cop_gateway.delivery.policy import Policy
from cop_gateway.delivery.selection import Selection, select
from cop_gateway.delivery.standing import Observer, Standing, Storage


class Agenda:
    """The outbox as one sink has it before it. Calls raise StoreFailedError."""

    def __init__(
        self,
        *,
        policy: Policy,
        standing: Standing,
        storage: Storage,
        bulletin: Bulletin,
        clock: Callable[[], datetime],
    ) -> None:
        self._policy = policy
        self._standing = standing
        self._storage = storage
        self._bulletin = bulletin
        self._clock = clock

    async def next(
        self, *, after: int, limit: int, reviving: frozenset[int]
    ) -> tuple[list[int], Selection | None]:
        """Dead letters to try again (but those under way again), else what comes next in order."""
        dead = frozenset(self._standing.dead)
        return await asyncio.to_thread(self._look, after, limit, reviving=reviving, dead=dead)

    def _look(
        self, after: int, limit: int, *, reviving: frozenset[int], dead: frozenset[int]
    ) -> tuple[list[int], Selection | None]:
        recalled = self._storage.recalled(self._policy.name, limit)
        if recalled := [each for each in recalled if each not in reviving]:
            return recalled, None
        if self._bulletin.head <= after:
            return [], None
        due = self._storage.after(after, limit)
        if not due:
            return [], None
        return [], select(
            due,
            wanted=self._policy.wanted,
            stale_rule=self._policy.stale_rule,
            now=self._clock(),
            newest=self._storage.newest,
            dead=dead,
        )


async def bury(
    sequence: int, reason: str, *, sink: str, storage: Storage, standing: Standing,
    observer: Observer,
) -> None:  # fmt: skip
    """That event cannot be delivered to that sink. Raises StoreFailedError."""
    await asyncio.to_thread(storage.bury, sink, sequence, reason)
    standing.dead.add(sequence)
    observer.buried(sink)
