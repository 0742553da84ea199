"""The courier against peers that do whatever peers do: in order, at least once, for ever."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from cop_gateway.delivery import Courier
from cop_gateway.delivery.policy import Breaker, Pace, Policy
from cop_gateway.delivery.selection import Filter
from fakes.delivery import (
    NOW,
    PING,
    PONG,
    FakeBackoff,
    FakeConnection,
    FakeHold,
    FakeObserver,
    FakeSource,
    FakeTransport,
    first_seen,
)

SECONDS = 10.0


class Delivery:
    """A courier with all its fakes."""

    def __init__(
        self,
        source: FakeSource,
        *ways: FakeConnection | BaseException,
        acknowledge: Any = "ping",
        backoff: float = 0.0,
        breaker: Breaker | None = None,
        policy: dict[str, Any] | None = None,
        **pace: Any,
    ) -> None:
        self.source = source
        self.transport = FakeTransport(*ways)
        self.observer = FakeObserver()
        self.backoff = FakeBackoff(backoff)
        self.courier = Courier(
            policy=Policy(
                name="tak",
                identity="us",
                acknowledge=acknowledge,
                backoff=self.backoff,  # type: ignore[arg-type]
                breaker=breaker or Breaker(failures=1_000),
                pace=Pace(**{"hold_seconds": 0.02, **pace}),
                **(policy or {}),
            ),
            transport=self.transport,
            storage=source,
            bulletin=source.bulletin,
            observer=self.observer,
            clock=lambda: NOW,
            uniform=lambda: 1.0,
        )
        self.running: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def under_way(self) -> AsyncIterator[Delivery]:
        self.running = asyncio.create_task(self.courier.run())
        try:
            yield self
        finally:
            self.courier.stop()
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                assert self.running is not None
                assert not self.running.done(), "the courier has ended"
                await asyncio.sleep(0.001)

    async def stopped(self) -> None:
        self.courier.stop()
        assert self.running is not None
        async with asyncio.timeout(SECONDS):
            await self.running

    @property
    def cursor(self) -> int:
        """The one that a restart would find."""
        return self.source.cursors["tak"]

    @property
    def told(self):
        return self.courier.describe(dead_letters=len(self.source.dead))


async def settle() -> None:
    """Let everything happen that can happen without a new cause."""
    for _ in range(50):
        await asyncio.sleep(0.001)


async def test_what_is_left_out_is_told_once_the_cursor_has_passed_it():
    source = FakeSource()
    old = NOW - timedelta(seconds=1)
    source.add(2, class_name="bird")
    source.add(3, class_name="car", stale_at=old)
    source.add(4, class_name="car", captured_at=NOW - timedelta(seconds=7))
    source.add(1, class_name="bird", stale_at=old)
    rules = {"wanted": Filter(classes=frozenset({"car"})), "stale_rule": "live_only"}
    peer = FakeConnection()
    async with Delivery(source, peer, policy=rules).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 10)
        told = delivery.observer
        assert peer.events == [6, 7, 8, 9]
        assert (told.filtered_events, told.outdated_events) == (3, 3)
        assert told.acknowledged_events == 4
        assert [each for each in told.delays if each.frames] == [((0.0,), (7.0,))]


async def test_everything_is_delivered_in_order_and_the_cursor_follows():
    peer = FakeConnection()
    async with Delivery(FakeSource(25), peer, batch_events=4).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 25)
        assert peer.events == list(range(1, 26))
        assert max(len(batch) for batch in peer.batches) <= 4
        assert delivery.courier.lag() == 0
        assert delivery.source.moves == sorted(set(delivery.source.moves))


async def test_what_is_committed_later_goes_out_at_once():
    peer = FakeConnection()
    async with Delivery(FakeSource(), peer, keepalive_seconds=600).under_way() as delivery:
        for count in (1, 2, 3):
            delivery.source.add(count)
            await delivery.until(lambda: delivery.courier.lag() == 0)
        assert peer.events == [1, 2, 3, 4, 5, 6]


async def test_it_begins_after_what_was_acknowledged_before():
    peer = FakeConnection()
    source = FakeSource(10, cursors={"tak": 7})
    async with Delivery(source, peer).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 10)
        assert peer.events == [8, 9, 10]


async def test_a_pong_settles_only_its_own_batch():
    peer = FakeConnection(pongs=False)
    async with Delivery(FakeSource(6), peer, batch_events=2).under_way() as delivery:
        await delivery.until(lambda: peer.events == [1, 2, 3, 4, 5, 6])
        assert delivery.cursor == 0
        for settled in (2, 4, 6):
            peer.say(PONG)
            await delivery.until(lambda settled=settled: delivery.cursor == settled)
            await settle()
            assert delivery.courier.cursor == settled
            assert delivery.told.acknowledged == delivery.observer.acknowledged_events == settled


async def test_no_more_goes_out_than_the_window_holds():
    peer = FakeConnection(pongs=False)
    made = Delivery(FakeSource(10), peer, batch_events=2, window_batches=2)
    async with made.under_way() as delivery:
        await delivery.until(lambda: len(peer.events) == 4)
        await settle()
        assert len(peer.events) == 4
        peer.say(PONG)
        await delivery.until(lambda: len(peer.events) == 6)
        assert delivery.told.sent_cursor == 6


async def test_after_a_broken_connection_all_that_was_not_acknowledged_comes_again():
    lost, found = FakeConnection(pongs=False), FakeConnection()
    made = Delivery(FakeSource(6), lost, found, batch_events=2)
    async with made.under_way() as delivery:
        await delivery.until(lambda: len(lost.events) == 6)
        lost.say(PONG)
        await delivery.until(lambda: delivery.cursor == 2)
        lost.hang_up()
        await delivery.until(lambda: delivery.cursor == 6)
        assert found.events == [3, 4, 5, 6]
        assert lost.closed
        assert first_seen([lost, found]) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "breaks",
    [
        lambda: FakeConnection(takes=0),
        lambda: FakeConnection(takes=1),
        lambda: ConnectionRefusedError("refused"),
        TimeoutError,
        lambda: OSError(113, "no route to host"),
        lambda: _saying(None),
        lambda: _saying(ConnectionResetError("reset")),
        lambda: _saying(ValueError("a defect of ours")),
    ],
    ids=["no room", "half a batch", "refused", "timeout", "no route", "closed", "reset", "defect"],
)
async def test_whatever_breaks_it_connects_again_and_nothing_is_lost(breaks):
    good = FakeConnection()
    made = Delivery(FakeSource(5), breaks(), breaks(), breaks(), good, batch_events=2)
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 5)
        assert good.events[-1] == 5
        assert good.events == sorted(good.events)
        assert delivery.transport.attempts == 4
        assert delivery.told.state == "connected"
        # Once something is acknowledged, the old trouble is no news any more.
        assert delivery.told.last_error is None


def _saying(last: BaseException | None) -> FakeConnection:
    peer = FakeConnection(pongs=False)
    if last is None:
        peer.hang_up()
    else:
        peer.fail(last)
    return peer


async def test_a_peer_that_never_pongs_is_left_with_growing_waits_and_nothing_counts():
    mute = [FakeConnection(pongs=False) for _ in range(4)]
    made = Delivery(FakeSource(3), *mute, pong_seconds=0.03, keepalive_seconds=600)
    async with made.under_way() as delivery:
        await delivery.until(lambda: len(delivery.backoff.failures) >= 4)
        assert delivery.backoff.failures[:4] == [1, 2, 3, 4]
        assert delivery.cursor == 0
        assert delivery.observer.acknowledged_events == 0
        assert delivery.courier.lag() == 3
        assert all(peer.closed for peer in mute)


async def test_no_pong_is_said_to_be_the_reason():
    made = Delivery(FakeSource(1), FakeConnection(pongs=False), backoff=60, pong_seconds=0.03)
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.told.state == "backing_off")
        assert "no pong within 0.03 s" in (delivery.told.last_error or "")


async def test_a_peer_that_takes_nothing_any_more_is_left():
    stuck, good = FakeConnection(), FakeConnection()
    stuck.room.clear()
    made = Delivery(FakeSource(2), stuck, good, pong_seconds=0.05)
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 2)
        assert stuck.closed
        assert good.events == [1, 2]


async def test_waits_are_short_again_after_something_got_through():
    good = FakeConnection()
    made = Delivery(FakeSource(1), OSError("a"), OSError("b"), good)
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 1)
        assert delivery.backoff.failures == [1, 2]
        good.hang_up()
        await delivery.until(lambda: len(delivery.backoff.failures) >= 4)
        assert delivery.backoff.failures[2:4] == [1, 2]


async def test_on_a_way_that_breaks_again_and_again_batches_shrink_until_they_get_through():
    """No connection takes more than three events at once; at full size none would ever arrive."""
    peers = [FakeConnection(takes=3) for _ in range(40)]
    made = Delivery(FakeSource(30), *peers, batch_events=64, window_batches=1)
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 30)
        assert first_seen(peers) == list(range(1, 31))


async def test_batches_grow_again_once_they_get_through():
    narrow = [FakeConnection(takes=1) for _ in range(4)]
    wide = FakeConnection()
    made = Delivery(FakeSource(200), *narrow, wide, batch_events=16, window_batches=1)
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 200)
        sizes = [len(batch) for batch in wide.batches]
        assert sizes[0] < max(sizes) == 16


async def test_a_peers_pings_are_answered_while_events_go_on():
    peer = FakeConnection()
    async with Delivery(FakeSource(1), peer).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 1)
        for _ in range(3):
            peer.say(PING)
        peer.say(b'<event uid="someone" type="a-f-G"></event>')
        await delivery.until(lambda: peer.pongs_received == 3)
        delivery.source.add(1)
        await delivery.until(lambda: delivery.cursor == 2)
        assert delivery.transport.attempts == 1


async def test_a_peer_that_goes_silent_is_noticed_without_any_event():
    silent = FakeConnection()
    made = Delivery(FakeSource(), silent, keepalive_seconds=0.02, pong_seconds=0.05)
    async with made.under_way() as delivery:
        await delivery.until(lambda: silent.pings >= 3)
        assert delivery.told.state == "connected"
        silent.pongs = False
        await delivery.until(lambda: silent.closed)


# A sink that cannot pong.


async def test_where_nobody_pongs_sending_moves_the_cursor():
    peer = FakeConnection(pongs=False)
    made = Delivery(FakeSource(5), peer, acknowledge="send", batch_events=2, pong_seconds=0.2)
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 5)
        assert peer.events == [1, 2, 3, 4, 5]
        assert delivery.told.acknowledges is False
        assert delivery.told.acknowledged == 5


async def test_there_a_pong_does_not_settle_what_is_still_being_sent():
    """The peer pongs all the same: the pong of one batch comes while the next is on its way."""
    peer, good = FakeConnection(pongs=False), FakeConnection(pongs=False)
    made = Delivery(FakeSource(1), peer, good, acknowledge="send")
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 1)
        peer.room.clear()
        delivery.source.add(1)
        await delivery.until(lambda: delivery.told.sent_cursor == 2)
        peer.say(PONG)
        await settle()
        assert delivery.cursor == 1
        peer.hang_up()
        await delivery.until(lambda: delivery.cursor == 2)
        assert good.events == [2]


# Storage that fails.


async def test_a_cursor_that_cannot_be_saved_is_saved_with_the_next_pong():
    peer = FakeConnection()
    source = FakeSource(1)
    source.failing_moves = 1
    async with Delivery(source, peer).under_way() as delivery:
        await delivery.until(lambda: source.failing_moves == 0)
        assert (delivery.courier.cursor, delivery.cursor) == (1, 0)
        source.add(1)
        await delivery.until(lambda: delivery.cursor == 2)
        assert peer.events == [1, 2]
        assert delivery.transport.attempts == 1


async def test_or_else_when_it_ends():
    source = FakeSource(1)
    source.failing_moves = 1
    async with Delivery(source, FakeConnection()).under_way() as delivery:
        await delivery.until(lambda: source.failing_moves == 0)
        await delivery.stopped()
        assert delivery.cursor == 1


async def test_a_store_that_cannot_be_read_is_asked_again():
    source = FakeSource(3)
    source.failing_reads = 2
    peers = [FakeConnection() for _ in range(3)]
    async with Delivery(source, *peers).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 3)
        assert first_seen(peers) == [1, 2, 3]


# Stopping.


async def test_stop_waits_for_the_pongs_that_are_under_way():
    peer = FakeConnection(pongs=False)
    made = Delivery(FakeSource(4), peer, batch_events=2, farewell_seconds=60)
    async with made.under_way() as delivery:
        await delivery.until(lambda: len(peer.events) == 4)
        delivery.courier.stop()
        await settle()
        assert not peer.closed
        peer.say(PONG)
        await settle()
        assert not peer.closed
        peer.say(PONG)
        async with asyncio.timeout(SECONDS):
            await delivery.running
        assert peer.closed
        assert delivery.cursor == 4
        assert delivery.told.state == "stopped"


async def test_stop_does_not_wait_for_ever():
    peer = FakeConnection(pongs=False)
    made = Delivery(FakeSource(1), peer, farewell_seconds=0.05)
    async with made.under_way() as delivery:
        await delivery.until(lambda: peer.events == [1])
        await delivery.stopped()
        assert peer.closed
        assert delivery.cursor == 0


async def test_stop_ends_an_idle_courier_and_one_that_backs_off():
    idle = Delivery(FakeSource(), FakeConnection(), keepalive_seconds=600)
    async with idle.under_way():
        await idle.until(lambda: idle.told.state == "connected")
        await idle.stopped()
    waiting = Delivery(FakeSource(1), OSError("refused"), backoff=600)
    async with waiting.under_way():
        await waiting.until(lambda: waiting.told.state == "backing_off")
        await waiting.stopped()
    assert idle.told.state == waiting.told.state == "stopped"


async def test_after_stop_nothing_new_is_sent():
    peer = FakeConnection(pongs=False)
    async with Delivery(FakeSource(1), peer, farewell_seconds=60).under_way() as delivery:
        await delivery.until(lambda: peer.events == [1])
        delivery.courier.stop()
        delivery.source.add(5)
        await settle()
        peer.say(PONG)
        async with asyncio.timeout(SECONDS):
            await delivery.running
        assert peer.events == [1]
        assert delivery.cursor == 1


# What operators see.


async def test_what_is_told_of_a_sink():
    refused, peer = OSError("refused"), FakeConnection(pongs=False)
    made = Delivery(FakeSource(3), refused, peer, batch_events=2, backoff=0.0)
    assert made.told.state == "standby"
    assert made.told.lag_events == 3
    async with made.under_way() as delivery:
        await delivery.until(lambda: len(peer.events) == 3)
        told = delivery.told
        assert (told.name, told.target) == ("tak", "tcp://tak.example:8087")
        assert (told.state, told.acknowledges) == ("connected", True)
        assert (told.cursor, told.sent_cursor, told.lag_events) == (0, 3, 3)
        assert (told.sent, told.acknowledged) == (3, 0)
        assert "refused" in (told.last_error or "")
        # The first connection is none that was made again.
        assert told.reconnects == 0
        assert delivery.observer.connections == 1
        assert delivery.observer.sent_events == 3


# Poison.


async def test_an_event_that_breaks_every_connection_is_buried_and_the_rest_arrive():
    peers = [FakeConnection(breaks_on=7) for _ in range(40)]
    made = Delivery(FakeSource(20), *peers, batch_events=16, window_batches=4)
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 20)
        assert sorted(first_seen(peers)) == [n for n in range(1, 21) if n != 7]
        assert list(delivery.source.dead) == [7]
        assert "reset by peer" in delivery.source.dead[7]
        assert delivery.observer.buried_events == 1
        (skipped,) = [each.skipped for each in delivery.source.deliveries if each.skipped]
        assert skipped == {"dead": (7,)}


async def test_a_peer_that_breaks_on_everything_condemns_nothing():
    peers = [_saying(None) for _ in range(30)]
    good = FakeConnection()
    async with Delivery(FakeSource(3), *peers, good).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 3)
        assert delivery.source.dead == {}


async def test_an_event_that_can_never_be_carried_is_buried_at_once():
    peer = FakeConnection(unsendable=3)
    async with Delivery(FakeSource(5), peer).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 5)
        assert peer.events == [1, 2, 4, 5]
        assert delivery.source.dead == {3: "too large"}
        assert delivery.transport.attempts == 1


async def test_a_dead_letter_that_is_recalled_is_sent_again_and_then_forgotten():
    peer = FakeConnection()
    source = FakeSource(5, cursors={"tak": 5})
    source.dead = {2: "poison"}
    async with Delivery(source, peer, keepalive_seconds=600).under_way() as delivery:
        await delivery.until(lambda: delivery.told.state == "connected")
        source.recalls = [2, 99]  # the second is too old to be kept
        delivery.courier.nudge()
        await delivery.until(lambda: not source.recalls)
        assert peer.events == [2]
        assert source.dead == {}
        assert delivery.cursor == 5


# Operators and other processes.


@pytest.mark.parametrize("here", [True, False], ids=["told here", "told at another process"])
async def test_paused_it_sends_nothing_and_goes_on_where_it_was(here):
    first, second = FakeConnection(), FakeConnection()
    async with Delivery(FakeSource(2), first, second).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 2)
        delivery.source.paused = True
        if here:
            delivery.courier.pause()
        await delivery.until(lambda: delivery.told.state == "paused")
        assert first.closed
        delivery.source.add(2)
        await settle()
        assert delivery.transport.attempts == 1
        delivery.source.paused = False
        if here:
            delivery.courier.resume()
        await delivery.until(lambda: delivery.cursor == 4)
        assert second.events == [3, 4]


async def test_while_another_process_holds_the_sink_it_waits_and_then_goes_on_from_there():
    peer = FakeConnection()
    source = FakeSource(4)
    source.others = True
    async with Delivery(source, peer).under_way() as delivery:
        await delivery.until(lambda: delivery.told.state == "standby")
        await settle()
        assert delivery.transport.attempts == 0
        source.cursors["tak"] = 3  # the other has delivered so much
        await delivery.until(lambda: delivery.courier.lag() == 1)
        source.others = False
        await delivery.until(lambda: delivery.cursor == 4)
        assert peer.events == [4]


async def test_how_long_the_oldest_has_waited():
    source = FakeSource(2)
    delivery = Delivery(source)
    source.bulletin.announce(2)
    delivery.courier._clock = lambda: NOW + timedelta(seconds=7)  # they were committed at NOW
    await delivery.courier.look()
    assert delivery.courier.lag_seconds() == 7.0
    source.cursors["tak"] = 2
    peer = FakeConnection()
    async with Delivery(source, peer).under_way() as done:
        await done.until(lambda: done.courier.lag() == 0)
        await done.courier.look()
        assert done.courier.lag_seconds() == 0.0


async def test_what_is_sent_again_is_counted_as_such():
    silent, peer = FakeConnection(pongs=False), FakeConnection()
    async with Delivery(FakeSource(3), silent, peer, pong_seconds=0.05).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 3)
        assert delivery.observer.sent_events == 6
        assert delivery.observer.repeated_events == 3


async def test_a_hold_that_is_lost_ends_the_connection_and_is_taken_again():
    first, second = FakeConnection(), FakeConnection()
    async with Delivery(FakeSource(1), first, second).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 1)
        delivery.source.holds[0].lost = True
        await delivery.until(lambda: len(delivery.source.holds) == 2)
        assert first.closed
        assert delivery.source.holds[0].released
        delivery.source.add(1)
        await delivery.until(lambda: delivery.cursor == 2)
        assert second.events == [2]


class TakenWhileLooking(FakeSource):
    """Tells the courier to look while it is looking: a colour is put on duty twice, say."""

    courier: Courier

    def hold(self, sink: str) -> FakeHold | None:
        self.courier.look_again(let_go=False)
        return super().hold(sink)


async def test_being_told_to_look_while_it_looks_changes_nothing():
    peer = FakeConnection()
    source = TakenWhileLooking(2)
    made = Delivery(source, peer)
    source.courier = made.courier
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 2)
        await settle()
        assert delivery.transport.attempts == 1
        assert delivery.told.state == "connected"


@pytest.mark.parametrize("let_go", [True, False])
async def test_told_to_look_again_and_again_at_any_time_it_goes_on_in_order(let_go):
    peers = [FakeConnection() for _ in range(200)]
    source = FakeSource(0)
    async with Delivery(source, *peers).under_way() as delivery:
        for count in range(1, 60):
            delivery.courier.look_again(let_go=let_go)
            if count % 3 == 0:
                source.add(1)
            await asyncio.sleep(0.001 * (count % 4))
        await delivery.until(lambda: delivery.cursor == 19)
        assert first_seen(peers) == list(range(1, 20))
        assert delivery.courier.holding
    assert not delivery.courier.holding


async def test_told_to_let_go_it_gives_the_sink_away_for_as_long_as_others_have_it():
    first, second = FakeConnection(), FakeConnection()
    source = FakeSource(1)
    async with Delivery(source, first, second).under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 1)
        source.others = True
        delivery.courier.look_again(let_go=True)
        await delivery.until(lambda: not delivery.courier.holding)
        assert source.holds[0].released
        assert first.closed
        await settle()
        assert delivery.told.state == "standby"
        source.add(1)
        source.others = False
        delivery.courier.look_again(let_go=False)
        await delivery.until(lambda: delivery.cursor == 2)
        assert second.events == [2]


async def test_after_many_failures_it_rests():
    made = Delivery(FakeSource(1), breaker=Breaker(failures=3, seconds=600))
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.told.state == "broken")
        assert delivery.transport.attempts == 3
        await delivery.stopped()


# A peer that may never pong.


async def test_auto_trusts_a_peer_that_has_never_ponged():
    peer = FakeConnection(pongs=False)
    made = Delivery(FakeSource(3), peer, acknowledge="auto", pong_seconds=0.05)
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 3)
        assert delivery.told.acknowledges is False
        assert delivery.transport.attempts == 1
        assert [each.acknowledged for each in delivery.source.deliveries] == [False]


async def test_auto_holds_a_peer_to_the_pongs_that_it_once_gave():
    source = FakeSource(1)
    source.ponged = True
    peers = [FakeConnection(pongs=False) for _ in range(3)]
    made = Delivery(source, *peers, acknowledge="auto", pong_seconds=0.03)
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.transport.attempts >= 3)
        assert delivery.cursor == 0


async def test_pongs_that_come_when_nobody_waits_for_them_any_more_settle_nothing():
    """Given up for one that never pongs, it pongs late: to pings before, not to the one after."""
    peer, again = FakeConnection(pongs=False), FakeConnection()
    made = Delivery(
        FakeSource(2), peer, again, acknowledge="auto", batch_events=1, pong_seconds=0.6,
        keepalive_seconds=600,
    )  # fmt: skip
    async with made.under_way() as delivery:
        await delivery.until(lambda: delivery.cursor == 2)
        given_up = peer.pings
        peer.say(PONG)
        await settle()
        assert delivery.told.acknowledges is True
        delivery.source.add(1)
        await delivery.until(lambda: peer.events == [1, 2, 3])
        for _ in range(given_up - 1):
            peer.say(PONG)
        await settle()
        assert delivery.courier.cursor == 2
        peer.say(PONG)
        await delivery.until(lambda: delivery.cursor == 3)
