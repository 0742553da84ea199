"""Percentiles and the running totals that the report is made of."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.demo.listener import Arrivals, Sighting
from sightline.demo.report import Report, milliseconds, percentile, rounded
from sightline.demo.scoring import Fix, FrameScore
from sightline.demo.tally import Tally
from sightline.messages import (
    Box,
    DetectedObject,
    DetectResult,
    GroundPosition,
    ImageSize,
    ModelReference,
    Placement,
    StageTimings,
    Unplaced,
)

NOTHING = FrameScore(wanted=0, found=0, right=0, wrong=0, fixes=())

numbers = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=200)


@given(numbers, st.floats(0.01, 1.0))
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(
    values: list[float], share: float
) -> None:
    value = percentile(values, share)
    assert value in values
    needed = math.ceil(share * len(values) - 1e-9)
    assert sum(each <= value for each in values) >= needed
    assert sum(each < value for each in values) < needed


def test_the_median_of_a_hundred_is_the_fiftieth() -> None:
    assert percentile(list(range(1, 101)), 0.50) == 50
    assert percentile(list(range(1, 101)), 0.95) == 95


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([], 0.5) is None
    assert milliseconds([]).p50 is None
    assert rounded(None, 2) is None


def test_durations_are_told_in_milliseconds() -> None:
    told = milliseconds([0.010, 0.020, 0.030])
    assert (told.p50, told.p99) == (20.0, 30.0)


def placed(index: int) -> DetectedObject:
    event = Placement(
        index=index,
        uid=f"track-{index}",
        cot_type="a-u-G",
        position=GroundPosition(latitude=47.0, longitude=8.0, hae=455.0),
        ce90_m=5.0,
        le90_m=1.0,
        flag="GREEN",
        tle_category=1,
    )
    return DetectedObject(class_name="car", confidence=0.9, box=Box(1, 1, 9, 9), event=event)


def unplaced(index: int) -> DetectedObject:
    event = Unplaced(index=index, reason="above_horizon", message="no ground there")
    return DetectedObject(class_name="car", confidence=0.9, box=Box(1, 1, 9, 9), event=event)


def answer(*detections: DetectedObject, frame: str = "000001") -> DetectResult:
    return DetectResult(
        frame_id=frame,
        camera_id="drone-1",
        model=ModelReference(name="demo", version="1"),
        image=ImageSize(width=960, height=540),
        detections=detections,
        committed=True,
        timings_ms=StageTimings(
            queue=0, decode=0, letterbox=0, inference=0, postprocess=0, total=0
        ),
    )


def sighting(index: int, frame: str = "000001") -> Sighting:
    return Sighting(camera_id="drone-1", frame_id=frame, detection=index)


def test_placed_and_unplaced_are_told_apart() -> None:
    tally = Tally(arrivals=Arrivals())
    tally.answer(answer(placed(0), unplaced(1), placed(2)), NOTHING, began=1.0, ended=1.5)
    assert (tally.frames, tally.detections, tally.placed) == (1, 3, 2)
    assert tally.unplaced == {"above_horizon": 1}
    assert tally.commit_seconds == [0.5]


def test_received_counts_each_sighting_once_and_only_our_own() -> None:
    tally = Tally(arrivals=Arrivals())
    tally.answer(answer(placed(0), placed(1)), NOTHING, began=1.0, ended=1.5)
    for who in (sighting(0), sighting(0), sighting(0, frame="of another demo")):
        tally.arrivals.note(who, 1.25)
    assert tally.received == 1
    assert tally.arrivals.repeated == 1
    assert tally.tak_seconds() == [0.25]


def test_an_event_may_arrive_before_the_answer_to_its_frame() -> None:
    tally = Tally(arrivals=Arrivals())
    tally.arrivals.note(sighting(0), 1.2)
    tally.answer(answer(placed(0)), NOTHING, began=1.0, ended=1.5)
    assert tally.received == 1
    assert tally.tak_seconds() == [pytest.approx(0.2)]


def test_quality_is_of_all_frames_together() -> None:
    tally = Tally(arrivals=Arrivals())
    fixes = tuple(Fix(error_m=error, ce90_m=5.0) for error in (1.0, 4.0, 5.0, 9.0))
    first = FrameScore(wanted=4, found=3, right=3, wrong=1, fixes=fixes[:2])
    second = FrameScore(wanted=1, found=1, right=1, wrong=0, fixes=fixes[2:])
    for part in (first, second):
        tally.answer(answer(), part, began=0.0, ended=0.1)
    assert tally.recall == 4 / 5
    assert tally.precision == 4 / 5
    assert tally.inside_ce90 == 3 / 4


def test_without_truths_there_is_no_quality() -> None:
    tally = Tally(arrivals=Arrivals())
    assert (tally.recall, tally.precision, tally.inside_ce90) == (None, None, None)
    assert (tally.ground_error_m(0.5), tally.expected_error_m) == (None, None)


@given(st.integers(0, 2**32 - 1))
def test_the_expected_error_is_the_median_of_circular_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sigma = rng.uniform(0.5, 20.0)
    errors = np.hypot(*rng.normal(0.0, sigma, (2, 20_000)))
    # 90 % of a circular normal error is within sigma · sqrt(2 ln 10).
    ce90 = sigma * math.sqrt(2 * math.log(10))
    tally = Tally(arrivals=Arrivals(), fixes=[Fix(error_m=float(errors[0]), ce90_m=float(ce90))])
    assert tally.expected_error_m == pytest.approx(statistics.median(errors), rel=0.05)


def test_a_failed_frame_is_counted_and_its_reason_kept() -> None:
    tally = Tally(arrivals=Arrivals())
    tally.failure("503 Service Unavailable: busy")
    assert (tally.frames, tally.failed) == (0, 1)
    assert tally.last_failure == "503 Service Unavailable: busy"


def test_the_rate_is_of_the_last_seconds() -> None:
    tally = Tally(arrivals=Arrivals())
    for tenth in range(100):
        tally.answer(answer(), NOTHING, began=0.0, ended=tenth / 10)
    assert tally.rate(now=9.95) == pytest.approx(10.0, rel=0.05)
    assert tally.rate(now=60.0) == 0.0


def test_every_field_of_the_report_is_documented() -> None:
    page = Path(__file__).parents[3] / "docs/reference/demo-report.md"
    text = page.read_text(encoding="utf-8")
    fields = [field.encode_name for field in msgspec.structs.fields(Report)]
    assert [name for name in fields if f"`{name}`" not in text] == []
