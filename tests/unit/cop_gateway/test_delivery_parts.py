"""The parts of delivery that know no sockets: window, back-off, states, bulletin, addresses."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_gateway.delivery import Backoff, Bulletin, SinkAddressError
from cop_gateway.delivery.selection import Selection
from cop_gateway.delivery.states import TRANSITIONS, Happening, State, following
from cop_gateway.delivery.window import Batch, Window
from cop_gateway.outbox.record import Dispatch
from cop_gateway.settings import Settings, SinkSettings
from cop_gateway.sinks import transport_of

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)


def send(window: Window, *, sequence: int, events: int, now: float) -> None:
    """A batch of so many events that ends there; without any, a ping alone."""
    selection = None
    if events or sequence != window.sent:
        chosen = tuple(
            Dispatch(sequence=sequence - i, committed_at=NOW, xml="") for i in range(events)
        )
        first = sequence - max(events, 1) + 1
        selection = Selection(first=first, last=sequence, chosen=chosen)
    window.add(Batch(at=now, sent_at=NOW, selection=selection))


def pong(window: Window) -> int:
    """A pong comes: how many events it settles."""
    batch = window.settle()
    return 0 if batch is None else batch.events


# Window.


def test_a_pong_settles_its_own_batch_and_no_later_one():
    window = Window(cursor=10, limit=8)
    send(window, sequence=12, events=2, now=0.0)
    send(window, sequence=17, events=5, now=1.0)
    assert (window.sent, window.acknowledged) == (17, 10)
    assert pong(window) == 2
    assert window.acknowledged == 12
    assert not window.is_settled
    assert pong(window) == 5
    assert window.acknowledged == 17
    assert window.is_settled


def test_a_pong_that_nobody_asked_for_settles_nothing():
    window = Window(cursor=10, limit=8)
    assert pong(window) == 0
    send(window, sequence=12, events=2, now=0.0)
    pong(window)
    assert pong(window) == 0
    assert window.acknowledged == 12


def test_a_ping_alone_moves_no_cursor():
    window = Window(cursor=10, limit=8)
    send(window, sequence=10, events=0, now=0.0)
    assert not window.is_settled
    assert pong(window) == 0
    assert window.acknowledged == 10
    assert window.is_settled


def test_no_more_batches_than_the_limit_are_on_their_way():
    window = Window(cursor=0, limit=2)
    for sequence in (1, 2):
        assert window.is_open()
        send(window, sequence=sequence, events=1, now=0.0)
    assert not window.is_open()
    pong(window)
    assert window.is_open()


def test_sequences_never_go_back():
    window = Window(cursor=10, limit=8)
    with pytest.raises(ValueError, match="9 goes back behind 10"):
        send(window, sequence=9, events=1, now=0.0)


def test_it_is_the_oldest_ping_that_has_waited():
    window = Window(cursor=0, limit=8)
    assert window.waited(100.0) == 0.0
    send(window, sequence=1, events=1, now=100.0)
    send(window, sequence=2, events=1, now=107.0)
    assert window.waited(109.0) == pytest.approx(9.0)
    pong(window)
    assert window.waited(109.0) == pytest.approx(2.0)


@given(st.lists(st.one_of(st.integers(0, 5), st.none()), max_size=60))
def test_the_cursor_is_the_end_of_the_last_batch_that_was_answered(steps):
    """A number is a batch of so many events, None a pong: against a plain list of batches."""
    window, waiting, sent, settled, total = Window(cursor=0, limit=4), deque(), 0, 0, 0
    for step in steps:
        if step is None:
            if waiting:
                settled, events = waiting.popleft()
                total += events
                assert pong(window) == events
            else:
                assert pong(window) == 0
        else:
            sent += step
            waiting.append((sent, step))
            send(window, sequence=sent, events=step, now=0.0)
        assert (window.sent, window.acknowledged) == (sent, settled)
        assert window.is_settled == (not waiting)
        assert window.is_open() == (len(waiting) < 4)
    assert window.acknowledged == total


# Back-off.


@given(
    st.integers(1, 100_000),
    st.floats(0, 1),
    st.floats(0.05, 10),
    st.floats(10, 3600),
)
def test_a_wait_is_within_its_bounds_however_often_it_failed(failures, draw, first, most):
    backoff = Backoff(first=first, most=most)
    assert backoff.least <= backoff.wait(failures, lambda: draw) <= most
    assert backoff.wait(failures, lambda: 1.0) <= backoff.wait(failures + 1, lambda: 1.0)


def test_waits_double_up_to_the_limit():
    backoff = Backoff(first=0.5, most=15.0)
    longest = [backoff.wait(n, lambda: 1.0) for n in range(1, 8)]
    assert longest == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_the_jitter_is_full():
    """Many sinks that were lost together must not come back together."""
    backoff = Backoff(first=0.5, most=15.0)
    assert backoff.wait(5, lambda: 0.25) == pytest.approx(2.0)
    assert backoff.wait(5, lambda: 0.0) == backoff.least > 0


# States.


def test_every_state_is_reached_from_the_first():
    reached: set[str] = {"standby"}
    while True:
        more = {to for (state, _), to in TRANSITIONS.items() if state in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(get_args(State))


def test_the_table_holds_whatever_can_happen_in_each_state():
    ended = {"stop", "pause", "taken"}
    can_happen = {
        "standby": {"held", *ended},
        "connecting": {"opened", "failed", "broke", *ended},
        "connected": {"lost", "broke", *ended},
        "backing_off": {"waited", *ended},
        "broken": {"waited", *ended},
        "paused": {"resume", "pause", "stop"},
        "stopped": {"stop"},
    }
    assert can_happen.keys() == set(get_args(State))
    assert {state: {h for s, h in TRANSITIONS if s == state} for state in can_happen} == can_happen
    assert {happening for _, happening in TRANSITIONS} == set(get_args(Happening))


def test_every_state_but_the_last_can_be_stopped_and_the_last_is_never_left():
    for state in get_args(State):
        assert following(state, "stop") == "stopped"
    assert {to for (state, _), to in TRANSITIONS.items() if state == "stopped"} == {"stopped"}


def test_a_lost_sink_is_not_connected_to_again_without_a_wait():
    for state, happening in (("connecting", "failed"), ("connected", "lost")):
        assert following(state, happening) == "backing_off"
    assert following("backing_off", "waited") == "connecting"


@pytest.mark.parametrize(
    ("state", "happening"),
    [("connecting", "lost"), ("connected", "opened"), ("backing_off", "lost"),
     ("stopped", "opened"), ("stopped", "waited")],
)  # fmt: skip
def test_what_cannot_happen_is_an_error(state, happening):
    with pytest.raises(KeyError):
        following(state, happening)


# Bulletin.


async def test_an_announcement_wakes_everyone_who_subscribed():
    bulletin = Bulletin(5)
    first, second = bulletin.subscribe(), bulletin.subscribe()
    waiting = [asyncio.create_task(each.wait()) for each in (first, second)]
    bulletin.announce(6)
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
    assert bulletin.head == 6
    first.clear()
    bulletin.announce(7)
    assert first.is_set()


@pytest.mark.parametrize("head", [5, 4, 0])
async def test_what_is_no_news_wakes_nobody_and_never_goes_back(head):
    bulletin = Bulletin(5)
    woken = bulletin.subscribe()
    bulletin.announce(head)
    assert bulletin.head == 5
    assert not woken.is_set()


# Addresses.


def address(url: str) -> str:
    """The way to a sink of that address, as it is shown."""
    settings = Settings(database="sqlite:///x.db", ground_height_m=0.0)
    return transport_of(SinkSettings(name="north", url=url), settings).target


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("tcp://127.0.0.1:8087", "tcp://127.0.0.1:8087"),
        ("tcp://tak.example.org:1/", "tcp://tak.example.org:1"),
        ("tcp://[::1]:8087", "tcp://[::1]:8087"),
        ("TCP://tak:65535", "tcp://tak:65535"),
        ("tcp://bücher.example:8087", "tcp://bücher.example:8087"),
        ("udp://239.2.3.1:6969", "udp://239.2.3.1:6969"),
    ],
)
def test_an_address_is_read(url, target):
    assert address(url) == target
    assert address(target) == target


@pytest.mark.parametrize(
    "url",
    ["", "tak:8087", "http://tak:8087", "tcp://tak", "tcp://:8087", "tcp://tak:x",
     "tcp://tak:65536", "tcp://tak:0", "tcp://tak:8087/path", "tcp://[::1:8087",
     "tcp://tak..example:8087", f"tcp://{'a' * 64}.example:8087"],
)  # fmt: skip
def test_an_address_that_can_never_work_is_refused_with_the_sinks_name(url):
    """At the start: a courier would try for ever."""
    with pytest.raises(SinkAddressError, match=r"^sink north: ") as caught:
        address(url)
    assert repr(url) in str(caught.value)
