"""Which of many like lines are written, and that their number can be made whole."""

from __future__ import annotations

import random

import pytest

from telemetry.sampling import Sampler, below
from telemetry.traces import generate


def trace_ids(count: int, seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    return [generate(random_hex=lambda n: draw.randbytes(n).hex()).trace_id for _ in range(count)]


def test_at_small_rates_every_line_is_written() -> None:
    sampler = Sampler(rate=100, every=100)
    for number, trace_id in enumerate(trace_ids(5_000)):
        assert sampler.take("a", trace_id=trace_id, now=number / 99) == 0


def test_beyond_the_rate_one_in_so_many_is_written_and_the_rest_counted() -> None:
    sampler = Sampler(rate=10, every=20)
    asked, seconds = 40_000, 20.0
    taken = [
        sampler.take("a", trace_id=trace_id, now=number * seconds / asked)
        for number, trace_id in enumerate(trace_ids(asked))
    ]
    written = [left_out for left_out in taken if left_out is not None]
    expected = 10 * seconds + 10 + (asked - 10 * seconds - 10) / 20
    assert len(written) == pytest.approx(expected, rel=0.1)
    # All but what was left out after the last line.
    tail = next(index for index, each in enumerate(reversed(taken)) if each is not None)
    assert len(written) + sum(written) == asked - tail


def test_the_same_frames_are_written_in_every_service() -> None:
    ids = trace_ids(5_000)
    kept = []
    for rate in (1.0, 3.0):
        sampler = Sampler(rate=rate, every=50)
        kept.append({each for each in ids if sampler.take("a", trace_id=each, now=0.0) is not None})
    drawn = {each for each in ids if below(each, 1 / 50)}
    assert 50 < len(drawn) < 150
    assert drawn <= kept[0] & kept[1]
    assert len(kept[0] - drawn) <= 1
    assert len(kept[1] - drawn) <= 3


def test_streams_do_not_share_their_rate() -> None:
    sampler = Sampler(rate=1, every=1_000_000_000)
    (trace_id,) = trace_ids(1)
    assert [sampler.take(("a", n), trace_id=trace_id, now=0.0) for n in range(5)] == [0] * 5
    assert sampler.take(("a", 1), trace_id=trace_id, now=0.0) is None
    assert sampler.take(("a", 1), trace_id=trace_id, now=1.0) == 1


def test_one_in_one_leaves_nothing_out() -> None:
    sampler = Sampler(rate=0.001, every=1)
    assert {sampler.take("a", trace_id=each, now=0.0) for each in trace_ids(1_000)} == {0}
    assert below("f" * 32, 1.0)
    assert not below("0" * 32, 0.0)
