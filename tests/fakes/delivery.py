"""What a courier meets, by hand: a source of events, peers that behave as told, an observer."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from cop_gateway.delivery import Bulletin
from cop_gateway.delivery.delays import Delays
from cop_gateway.delivery.errors import UnsendableError
from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.outbox.record import Account, Delivery, Dispatch

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PING = b'<event uid="peer-ping" type="t-x-c-t"></event>'
PONG = b'<event uid="takPong" type="t-x-c-t-r"></event>'

_EVENT = re.compile(rb'<event n="(\d+)"/></event>')
_PING = re.compile(rb'type="t-x-c-t"')
_PONG = re.compile(rb'type="t-x-c-t-r"')


def event(number: int) -> str:
    """What stands in the outbox: not CoT, but as delivery sees it, text that ends an event."""
    return f'<event n="{number}"/></event>'


class FakeHold:
    """The right to deliver, until `lost` is set."""

    def __init__(self) -> None:
        self.lost = False
        self.released = False

    def alive(self) -> bool:
        return not self.lost

    def release(self) -> None:
        self.released = True


class FakeSource:
    """An outbox in memory, with all that delivery asks of it. Used from threads, too."""

    def __init__(self, events: int = 0, cursors: dict[str, int] | None = None) -> None:
        self._lock = threading.Lock()
        self._events: list[Dispatch] = []
        self.cursors = dict(cursors or {})
        self.moves: list[int] = []
        self.failing_moves = 0
        self.failing_reads = 0
        self.bulletin = Bulletin(0)
        self.holds: list[FakeHold] = []
        self.others = False
        """Whether another process holds every sink."""
        self.deliveries: list[Delivery] = []
        self.dead: dict[int, str] = {}
        self.recalls: list[int] = []
        self.ponged = False
        self.paused = False
        self.add(events)

    def add(self, count: int, **fields: Any) -> None:
        """So many new events are committed, and announced."""
        for _ in range(count):
            sequence = len(self._events) + 1
            self._events.append(
                Dispatch(sequence=sequence, committed_at=NOW, xml=event(sequence), **fields)
            )
        self.bulletin.announce(len(self._events))

    def after(self, sequence: int, limit: int) -> list[Dispatch]:
        with self._lock:
            if self.failing_reads > 0:
                self.failing_reads -= 1
                raise StoreFailedError("the store could not read: disk I/O error")
            return [each for each in self._events if each.sequence > sequence][:limit]

    def these(self, sequences: Iterable[int]) -> list[Dispatch]:
        wanted = set(sequences)
        return [each for each in self._events if each.sequence in wanted]

    def newest(self, uids: Iterable[str]) -> dict[str, int]:
        return {each.uid: each.sequence for each in self._events if each.uid in set(uids)}

    def hold(self, sink: str) -> FakeHold | None:
        if self.others:
            return None
        self.holds.append(FakeHold())
        return self.holds[-1]

    def account(self, sink: str) -> Account:
        with self._lock:
            cursor = self.cursors.setdefault(sink, 0)
            return Account(cursor=cursor, paused=self.paused, ponged=self.ponged)

    def settle(self, sink: str, deliveries: Sequence[Delivery]) -> None:
        with self._lock:
            if self.failing_moves > 0:
                self.failing_moves -= 1
                raise StoreFailedError("the store could not move a cursor: disk is full")
            self.deliveries += deliveries
            self.moves.append(deliveries[-1].last)
            self.cursors[sink] = max(self.cursors[sink], deliveries[-1].last)
            self.ponged = self.ponged or any(each.acknowledged for each in deliveries)

    def bury(self, sink: str, sequence: int, reason: str) -> None:
        self.dead[sequence] = reason
        self.recalls = [each for each in self.recalls if each != sequence]

    def recalled(self, sink: str, limit: int) -> list[int]:
        return sorted(self.recalls)[:limit]

    def revive(self, sink: str, sequences: Iterable[int]) -> None:
        for sequence in sequences:
            self.dead.pop(sequence, None)
            self.recalls.remove(sequence)


class FakeConnection:
    """A peer. It pongs every ping by itself, unless it is told not to.

    `takes`: so many events of a batch get through, then the connection breaks (0: none at all).
    """

    def __init__(
        self,
        *,
        pongs: bool = True,
        takes: int | None = None,
        breaks_on: int | None = None,
        unsendable: int | None = None,
    ) -> None:
        self.pongs = pongs
        self.takes = takes
        self.breaks_on = breaks_on
        self.unsendable = unsendable
        self.batches: list[list[int]] = []
        self.pings = 0
        self.pongs_received = 0
        self.closed = False
        self.room = asyncio.Event()
        self.room.set()
        self._inbox: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()

    @property
    def events(self) -> list[int]:
        """Every event that got through, in order."""
        return [number for batch in self.batches for number in batch]

    async def send(self, events: Sequence[str]) -> None:
        if self.closed:
            raise AssertionError("sent on a connection that was closed")
        data = "".join(events).encode()
        for index, one in enumerate(events):
            if self.unsendable and one == event(self.unsendable):
                raise UnsendableError("too large", index=index)
        numbers = [int(number) for number in _EVENT.findall(data)]
        if self.takes is not None and len(numbers) > self.takes:
            if self.takes:
                self.batches.append(numbers[: self.takes])
            raise ConnectionResetError("reset by peer")
        if self.breaks_on in numbers:
            self.batches.append(numbers[: numbers.index(self.breaks_on)])
            raise ConnectionResetError("reset by peer")
        await self.room.wait()
        if numbers:
            self.batches.append(numbers)
        self.pongs_received += len(_PONG.findall(data))
        pings = len(_PING.findall(data))
        self.pings += pings
        if self.pongs:
            for _ in range(pings):
                self.say(PONG)

    def say(self, event: bytes) -> None:
        """The peer sends an event."""
        self._inbox.put_nowait(event)

    def hang_up(self) -> None:
        """The peer closes."""
        self._inbox.put_nowait(None)

    def fail(self, error: BaseException) -> None:
        """Reading ends with this."""
        self._inbox.put_nowait(error)

    async def received(self) -> AsyncIterator[bytes]:
        while (said := await self._inbox.get()) is not None:
            if isinstance(said, BaseException):
                raise said
            yield said

    async def close(self) -> None:
        self.closed = True


class FakeTransport:
    """Gives its connections in turn; an exception in their place is a connection that fails."""

    def __init__(self, *ways: FakeConnection | BaseException) -> None:
        self._ways = list(ways)
        self.attempts = 0

    target = "tcp://tak.example:8087"
    expires_at = None

    async def open(self) -> FakeConnection:
        self.attempts += 1
        if not self._ways:
            raise ConnectionRefusedError("connection refused")
        way = self._ways.pop(0)
        if isinstance(way, BaseException):
            raise way
        return way


class FakeObserver:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.sent_events = 0
        self.repeated_events = 0
        self.acknowledged_events = 0
        self.buried_events = 0
        self.filtered_events = 0
        self.outdated_events = 0
        self.delays: list[Delays] = []
        self.connections = 0

    def sent(self, sink: str, events: int, repeated: int) -> None:
        self.sent_events += events
        self.repeated_events += repeated

    def acknowledged(self, sink: str, events: int, seconds: float, delays: Delays) -> None:
        assert seconds >= 0
        self.acknowledged_events += events
        self.delays.append(delays)

    def skipped(self, sink: str, *, filtered: int, outdated: int) -> None:
        self.filtered_events += filtered
        self.outdated_events += outdated

    def buried(self, sink: str) -> None:
        self.buried_events += 1

    def reconnected(self, sink: str) -> None:
        self.connections += 1


class FakeBackoff:
    """Waits as long as told, and remembers how many failures in a row it was asked about."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.failures: list[int] = []

    def wait(self, failures: int, uniform: Callable[[], float]) -> float:
        self.failures.append(failures)
        return self.seconds


def first_seen(connections: Iterable[FakeConnection]) -> list[int]:
    """What the peers got together, each event where it first came."""
    return list(dict.fromkeys(number for each in connections for number in each.events))
