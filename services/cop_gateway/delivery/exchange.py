"""One connection's life: batches out, pongs in, until it breaks or is no longer wanted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

import structlog

from cop_gateway.cot import is_ping, is_pong, ping, pong
from cop_gateway.delivery.bulletin import Bulletin
from cop_gateway.delivery.errors import SinkLostError, UnsendableError
from cop_gateway.delivery.policy import Policy
from cop_gateway.delivery.ports import Connection
from cop_gateway.delivery.selection import DEAD, Selection, select
from cop_gateway.delivery.standing import Observer, Standing, Storage
from cop_gateway.delivery.window import Batch, Window
from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.outbox.record import Delivery

_log = structlog.get_logger(__name__)

_SHORTEST_WAIT_SECONDS = 0.01


class Exchange:
    """`run` returns when told to stop; raises OSError, SinkLostError or an error of the store."""

    def __init__(
        self,
        connection: Connection,
        *,
        policy: Policy,
        standing: Standing,
        storage: Storage,
        bulletin: Bulletin,
        observer: Observer,
        clock: Callable[[], datetime],
        stop: asyncio.Event,
        news: asyncio.Event,
    ) -> None:
        self._connection = connection
        self._policy = policy
        self._standing = standing
        self._storage = storage
        self._bulletin = bulletin
        self._observer = observer
        self._clock = clock
        self._stop = stop
        self._news = news
        self._room = asyncio.Event()
        self._settled: list[Delivery] = []
        self._revived: list[int] = []
        self._reviving: set[int] = set()
        """Dead letters that are on their way again."""
        self._owed = 0
        """Pongs to pings that were given up: they settle nothing any more."""
        self._saving = asyncio.Lock()
        self.window = Window(cursor=standing.cursor, limit=policy.pace.window_batches)

    async def run(self) -> None:
        """Send and listen."""
        listening = asyncio.create_task(self._listen())
        sending = asyncio.create_task(self._send())
        try:
            done, _ = await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (listening, sending):
                task.cancel()
            await asyncio.gather(listening, sending, return_exceptions=True)
            await self._save()

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        pace, window = self._policy.pace, self.window
        await self._greet()
        if self._is_careful:
            # Nothing goes out before the peer has shown that it lives.
            await self._transmit([], Batch(at=loop.time(), sent_at=self._clock()))
        next_presence, next_batch = loop.time() + pace.presence_seconds, 0.0
        last_ping = loop.time() - pace.keepalive_seconds
        while not self._stop.is_set():
            self._news.clear()
            self._room.clear()
            now = loop.time()
            await self._check_patience(now)
            if now >= next_presence:
                next_presence = now + pace.presence_seconds
                await self._greet()
            sent = 0
            if now >= next_batch and window.is_open(1 if self._is_careful else None):
                sent = await self._send_next()
            if sent:
                last_ping = now
                if pace.events_per_second is not None:
                    next_batch = now + sent / pace.events_per_second
            elif window.is_settled and now - last_ping >= pace.keepalive_seconds:
                last_ping = now
                await self._transmit([], Batch(at=now, sent_at=self._clock()))
            else:
                due = min(last_ping + pace.keepalive_seconds, next_presence)
                await self._wait_for_work(self._idle_seconds(now, due, next_batch))
        await self._farewell()

    @property
    def _is_careful(self) -> bool:
        return self._standing.suspicion.careful and not self._standing.by_send

    async def _greet(self) -> None:
        """Say who we are, so that we are listed."""
        if self._policy.presence is not None:
            await self._put([self._policy.presence(self._clock())])

    def _idle_seconds(self, now: float, due: float, next_batch: float) -> float:
        if not self.window.is_settled:
            due = now + self._policy.pace.pong_seconds - self.window.waited(now)
        return min(due, next_batch) - now if next_batch > now else due - now

    async def _check_patience(self, now: float) -> None:
        pace, standing = self._policy.pace, self._standing
        if standing.by_send or self.window.waited(now) <= pace.pong_seconds:
            return
        if self._policy.acknowledge != "auto" or standing.ponged:
            raise SinkLostError(f"no pong within {pace.pong_seconds:g} s")
        # It takes what it is sent and has never answered a ping: it is one that does not.
        standing.by_send = True
        while self._settle(acknowledged=False):
            self._owed += 1
        await self._save()

    async def _send_next(self) -> int:
        """Send what comes next, recalled dead letters first; how many events that was about."""
        recalled, selection = await asyncio.to_thread(
            self._look,
            self._batch_limit(),
            reviving=frozenset(self._reviving),
            dead=frozenset(self._standing.dead),
        )
        if recalled:
            return await self._send_recalled(recalled)
        if selection is None or self._stop.is_set():
            return 0
        if self._is_careful and selection.chosen:
            self._standing.suspicion.try_one(selection.chosen[0].sequence)
        now = asyncio.get_running_loop().time()
        events = [self._policy.transform.apply(each.xml) for each in selection.chosen]
        batch = Batch(at=now, sent_at=self._clock(), selection=selection)
        try:
            await self._transmit(events, batch)
        except UnsendableError as error:
            self.window.retract()
            await self._bury(selection.chosen[error.index].sequence, str(error))
        return max(1, batch.events)

    def _look(
        self, limit: int, *, reviving: frozenset[int], dead: frozenset[int]
    ) -> tuple[list[int], Selection | None]:
        """What storage has for us: dead letters to try again, else what comes next. Blocks."""
        recalled = self._storage.recalled(self._policy.name, limit)
        if recalled := [each for each in recalled if each not in reviving]:
            return recalled, None
        if self._bulletin.head <= self.window.sent:
            return [], None
        due = self._storage.after(self.window.sent, limit)
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

    async def _send_recalled(self, recalled: list[int]) -> int:
        events = await asyncio.to_thread(self._storage.these, recalled)
        there = tuple(each.sequence for each in events)
        gone = sorted(set(recalled) - set(there))
        if gone:
            # Too old to be kept: there is nothing left to deliver.
            await asyncio.to_thread(self._storage.revive, self._policy.name, gone)
        if not events:
            return len(gone)
        now = asyncio.get_running_loop().time()
        batch = Batch(at=now, sent_at=self._clock(), revived=there)
        self._reviving.update(there)
        try:
            await self._transmit([self._policy.transform.apply(e.xml) for e in events], batch)
        except UnsendableError as error:
            self.window.retract()
            self._reviving.difference_update(there)
            await self._bury(there[error.index], str(error))
        return len(events)

    def _batch_limit(self) -> int:
        rate, most = self._policy.pace.events_per_second, self._standing.suspicion.batch_events
        return most if rate is None else max(1, min(most, int(rate)))

    async def _bury(self, sequence: int, reason: str) -> None:
        await asyncio.to_thread(self._storage.bury, self._policy.name, sequence, reason)
        self._standing.dead.add(sequence)
        self._observer.buried(self._policy.name)

    async def _transmit(self, events: list[str], batch: Batch) -> None:
        """Send events and, where it moves the cursor, a ping behind them."""
        standing = self._standing
        by_send = standing.by_send
        if not by_send:
            events = [*events, ping(self._policy.identity, self._clock()).decode()]
        # Before sending: the pong may be here before `send` returns.
        self.window.add(batch)
        if events:
            await self._put(events)
        standing.sent += batch.events
        repeated = batch.repeated(standing.reached)
        standing.reached = max(standing.reached, self.window.sent)
        self._observer.sent(self._policy.name, batch.events, repeated)
        if by_send:
            self._settle(acknowledged=False)
            await self._save()

    async def _put(self, events: list[str]) -> None:
        async with asyncio.timeout(self._policy.pace.pong_seconds):
            await self._connection.send(events)

    async def _wait_for_work(self, seconds: float) -> None:
        """Until there is news, room in the window, or the time is up."""
        waiting = [asyncio.create_task(each.wait()) for each in (self._news, self._room)]
        try:
            await asyncio.wait(
                waiting,
                timeout=max(seconds, _SHORTEST_WAIT_SECONDS),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for task in waiting:
                task.cancel()

    async def _listen(self) -> None:
        async for event in self._connection.received():
            if is_pong(event):
                await self._ponged()
            elif is_ping(event):
                await self._connection.send([pong(self._clock()).decode()])
        raise SinkLostError("the peer closed the connection")

    async def _ponged(self) -> None:
        """A pong settles the oldest ping, if we have sent one that is still waiting for it."""
        if self._policy.acknowledge == "send":
            return
        self._standing.ponged = True
        # A peer that pongs after all is held to it from now on.
        self._standing.by_send = False
        if self._owed:
            self._owed -= 1
            return
        self._settle(acknowledged=True)
        await self._save()

    def _settle(self, *, acknowledged: bool) -> bool:
        """The oldest batch under way has arrived, as far as we will ever know."""
        batch = self.window.settle()
        if batch is None:
            return False
        standing, now = self._standing, self._clock()
        standing.last_error = None
        standing.cursor = self.window.acknowledged
        standing.acknowledged += batch.events
        if batch.events:
            standing.suspicion.passed()
            seconds = (now - batch.sent_at).total_seconds()
            self._observer.acknowledged(self._policy.name, batch.events, seconds)
        if batch.selection is not None:
            standing.dead -= set(batch.selection.skipped.get(DEAD, ()))
            self._settled.append(
                Delivery(
                    first=batch.selection.first,
                    last=batch.selection.last,
                    sent_at=batch.sent_at,
                    settled_at=now,
                    acknowledged=acknowledged,
                    skipped=batch.selection.skipped,
                )
            )
        self._revived += batch.revived
        self._room.set()
        return True

    async def _save(self) -> None:
        """Write down what was settled; whatever comes in meanwhile goes with the next writing.

        Forgotten only once it is written: a save that is cancelled is simply done again.
        """
        async with self._saving:
            settled, revived, name = list(self._settled), list(self._revived), self._policy.name
            try:
                if settled:
                    await asyncio.to_thread(self._storage.settle, name, settled)
                    del self._settled[: len(settled)]
                if revived:
                    await asyncio.to_thread(self._storage.revive, name, revived)
                    del self._revived[: len(revived)]
                    self._reviving.difference_update(revived)
            except StoreFailedError as error:
                # Saved with the next pong; a restart before that only sends these events again.
                _log.error("cursor_not_saved", sink=name, error=str(error))

    async def _farewell(self) -> None:
        """Before closing: a moment for the pongs that are still under way."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._policy.pace.farewell_seconds
        while not self.window.is_settled and loop.time() < deadline:
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(deadline - loop.time()):
                    await self._room.wait()
