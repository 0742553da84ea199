"""An image that is alone has all cores, as long as that is the quicker way."""

from __future__ import annotations

import pytest

from detection.models.pace import RETRY, Pace


def test_all_cores_are_taken_while_they_are_quicker():
    pace = Pace(narrow_seconds=0.08, wide_seconds=0.045)
    assert all(pace.widens() for _ in range(3 * RETRY))


def test_where_somebody_else_uses_them_they_are_left_alone_and_tried_now_and_then():
    pace = Pace(narrow_seconds=0.08, wide_seconds=0.045)
    while pace.widens():
        pace.took(0.16, wide=True)
    assert pace.wide_seconds > pace.narrow_seconds
    tries = [pace.widens() for _ in range(4 * RETRY)]
    assert sum(tries) == 4
    # Once they are free again, the tries tell.
    for _ in range(100 * RETRY):
        if pace.widens():
            pace.took(0.045, wide=True)
    assert all(pace.widens() for _ in range(RETRY))


def test_the_pace_follows_what_runs_take():
    pace = Pace(narrow_seconds=1.0)
    for _ in range(100):
        pace.took(0.1, wide=False)
    assert pace.seconds == pytest.approx(0.1, rel=0.01)
