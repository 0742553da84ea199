"""The waiting line: first come first served within a client, and fair between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.line import Line

CLIENTS = st.sampled_from("abc")
COSTS = st.floats(0.01, 10.0)


def names(line: Line[str]) -> list[str]:
    """Everybody, in the order of their turns."""
    found = []
    while (work := line.next()) is not None:
        found.append(work)
    return found


def test_one_client_is_served_in_the_order_of_arrival():
    line: Line[str] = Line()
    for work in ("one", "two", "three"):
        line.join("a", work, 1.0)
    assert names(line) == ["one", "two", "three"]


def test_clients_take_turns():
    line: Line[str] = Line()
    for number in range(4):
        line.join("a", f"a{number}", 1.0)
    for number in range(2):
        line.join("b", f"b{number}", 1.0)
    assert names(line) == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_turns_are_of_work_and_not_of_pieces():
    line: Line[str] = Line()
    for number in range(2):
        line.join("large", f"L{number}", 4.0)
    for number in range(6):
        line.join("small", f"s{number}", 1.0)
    # While the large one had four seconds, four small ones had one each.
    assert names(line) == ["L0", "s0", "s1", "s2", "s3", "L1", "s4", "s5"]


def test_who_comes_later_does_not_get_what_they_missed():
    line: Line[str] = Line()
    for number in range(8):
        line.join("a", f"a{number}", 1.0)
    assert [line.next() for _ in range(5)] == ["a0", "a1", "a2", "a3", "a4"]
    for number in range(3):
        line.join("b", f"b{number}", 1.0)
    assert names(line) == ["b0", "a5", "b1", "a6", "b2", "a7"]


def test_who_leaves_was_never_there():
    line: Line[str] = Line()
    for work in ("one", "two", "three"):
        line.join("a", work, 2.0)
    assert line.leave("a", "two")
    assert not line.leave("a", "two")
    assert not line.leave("b", "one")
    assert (len(line), line.seconds) == (2, pytest.approx(4.0))
    assert names(line) == ["one", "three"]


def test_a_full_line_has_room_for_who_has_less_than_others():
    line: Line[str] = Line()
    for number in range(3):
        line.join("a", f"a{number}", 1.0)
    line.join("b", "b0", 1.0)
    assert not line.yields("a")
    assert line.yields("b")
    assert line.yields("c")
    assert line.join("c", "c0", 1.0, evict=True) == "a2"
    # Now a and b would be no better than who would have to go.
    assert not line.yields("b")
    assert sorted(names(line)) == ["a0", "a1", "b0", "c0"]


@given(st.lists(st.tuples(CLIENTS, COSTS), max_size=40))
def test_everybody_is_served_once_and_in_their_own_order(arrivals):
    line: Line[tuple[str, int]] = Line()
    for number, (client, cost) in enumerate(arrivals):
        line.join(client, (client, number), cost)
    assert line.seconds == pytest.approx(sum(cost for _, cost in arrivals))
    served = names(line)
    assert sorted(number for _, number in served) == list(range(len(arrivals)))
    for client in "abc":
        own = [number for name, number in served if name == client]
        assert own == sorted(own)
    assert len(line) == 0
    assert line.seconds == 0.0


@given(st.lists(COSTS, min_size=1, max_size=30), st.lists(COSTS, min_size=1, max_size=30))
def test_while_two_wait_neither_gets_much_more_than_the_other(first, second):
    line: Line[tuple[str, float]] = Line()
    for client, costs in (("a", first), ("b", second)):
        for cost in costs:
            line.join(client, (client, cost), cost)
    given_ = {"a": 0.0, "b": 0.0}
    left = {"a": len(first), "b": len(second)}
    while left["a"] and left["b"]:
        client, cost = line.next()
        given_[client] += cost
        left[client] -= 1
        # Start-time fair queueing: apart by one piece of work of each at the most.
        assert abs(given_["a"] - given_["b"]) <= max(first) + max(second)


@given(st.lists(st.tuples(CLIENTS, COSTS), max_size=30), CLIENTS, COSTS)
def test_what_is_said_to_be_ahead_is_what_comes_before(arrivals, client, cost):
    line: Line[int] = Line()
    costs = dict(enumerate(cost for _, cost in arrivals))
    for number, (name, each) in enumerate(arrivals):
        line.join(name, number, each)
    ahead = line.ahead(client, cost)
    line.join(client, -1, cost)
    before = 0.0
    while (number := line.next()) != -1:
        before += costs[number]
    # One more piece of each other client may have begun.
    slack = sum(max([c for n, c in arrivals if n == each], default=0.0) for each in "abc")
    assert before <= ahead + slack + 1e-6
