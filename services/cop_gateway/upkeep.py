"""Keeps the store within its limits in the background, and says early when it is full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.outbox.record import Space
from telemetry import logs

_LOOK_SECONDS = 1.0
_FORGET_SECONDS = 10.0
_PORTION = 500
_PAUSE_SECONDS = 0.02
"""Between portions: intake and delivery go first."""
_LOW_WATER = 0.9
"""A store that has outgrown its limit shrinks to this share of it."""

log = logs.get("cop_gateway.upkeep")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What an operator allows; None is no limit."""

    max_age: timedelta | None
    max_bytes: int | None
    min_free_bytes: int


class Store(Protocol):
    """What upkeep needs of storage."""

    def space(self) -> Space:
        """What it takes and what is left."""

    def forget(self, before: datetime | None, *, sinks: Sequence[str], portion: int) -> int:
        """Delete so many of the oldest, delivered events; how many went."""


class Upkeep:
    """`run` for as long as the process; `refusal` is cheap and asked before each frame."""

    def __init__(
        self,
        store: Store,
        *,
        limits: Limits,
        sinks: Sequence[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._limits = limits
        self._sinks = tuple(sinks)
        self._clock = clock
        self._refusal: str | None = None
        self.space = Space(used=0, free=None)

    def refusal(self) -> str | None:
        """Why no frame is taken in now."""
        return self._refusal

    async def run(self) -> None:
        """Look every second, forget every ten."""
        next_time = 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self.look()
                if loop.time() >= next_time or self._is_too_large(_LOW_WATER):
                    next_time = loop.time() + _FORGET_SECONDS
                    await self.forget()
            except (StoreFailedError, OSError) as error:
                log.warning("upkeep failed", reason=str(error))
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Measure, and decide whether there is room."""
        self.space = await asyncio.to_thread(self._store.space)
        refusal = self._judge(self.space)
        if refusal != self._refusal:
            log.warning("storage", refusal=refusal, used=self.space.used, free=self.space.free)
        self._refusal = refusal

    async def forget(self) -> None:
        """Delete what is too old, then what is too much."""
        if self._limits.max_age is not None:
            before = self._clock() - self._limits.max_age
            while await self._portion(before):  # noqa: ASYNC110 - storage is asked
                await asyncio.sleep(_PAUSE_SECONDS)
        while self._is_too_large(_LOW_WATER) and await self._portion(None):
            await asyncio.sleep(_PAUSE_SECONDS)
            await self.look()

    async def _portion(self, before: datetime | None) -> int:
        return await asyncio.to_thread(
            self._store.forget, before, sinks=self._sinks, portion=_PORTION
        )

    def _is_too_large(self, share: float) -> bool:
        limit = self._limits.max_bytes
        return limit is not None and self.space.used > share * limit

    def _judge(self, space: Space) -> str | None:
        if space.free is not None and space.free < self._limits.min_free_bytes:
            return (
                f"the disk has {space.free // 1_000_000} MB left,"
                f" {self._limits.min_free_bytes // 1_000_000} MB are kept free"
            )
        if self._limits.max_bytes is not None and space.used > self._limits.max_bytes:
            return (
                f"the store holds {space.used // 1_000_000} MB (limit"
                f" {self._limits.max_bytes // 1_000_000} MB), and what is in it is not delivered"
            )
        return None
