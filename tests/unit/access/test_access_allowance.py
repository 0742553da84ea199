"""How often somebody may: no more than the rate and the burst allow, and no less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access import Allowance


@given(
    st.floats(0.1, 50.0),
    st.integers(1, 20),
    st.lists(st.floats(0.0, 3.0), min_size=1, max_size=80),
)
def test_never_more_than_burst_and_rate_and_waiting_helps(
    rate: float, burst: int, pauses: list[float]
) -> None:
    allowance = Allowance(rate=rate, burst=burst)
    now = granted = 0.0
    for pause in pauses:
        now += pause
        wait = allowance.take("a", now=now)
        if wait == 0.0:
            granted += 1
        else:
            now += wait + 1e-6
            assert allowance.take("a", now=now) == 0.0
            granted += 1
        assert granted <= burst + rate * now + 1e-6


def test_clients_do_not_share() -> None:
    allowance = Allowance(rate=1.0, burst=1)
    assert allowance.take("a", now=0.0) == 0.0
    assert allowance.take("a", now=0.0) == pytest.approx(1.0)
    assert allowance.take("b", now=0.0) == 0.0


def test_however_many_clients_come_the_memory_is_bounded() -> None:
    allowance = Allowance(rate=1.0, burst=1, most_clients=10)
    for number in range(1000):
        allowance.take(str(number), now=0.0)
    assert len(allowance._buckets) == 10
    # The latest are the ones that are remembered.
    assert allowance.take("999", now=0.0) > 0
