"""One task per sink: takes hold of it, connects, delivers, and begins again, for ever.

A slow or dead sink holds up nobody else. Whatever breaks, delivery begins again after the last
event that was settled: at least once, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

import structlog

from cop_gateway.delivery.agenda import bury
from cop_gateway.delivery.bulletin import Bulletin
from cop_gateway.delivery.errors import DeliveryError
from cop_gateway.delivery.exchange import Exchange
from cop_gateway.delivery.policy import Policy
from cop_gateway.delivery.ports import Transport
from cop_gateway.delivery.standing import Observer, Standing, Storage
from cop_gateway.delivery.states import Happening, State, following
from cop_gateway.delivery.suspicion import Suspicion
from cop_gateway.outbox.errors import HoldLostError, StoreFailedError
from cop_gateway.outbox.record import Hold
from sightline.messages import SinkState
from telemetry.redaction import SECRETS

_log = structlog.get_logger(__name__)


class Courier:
    """`run` goes on until `stop`."""

    def __init__(
        self,
        *,
        policy: Policy,
        transport: Transport,
        storage: Storage,
        bulletin: Bulletin,
        observer: Observer,
        clock: Callable[[], datetime],
        uniform: Callable[[], float],
    ) -> None:
        self.policy = policy
        self.transport = transport
        self._storage = storage
        self._bulletin = bulletin
        self._observer = observer
        self._clock = clock
        self._uniform = uniform
        self._news = bulletin.subscribe()
        self._stopping = False
        self._end = asyncio.Event()
        """Ends what is under way: the process stops, an operator pauses, another takes over."""
        self._resumed = asyncio.Event()
        self.state: State = "standby"
        account = storage.account(policy.name)
        self._paused = account.paused
        self.holding = False
        """Whether nobody else may deliver now."""
        self._leaves = False
        """Whether it is to let go of the sink, for others."""
        self._connections = 0
        self._oldest: datetime | None = None
        self._exchange: Exchange | None = None
        self._standing = Standing(
            cursor=account.cursor,
            ponged=account.ponged,
            by_send=policy.acknowledge == "send",
            suspicion=Suspicion(strikes=policy.strikes, most=policy.pace.batch_events),
        )

    @property
    def name(self) -> str:
        """The sink's."""
        return self.policy.name

    @property
    def cursor(self) -> int:
        """The newest sequence that is settled, as far as this process knows."""
        return self._standing.cursor

    def lag(self) -> int:
        """Events that are committed and not settled."""
        return max(0, self._bulletin.head - self.cursor)

    def lag_seconds(self) -> float:
        """How long the oldest of them has been committed, as far as was last looked."""
        if self._oldest is None or not self.lag():
            return 0.0
        return max(0.0, (self._clock() - self._oldest).total_seconds())

    async def look(self) -> None:
        """Find out how old the oldest event is that is not settled. Raises StoreFailedError."""
        waiting = await asyncio.to_thread(self._storage.after, self.cursor, 1)
        self._oldest = waiting[0].committed_at if waiting else None

    def describe(self, *, dead_letters: int) -> SinkState:
        """How far delivery has come."""
        standing = self._standing
        return SinkState(
            name=self.name,
            target=self.transport.target,
            state=self.state,
            acknowledges=not standing.by_send,
            cursor=self.cursor,
            sent_cursor=self._exchange.window.sent if self._exchange else self.cursor,
            lag_events=self.lag(),
            lag_seconds=self.lag_seconds(),
            sent=standing.sent,
            acknowledged=standing.acknowledged,
            reconnects=max(0, self._connections - 1),
            dead_letters=dead_letters,
            certificate_expires_at=self.transport.expires_at,
            last_error=standing.last_error,
        )

    async def run(self) -> None:
        """Deliver until told to stop."""
        while not self._stopping:
            if self._paused:
                await self._wait_while_paused()
                continue
            self._end.clear()
            self._leaves = False
            hold = await self._take_hold()
            if hold is None:
                if self._wanted:
                    self._turn("taken")
                    await self._rest(self.policy.pace.hold_seconds)
                continue
            if self._wanted and not self._leaves:
                # Woken to look, while it was looking.
                self._end.clear()
            self._turn("held")
            self.holding = True
            try:
                await self._serve(hold)
            finally:
                await asyncio.to_thread(hold.release)
                self.holding = False
        self._turn("stop")

    def stop(self) -> None:
        """End soon: what is under way gets a moment for its pongs."""
        self._stopping = True
        self._wake()

    def pause(self) -> None:
        """Deliver nothing until `resume`."""
        self._paused = True
        self._wake()

    def resume(self) -> None:
        """Go on where it was paused."""
        self._paused = False
        self._resumed.set()

    def look_again(self, *, let_go: bool) -> None:
        """Who may deliver has changed: let go of the sink, or see whether it can be had."""
        if let_go or not self.holding:
            self._leaves = let_go
            self._wake()

    def nudge(self) -> None:
        """There may be something to do: a dead letter was recalled, say."""
        self._news.set()

    def _wake(self) -> None:
        self._end.set()
        self._news.set()
        self._resumed.set()

    @property
    def _wanted(self) -> bool:
        return not (self._stopping or self._paused)

    async def _take_hold(self) -> Hold | None:
        hold = None
        try:
            hold = await asyncio.to_thread(self._storage.hold, self.name)
            # Another process may have delivered meanwhile, or is delivering now.
            account = await asyncio.to_thread(self._storage.account, self.name)
        except StoreFailedError as error:
            self._standing.last_error = str(error)
            wanted = False
        else:
            self._standing.cursor, self._standing.ponged = account.cursor, account.ponged
            # Whichever process the operator asked.
            self._paused = self._paused or account.paused
            wanted = self._wanted
        if hold is not None and not wanted:
            await asyncio.to_thread(hold.release)
            return None
        if hold is not None:
            self._standing.by_send = self.policy.acknowledge == "send"
        return hold

    async def _serve(self, hold: Hold) -> None:
        """Connect and deliver until no longer wanted, or until the sink is another process's."""
        watching = asyncio.create_task(self._watch(hold))
        failures = 0
        try:
            while self._wanted and not (self._leaves or watching.done()):
                try:
                    connection = await self.transport.open()
                except (OSError, DeliveryError) as error:
                    failures += 1
                    await self._fail("failed", error, failures)
                    continue
                self._turn("opened")
                self._connections += 1
                self._observer.reconnected(self.name)
                before = self.cursor
                exchange = self._exchange = Exchange(
                    connection,
                    policy=self.policy,
                    standing=self._standing,
                    storage=self._storage,
                    bulletin=self._bulletin,
                    observer=self._observer,
                    clock=self._clock,
                    stop=self._end,
                    news=self._news,
                )
                try:
                    await exchange.run()
                except Exception as error:  # noqa: BLE001 - see _lost
                    failures = 1 if self.cursor > before else failures + 1
                    await self._lost(error, failures)
                finally:
                    self._exchange = None
                    await connection.close()
                if self._end.is_set():
                    break
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
        self._turn("stop" if self._stopping else "pause" if self._paused else "taken")

    async def _watch(self, hold: Hold) -> None:
        """Return when the hold is lost or the sink is paused, and end what is under way."""
        with contextlib.suppress(StoreFailedError):
            while await asyncio.to_thread(hold.alive):
                if (await asyncio.to_thread(self._storage.account, self.name)).paused:
                    self.pause()
                    return
                await asyncio.sleep(self.policy.pace.hold_seconds)
        _log.warning("sink_taken_over", sink=self.name)
        self._wake()

    async def _lost(self, error: Exception, failures: int) -> None:
        """A connection broke: who is to blame, and how long to wait."""
        if isinstance(error, HoldLostError):
            self._end.set()
            return
        if not isinstance(error, OSError | DeliveryError | StoreFailedError):
            # A defect of ours, logged as one; delivery goes on for ever all the same.
            _log.exception("courier_failed", sink=self.name, exc_info=error)
        if isinstance(error, OSError | DeliveryError):
            await self._judge(error)
        await self._fail("lost", error, failures)

    async def _judge(self, error: Exception) -> None:
        condemned = self._standing.suspicion.broke()
        if condemned is None:
            return
        reason = f"the connection broke on it {self.policy.strikes} times: {_words(error)}"
        try:
            await bury(
                condemned, reason, sink=self.name, storage=self._storage,
                standing=self._standing, observer=self._observer,
            )  # fmt: skip
        except StoreFailedError as failure:
            _log.error("dead_letter_not_stored", sink=self.name, error=str(failure))
            return
        _log.warning("dead_letter", sink=self.name, sequence=condemned, reason=reason)

    async def _fail(self, happening: Happening, error: Exception, failures: int) -> None:
        breaker = self.policy.breaker
        self._standing.last_error = _words(error)
        _log.warning("sink_" + happening, sink=self.name, error=_words(error), failures=failures)
        broken = failures >= breaker.failures
        self._turn("broke" if broken else happening)
        await self._rest(
            breaker.seconds if broken else self.policy.backoff.wait(failures, self._uniform)
        )
        if self._wanted and not self._end.is_set():
            self._turn("waited")

    async def _rest(self, seconds: float) -> None:
        if not self._wanted:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._end.wait()

    async def _wait_while_paused(self) -> None:
        self._turn("pause")
        while self._paused and not self._stopping:
            self._resumed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.policy.pace.hold_seconds):
                    await self._resumed.wait()
            await self._look_whether_paused()
        self._turn("stop" if self._stopping else "resume")

    async def _look_whether_paused(self) -> None:
        """Another gateway may have been told to go on."""
        if not self._stopping:
            with contextlib.suppress(StoreFailedError):
                account = await asyncio.to_thread(self._storage.account, self.name)
                self._paused = account.paused

    def _turn(self, happening: Happening) -> None:
        before, self.state = self.state, following(self.state, happening)
        if before != self.state:
            _log.info("sink_" + self.state, sink=self.name, target=self.transport.target)


def _words(error: BaseException) -> str:
    """For operators, who read it in the answer of a call as well."""
    return SECRETS.text(str(error)) or type(error).__name__
