"""One task per sink: reads on from its cursor, sends, waits for pongs, moves the cursor.

A slow or dead sink holds up nobody else. Whatever breaks, it connects again, for ever, and begins
after the last event that was acknowledged: at least once, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from cop_gateway.cot import is_ping, is_pong, ping, pong
from cop_gateway.delivery.backoff import Backoff
from cop_gateway.delivery.bulletin import Bulletin
from cop_gateway.delivery.errors import SinkLostError
from cop_gateway.delivery.sink import Connection, Sink, Transport
from cop_gateway.delivery.states import Happening, State, following
from cop_gateway.delivery.window import Window
from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.outbox.record import Dispatch
from sightline.messages import SinkState

_log = structlog.get_logger(__name__)

_SHORTEST_WAIT_SECONDS = 0.01


class Source(Protocol):
    """What delivery needs of storage."""

    def after(self, sequence: int, limit: int) -> list[Dispatch]:
        """The next events, in order."""

    def cursor(self, sink: str) -> int:
        """How far that sink has acknowledged."""

    def move_cursor(self, sink: str, sequence: int) -> None:
        """It has acknowledged everything up to there."""


class Observer(Protocol):
    """Who wants to know how delivery goes (metrics)."""

    def sent(self, sink: str, events: int) -> None:
        """So many events went out."""

    def acknowledged(self, sink: str, events: int) -> None:
        """So many events were acknowledged."""

    def reconnected(self, sink: str) -> None:
        """The connection is up again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How much goes out at once, and how patient we are; seconds."""

    batch_events: int = 200
    window_batches: int = 8
    keepalive_seconds: float = 10.0
    pong_seconds: float = 15.0
    farewell_seconds: float = 3.0


class Courier:
    """`run` goes on until `stop`."""

    def __init__(
        self,
        *,
        sink: Sink,
        source: Source,
        transport: Transport,
        bulletin: Bulletin,
        observer: Observer,
        clock: Callable[[], datetime],
        uniform: Callable[[], float],
        identity: str,
        backoff: Backoff | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._sink = sink
        self._source = source
        self._transport = transport
        self._bulletin = bulletin
        self._observer = observer
        self._clock = clock
        self._uniform = uniform
        self._identity = identity
        self._backoff = backoff or Backoff()
        self._pace = pace or Pace()
        self._news = bulletin.subscribe()
        self._stop = asyncio.Event()
        self._room = asyncio.Event()
        self._state: State = "connecting"
        self._window = Window(cursor=source.cursor(sink.name), limit=self._pace.window_batches)
        self._saved = self._window.acknowledged
        self._batch_events = self._pace.batch_events
        self._sent_events = self._acknowledged_events = self._connections = 0
        self._last_error: str | None = None

    @property
    def sink(self) -> Sink:
        """Whom this courier serves."""
        return self._sink

    @property
    def cursor(self) -> int:
        """The newest sequence that was acknowledged."""
        return self._window.acknowledged

    def lag(self) -> int:
        """Events that are committed and not acknowledged."""
        return max(0, self._bulletin.head - self.cursor)

    def describe(self, *, lag_seconds: float) -> SinkState:
        """How far delivery has come."""
        return SinkState(
            name=self._sink.name,
            target=self._sink.target,
            state=self._state,
            acknowledges=self._sink.acknowledge == "ping",
            cursor=self.cursor,
            sent_cursor=self._window.sent,
            lag_events=self.lag(),
            lag_seconds=lag_seconds,
            sent=self._sent_events,
            acknowledged=self._acknowledged_events,
            reconnects=max(0, self._connections - 1),
            last_error=self._last_error,
        )

    async def run(self) -> None:
        """Deliver until told to stop."""
        failures = 0
        while self._state != "stopped":
            try:
                connection = await self._transport.open(self._sink)
            except OSError as error:
                failures += 1
                self._turn("failed", error)
                await self._pause(failures)
                continue
            self._turn("opened")
            self._connections += 1
            self._observer.reconnected(self._sink.name)
            before = self.cursor
            try:
                await self._deliver(connection)
            except (OSError, SinkLostError, StoreFailedError) as error:
                # A peer that takes connections and never answers must not be hammered either.
                failures = 1 if self.cursor > before else failures + 1
                self._shrink(failures)
                self._turn("lost", error)
                await self._pause(failures)
            except Exception as error:  # noqa: BLE001
                # A defect of ours, logged as one; delivery goes on for ever all the same.
                _log.exception("courier_failed", sink=self._sink.name)
                failures += 1
                self._turn("lost", error)
                await self._pause(failures)
            else:
                self._turn("stop")
            finally:
                await connection.close()
                await self._save()

    def stop(self) -> None:
        """End soon: what is under way gets a moment for its pongs."""
        self._stop.set()
        self._news.set()
        self._room.set()

    def _turn(self, happening: Happening, error: BaseException | None = None) -> None:
        self._state = following(self._state, happening)
        if error is not None:
            self._last_error = str(error) or type(error).__name__
            _log.warning("sink_" + happening, sink=self._sink.name, error=self._last_error)
        else:
            _log.info("sink_" + self._state, sink=self._sink.name, target=self._sink.target)

    def _shrink(self, failures: int) -> None:
        """On a way that breaks before a whole batch is through, smaller ones still get there."""
        if failures > 1:
            self._batch_events = max(1, self._batch_events // 4)

    async def _pause(self, failures: int) -> None:
        seconds = self._backoff.wait(failures, self._uniform)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        self._turn("stop" if self._stop.is_set() else "waited")

    async def _deliver(self, connection: Connection) -> None:
        """Send and listen until told to stop; raises OSError or SinkLostError."""
        self._window = Window(cursor=self.cursor, limit=self._pace.window_batches)
        listening = asyncio.create_task(self._listen(connection))
        sending = asyncio.create_task(self._send(connection))
        try:
            done, _ = await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (listening, sending):
                task.cancel()
            await asyncio.gather(listening, sending, return_exceptions=True)

    async def _send(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        pace, window = self._pace, self._window
        last_ping = loop.time() - pace.keepalive_seconds
        while not self._stop.is_set():
            self._news.clear()
            self._room.clear()
            now = loop.time()
            if window.waited(now) > pace.pong_seconds:
                raise SinkLostError(f"no pong within {pace.pong_seconds:g} s")
            batch: list[Dispatch] = []
            if window.is_open and self._bulletin.head > window.sent:
                batch = await asyncio.to_thread(self._source.after, window.sent, self._batch_events)
            if batch or (window.is_settled and now - last_ping >= pace.keepalive_seconds):
                last_ping = now
                await self._send_batch(connection, batch)
                continue
            await self._wait_for_work(
                last_ping + pace.keepalive_seconds - now
                if window.is_settled
                else pace.pong_seconds - window.waited(now)
            )
        await self._farewell()

    async def _send_batch(self, connection: Connection, batch: list[Dispatch]) -> None:
        window = self._window
        data = b"".join(each.xml.encode() for each in batch) + ping(self._identity, self._clock())
        sequence = batch[-1].sequence if batch else window.sent
        # Before sending: the pong may be here before `send` returns.
        window.batch(sequence=sequence, events=len(batch), now=asyncio.get_running_loop().time())
        async with asyncio.timeout(self._pace.pong_seconds):
            await connection.send(data)
        self._sent_events += len(batch)
        self._observer.sent(self._sink.name, len(batch))
        if self._sink.acknowledge == "send":
            self._settle()
            await self._save()

    async def _wait_for_work(self, seconds: float) -> None:
        """Until there is news, room in the window, or the time is up."""
        waiting = [
            asyncio.create_task(event.wait())
            for event in ((self._news, self._room) if self._window.is_open else (self._room,))
        ]
        try:
            await asyncio.wait(
                waiting,
                timeout=max(seconds, _SHORTEST_WAIT_SECONDS),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for task in waiting:
                task.cancel()

    async def _listen(self, connection: Connection) -> None:
        async for event in connection.received():
            if is_pong(event):
                # Where sending settles a batch, a pong would settle the one that is being sent.
                if self._sink.acknowledge == "ping":
                    self._settle()
                    await self._save()
            elif is_ping(event):
                await connection.send(pong(self._clock()))
        raise SinkLostError("the peer closed the connection")

    def _settle(self) -> None:
        events = self._window.pong()
        self._acknowledged_events += events
        self._last_error = None
        if events:
            self._batch_events = min(self._pace.batch_events, 2 * self._batch_events)
            self._observer.acknowledged(self._sink.name, events)
        self._room.set()

    async def _save(self) -> None:
        """Bring the stored cursor up to what was acknowledged."""
        if self._window.acknowledged > self._saved:
            sequence = self._window.acknowledged
            try:
                await asyncio.to_thread(self._source.move_cursor, self._sink.name, sequence)
            except StoreFailedError as error:
                # Saved with the next pong; a restart before that only sends these events again.
                _log.error("cursor_not_saved", sink=self._sink.name, error=str(error))
                return
            self._saved = sequence

    async def _farewell(self) -> None:
        """Before closing: a moment for the pongs that are still under way."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._pace.farewell_seconds
        while not self._window.is_settled and loop.time() < deadline:
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(deadline - loop.time()):
                    await self._room.wait()
