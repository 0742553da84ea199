"""One connection's life: batches out, pongs in, until it breaks or is no longer wanted."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from cop_gateway.cot import Stamp, is_ping, is_pong, ping, pong, stamp
from cop_gateway.delivery.agenda import Agenda, bury
from cop_gateway.delivery.bulletin import Bulletin
from cop_gateway.delivery.delays import delays
from cop_gateway.delivery.errors import SinkLostError, UnsendableError
from cop_gateway.delivery.policy import Policy
from cop_gateway.delivery.ports import Connection
from cop_gateway.delivery.selection import DEAD, FILTERED, STALE, SUPERSEDED
from cop_gateway.delivery.settlements import Settlements
from cop_gateway.delivery.standing import Observer, Standing, Storage
from cop_gateway.delivery.window import Batch, Window
from cop_gateway.outbox.record import Delivery

_SHORTEST_WAIT_SECONDS = 0.01
_MOST_PONGS = 16
"""Answered at once: a peer that asks more often gets no more."""


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
        self._agenda = Agenda(
            policy=policy, standing=standing, storage=storage, bulletin=bulletin, clock=clock
        )
        self._observer = observer
        self._clock = clock
        self._stop = stop
        self._news = news
        self._room = asyncio.Event()
        self._settlements = Settlements(sink=policy.name, storage=storage)
        self._owed: deque[Stamp | None] = deque()
        """Pings that were given up: what answers them settles nothing any more."""
        self._asked = 0
        """Pings of the peer that wait for our pong."""
        self._heard = asyncio.Event()
        """The peer has said something."""
        self._answered = False
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
            self._standing.mute = not self._answered
            await self._settlements.save()

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        pace, window = self._policy.pace, self.window
        await self._greet()
        await self._wait_for_a_word()
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
            await self._answer()
            if now >= next_presence and (window.is_settled or not self._standing.echoes):
                next_presence = now + pace.presence_seconds
                await self._greet()
            sent = 0
            alone = self._is_careful or self._standing.echoes
            if now >= next_batch and window.is_open(1 if alone else None):
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
        if self._policy.presence is None:
            return
        event = self._policy.presence(self._clock())
        if self._standing.echoes and not self._standing.by_send:
            now = asyncio.get_running_loop().time()
            await self._transmit([event], Batch(at=now, sent_at=self._clock()))
        else:
            await self._put([event])

    async def _wait_for_a_word(self) -> None:
        """A moment for the peer to take our presence in, where it may need one.

        FreeTAKServer drops all that comes with the first event, or the connection.
        """
        standing, policy = self._standing, self._policy
        unproven = policy.acknowledge != "ping" and not standing.ponged
        if policy.presence is None or not (standing.mute or unproven):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(policy.pace.greeting_seconds):
                await self._heard.wait()

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
        while (batch := self._settle(acknowledged=False)) is not None:
            self._owed.append(batch.stamp)
        await self._settlements.save()

    async def _send_next(self) -> int:
        """Send what comes next, recalled dead letters first; how many events that was about."""
        recalled, selection = await self._agenda.next(
            after=self.window.sent,
            limit=self._batch_limit(),
            reviving=frozenset(self._settlements.reviving),
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
        self._settlements.reviving.update(there)
        try:
            await self._transmit([self._policy.transform.apply(e.xml) for e in events], batch)
        except UnsendableError as error:
            self.window.retract()
            self._settlements.reviving.difference_update(there)
            await self._bury(there[error.index], str(error))
        return len(events)

    def _batch_limit(self) -> int:
        if self._standing.echoes:
            return 1
        rate, most = self._policy.pace.events_per_second, self._standing.suspicion.batch_events
        return most if rate is None else max(1, min(most, int(rate)))

    async def _bury(self, sequence: int, reason: str) -> None:
        await bury(
            sequence, reason, sink=self._policy.name, storage=self._storage,
            standing=self._standing, observer=self._observer,
        )  # fmt: skip

    async def _transmit(self, events: list[str], batch: Batch) -> None:
        """Send events and, where it moves the cursor, a ping behind them."""
        standing = self._standing
        by_send = standing.by_send
        asked: list[str] = []
        if not by_send:
            question = ping(self._policy.identity, self._clock())
            asked, batch = [question.decode()], replace(batch, stamp=stamp(question))
        # Before sending: the pong may be here before `send` returns.
        self.window.add(batch)
        if standing.echoes and events and asked:
            # Each in a segment of its own, which is then read whole.
            await self._put(events)
            await self._put(asked)
        elif events or asked:
            await self._put([*events, *asked])
        standing.sent += batch.events
        repeated = batch.repeated(standing.reached)
        standing.reached = max(standing.reached, self.window.sent)
        self._observer.sent(self._policy.name, batch.events, repeated)
        if by_send:
            self._settle(acknowledged=False)
            await self._settlements.save()

    async def _put(self, events: list[str]) -> None:
        seconds = self._policy.pace.pong_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._connection.send(events)
        except TimeoutError as error:
            raise SinkLostError(f"nothing could be sent for {seconds:g} s") from error

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
            self._heard.set()
            if is_pong(event):
                await self._ponged()
            elif is_ping(event) and not await self._echoed(stamp(event)):
                # Not from here: who waits to write does not read, and the peer may do the same.
                self._asked = min(self._asked + 1, _MOST_PONGS)
                self._room.set()
        raise SinkLostError("the peer closed the connection")

    async def _answer(self) -> None:
        """Pong the peer's pings."""
        asked, self._asked = self._asked, 0
        if asked and not self._standing.echoes:
            await self._put([pong(self._clock()).decode()] * asked)

    async def _ponged(self) -> None:
        """A pong settles the oldest ping, if we have sent one that is still waiting for it."""
        if self._policy.acknowledge == "send" or self._standing.echoes:
            # Of a peer that sends our pings back, pongs are somebody else's.
            return
        self._has_answered()
        if self._owed:
            self._owed.popleft()
            return
        self._settle(acknowledged=True)
        await self._settlements.save()

    async def _echoed(self, question: Stamp | None) -> bool:
        """Whether that ping is ours, come back: it settles itself and all before.

        The servers that do so lose what a read cuts in two behind a whole event, and answer all the
        same: nothing may be under way but one event and its ping.
        """
        if question is None or self._policy.acknowledge == "send":
            return False
        settled = self.window.until(question)
        if not settled and question not in self._owed:
            return False
        self._has_answered()
        if not self._standing.echoes:
            self._standing.echoes = True
            if not self.window.is_empty:
                raise SinkLostError("the peer sends pings back: from now on, one event at a time")
        for _ in range(settled):
            self._settle(acknowledged=True)
        await self._settlements.save()
        return True

    def _has_answered(self) -> None:
        """A peer that answers after all is held to it from now on."""
        self._answered = self._standing.ponged = True
        self._standing.by_send = False

    def _settle(self, *, acknowledged: bool) -> Batch | None:
        """The oldest batch under way has arrived, as far as we will ever know."""
        batch = self.window.settle()
        if batch is None:
            return None
        standing, now = self._standing, self._clock()
        standing.last_error = None
        standing.cursor = self.window.acknowledged
        standing.acknowledged += batch.events
        if batch.events:
            standing.suspicion.passed()
            seconds = (now - batch.sent_at).total_seconds()
            chosen = batch.selection.chosen if batch.selection else ()
            self._observer.acknowledged(
                self._policy.name, batch.events, seconds, delays(chosen, now=now)
            )
        delivery = None
        if batch.selection is not None:
            standing.dead -= set(batch.selection.skipped.get(DEAD, ()))
            if batch.selection.skipped:
                self._observer.skipped(
                    self._policy.name,
                    filtered=batch.selection.count(FILTERED),
                    outdated=batch.selection.count(STALE, SUPERSEDED),
                )
            delivery = Delivery(
                first=batch.selection.first,
                last=batch.selection.last,
                sent_at=batch.sent_at,
                settled_at=now,
                acknowledged=acknowledged,
                skipped=batch.selection.skipped,
            )
        self._settlements.add(delivery, batch.revived)
        self._room.set()
        return batch

    async def _farewell(self) -> None:
        """Before closing: a moment for the pongs that are still under way."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._policy.pace.farewell_seconds
        while not self.window.is_settled and loop.time() < deadline:
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(deadline - loop.time()):
                    await self._room.wait()
