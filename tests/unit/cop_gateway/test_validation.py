"""What a report cannot mean: times against the clock, classes without a type, boxes outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cop_gateway.cot import Catalogue
from cop_gateway.intake import Acceptance, check
from sightline.messages import (
    Box,
    Detection,
    DetectionReport,
    Frame,
    Intrinsics,
    MessageError,
    Pixel,
)

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PAST, FUTURE = timedelta(days=30), timedelta(seconds=60)
TICK = timedelta(microseconds=1)
LENS = Intrinsics(image_width=960, image_height=540, focal_px=900.0)
CATALOGUE = Catalogue.load()


def judge(
    *detections: Detection,
    at: datetime = NOW,
    lens: Intrinsics | None = LENS,
    catalogue: Catalogue = CATALOGUE,
) -> None:
    report = DetectionReport(
        frame=Frame(frame_id="1", camera_id="c", captured_at=at), detections=detections
    )
    acceptance = Acceptance(catalogue=catalogue, most_past=PAST, most_future=FUTURE)
    check(report, lens=lens, now=NOW, acceptance=acceptance)


def refused(*detections: Detection, **options) -> MessageError:
    with pytest.raises(MessageError) as caught:
        judge(*detections, **options)
    assert str(caught.value).startswith(f"{caught.value.field}: ")
    return caught.value


def car(box: Box | None = None, pixel: Pixel | None = None) -> Detection:
    return Detection(class_name="car", confidence=0.5, box=box, pixel=pixel)


GOOD = car(Box(100, 100, 200, 200))


@pytest.mark.parametrize("at", [NOW, NOW + FUTURE, NOW - PAST])
def test_times_up_to_the_limits_are_taken(at):
    judge(GOOD, at=at)
    judge(GOOD, at=at.astimezone(timezone(timedelta(hours=-7))))


def test_a_time_beyond_the_limits_says_how_far_and_how_far_it_may_be():
    ahead = refused(GOOD, at=NOW + FUTURE + TICK)
    assert ahead.field == "frame.captured_at"
    assert ahead.limit == "60 s"
    assert "in the future" in ahead.reason
    assert "clock" in ahead.reason
    late = refused(GOOD, at=NOW - PAST - TICK)
    assert late.field == "frame.captured_at"
    assert late.limit == f"{30 * 86_400} s"
    assert "in the past" in late.reason


def test_a_class_without_a_type_names_the_detection_and_the_remedy():
    saucer = Detection(class_name="saucer", confidence=0.5, box=Box(1, 1, 2, 2))
    error = refused(GOOD, saucer)
    assert error.field == "detections[1].class"
    assert "'saucer'" in error.reason
    assert "classes_file" in error.reason
    assert "unknown_class_type" in error.reason
    judge(saucer, catalogue=Catalogue.load(fallback_type="a-u-G"))


@given(
    st.floats(-2000, 3000), st.floats(-2000, 3000), st.floats(1, 3000), st.floats(1, 3000)
)  # fmt: skip
def test_a_box_is_taken_when_some_of_it_is_in_the_image(x, y, width, height):
    box = Box(x, y, x + width, y + height)
    # How many pixels of the image are under it, per axis.
    shared = (
        min(box.x2, LENS.image_width) - max(box.x1, 0.0),
        min(box.y2, LENS.image_height) - max(box.y1, 0.0),
    )
    assume(abs(shared[0]) > 1e-6)
    assume(abs(shared[1]) > 1e-6)
    if min(shared) > 0:
        judge(car(box))
    else:
        assert refused(GOOD, car(box)).field == "detections[1].box"


@pytest.mark.parametrize("pixel", [(0, 0), (960, 540), (960, 0), (480, 270)])
def test_a_pixel_is_taken_up_to_the_images_edges(pixel):
    judge(car(pixel=Pixel(*pixel)))


@pytest.mark.parametrize("pixel", [(-0.01, 5), (960.01, 5), (5, -0.01), (5, 540.01)])
def test_a_pixel_beyond_them_is_refused_with_the_images_size(pixel):
    error = refused(car(pixel=Pixel(*pixel)))
    assert error.field == "detections[0].pixel"
    assert error.limit == "960x540"
    assert "960x540" in error.reason


def test_without_a_lens_nobody_knows_how_large_the_image_is():
    judge(car(Box(5000, 5000, 6000, 6000)), car(pixel=Pixel(9000, 9000)), lens=None)


def test_a_frame_in_which_nothing_was_seen_is_a_frame():
    judge()
