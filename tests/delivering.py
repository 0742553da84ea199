"""A real courier on real sockets against a scripted TAK server, and what must hold of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cop_gateway.cot import CotEvent, Point, to_xml
from cop_gateway.delivery import Backoff, Courier
from cop_gateway.delivery.policy import Acknowledge, Breaker, Pace, Policy
from cop_gateway.delivery.presence import presence
from cop_gateway.delivery.selection import Filter
from cop_gateway.delivery.tcp import TcpTransport
from cop_gateway.outbox.record import Delivery, Dispatch
from fakes.bad_days import Behaviour, Life
from fakes.delivery import FakeObserver, FakeSource
from fakes.tak_server import TakServer

SECONDS = 30.0
STRIKES = 3
PACE = Pace(
    batch_events=4,
    window_batches=3,
    keepalive_seconds=0.05,
    pong_seconds=0.15,
    farewell_seconds=0.05,
    presence_seconds=0.2,
    greeting_seconds=0.01,
    hold_seconds=0.05,
)
UNWANTED = 5
"""Every fifth event is one that the sink does not want."""


def cot(sequence: int, *, size: int = 0) -> str:
    now = datetime.now(UTC)
    return to_xml(
        CotEvent(
            uid=f"event-{sequence}",
            type="a-u-G",
            how="m-i",
            time=now,
            stale=now + timedelta(minutes=1),
            point=Point(latitude=47.0, longitude=8.0, hae=400.0, ce=5.0, le=5.0),
            remarks="ü" * (size or (20_000 if sequence % 7 == 0 else sequence % 7 * 40)),
        )
    )


class Witness(FakeSource):
    """An outbox that looks at the server whenever the cursor moves."""

    def __init__(self, server: TakServer, *, size: int = 0) -> None:
        super().__init__()
        self._server = server
        self._size = size
        self.mistakes: list[str] = []
        self.cursors["tak"] = 0

    def add(self, count: int) -> None:
        for _ in range(count):
            sequence = len(self._events) + 1
            self._events.append(
                Dispatch(
                    sequence=sequence,
                    committed_at=datetime.now(UTC),
                    xml=cot(sequence, size=self._size),
                    class_name="bird" if sequence % UNWANTED == 0 else "car",
                )
            )
        self.bulletin.announce(len(self._events))

    @property
    def wanted(self) -> list[str]:
        return [f"event-{e.sequence}" for e in self._events if e.class_name == "car"]

    def after(self, sequence: int, limit: int) -> list[Dispatch]:
        most = PACE.window_batches * PACE.batch_events
        if sequence - self.cursors["tak"] > most:
            self.mistakes.append(f"{sequence} is under way, and settled is {self.cursors['tak']}")
        return super().after(sequence, limit)

    def settle(self, sink: str, deliveries: Sequence[Delivery]) -> None:
        heard = {uid for life in self._server.lives for uid in life.heard}
        last = deliveries[-1].last
        unread = [
            sequence
            for sequence in range(1, last + 1)
            if sequence % UNWANTED
            and sequence not in self.dead
            and f"event-{sequence}" not in heard
        ]
        if unread:
            self.mistakes.append(f"the cursor moves to {last}, and nobody has read {unread}")
        super().settle(sink, deliveries)


class Scene:
    """One courier, one server, and its days."""

    def __init__(
        self,
        days: Sequence[Behaviour] = (),
        *,
        upgrade: bool = True,
        size: int = 0,
        pace: dict[str, float] | None = None,
        acknowledge: Acknowledge = "ping",
        **last: Any,
    ) -> None:
        """`last` is how the server is after its `days`; `size` is that of an event, in letters."""
        self.server = TakServer(days=days, **last)
        self.source = Witness(self.server, size=size)
        self.courier = Courier(
            policy=Policy(
                name="tak",
                wanted=Filter(classes=frozenset({"car"})),
                backoff=Backoff(first=0.002, most=0.01, least=0.001),
                breaker=Breaker(failures=1_000),
                pace=replace(PACE, **(pace or {})),  # type: ignore[arg-type]
                acknowledge=acknowledge,
                strikes=STRIKES,
                presence=presence(
                    uid="sightline", callsign="S", cot_type="a-f-G-U-C", version="1", seconds=60
                ),
            ),
            transport=TcpTransport("127.0.0.1", self.server.port, upgrade=upgrade),
            storage=self.source,
            bulletin=self.source.bulletin,
            observer=FakeObserver(),
            clock=lambda: datetime.now(UTC),
            uniform=lambda: 1.0,
        )

    @contextlib.asynccontextmanager
    async def under_way(self) -> AsyncIterator[Scene]:
        running = asyncio.create_task(self.courier.run())
        try:
            yield self
        finally:
            self.courier.stop()
            await asyncio.wait_for(running, SECONDS)
            self.server.close()

    async def play(self, *lumps: int) -> None:
        """So many events are committed one after the other; the last day is waited for."""
        async with self.under_way():
            for lump in lumps:
                self.source.add(lump)
                await asyncio.sleep(0.01)
            await self.settled()

    async def settled(self) -> None:
        await self.until(lambda: self.courier.lag() == 0)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                await asyncio.sleep(0.002)

    def check(self) -> None:
        source, lives = self.source, self.server.lives
        assert source.mistakes == []
        dead = [f"event-{sequence}" for sequence in source.dead]
        heard = [uid for life in lives for uid in life.heard]
        first = list(dict.fromkeys(heard))
        assert [uid for uid in source.wanted if uid not in first] == [
            uid for uid in source.wanted if uid in dead and uid not in first
        ]
        for uid in dead:
            assert sum(broke_on(life, uid) for life in lives) >= STRIKES, uid
        assert source.cursors["tak"] == source.bulletin.head
        if any(life.behaviour.loses for life in lives):
            return  # what it lost has come later
        # In order, and on each connection without gaps: it begins again where it was settled.
        assert first == [uid for uid in source.wanted if uid in first]
        for life in lives:
            begin = source.wanted.index(life.heard[0]) if life.heard else 0
            due = [uid for uid in source.wanted[begin:] if uid not in dead or uid in life.heard]
            assert life.heard == due[: len(life.heard)]


def broke_on(life: Life, uid: str) -> bool:
    """Whether that connection may have ended because of that event: the server lived when it came,
    did not answer it, and had no later one."""
    return (
        life.pongs > 0
        and uid not in life.heard[: life.answered]
        and (life.heard[-1:] == [uid] or uid not in life.heard)
    )
