"""How long events took: told once for each commit and each frame, whatever is in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cop_gateway.delivery.delays import delays
from cop_gateway.outbox.record import Dispatch

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)


def event(committed: float, captured: float | None, **more: Any) -> Dispatch:
    """So many seconds ago."""
    return Dispatch(
        sequence=1,
        committed_at=NOW - timedelta(seconds=committed),
        xml="",
        captured_at=None if captured is None else NOW - timedelta(seconds=captured),
        **more,
    )


def test_a_commit_and_a_frame_count_once_however_many_events_they_have():
    batch = [event(1, 3), event(1, 3), event(1, 4), event(0.5, 0.75)]
    told = delays(batch, now=NOW)
    assert sorted(told.commits) == [0.5, 1]
    assert sorted(told.frames) == [0.75, 3, 4]


def test_only_what_was_seen_tells_of_a_frame():
    """A camera's own position has its frame's time, and a retraction an operator's."""
    batch = [event(1, 9, kind="platform"), event(1, 8, kind="retraction"), event(1, 2)]
    assert delays(batch, now=NOW) == ((1,), (2,))
    assert delays([event(1, None)], now=NOW) == ((1,), ())


def test_a_clock_that_is_ahead_makes_no_negative_delay():
    assert delays([event(-3, -5)], now=NOW) == ((0,), (0,))


def test_nothing_took_no_time_at_all():
    assert delays([], now=NOW) == ((), ())
