"""Matching detections to truths, and how far a placed one is off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pymap3d
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.demo.scoring import SMALLEST_PX, Corners, iou, score
from sightline.messages import Box, DetectedObject, GroundPosition, Placement, Unplaced

LATITUDE, LONGITUDE = 47.3769, 8.5417


@dataclass(frozen=True, kw_only=True)
class True_:
    class_name: str = "car"
    box: Corners = (100.0, 100.0, 140.0, 130.0)
    scored: bool = True
    latitude: float = LATITUDE
    longitude: float = LONGITUDE


def placement(latitude: float = LATITUDE, longitude: float = LONGITUDE) -> Placement:
    return Placement(
        index=0,
        uid="track",
        cot_type="a-u-G",
        position=GroundPosition(latitude=latitude, longitude=longitude, hae=455.0),
        ce90_m=7.5,
        le90_m=1.0,
        flag="GREEN",
        tle_category=2,
    )


def seen(
    box: Corners = (100.0, 100.0, 140.0, 130.0),
    *,
    class_name: str = "car",
    confidence: float = 0.9,
    event: Placement | Unplaced | None = None,
) -> DetectedObject:
    return DetectedObject(class_name=class_name, confidence=confidence, box=Box(*box), event=event)


def test_a_detection_on_its_object_is_found_and_right() -> None:
    result = score([seen()], [True_()])
    assert (result.wanted, result.found, result.wrong) == (1, 1, 0)


def test_an_object_that_nobody_saw_is_wanted_and_not_found() -> None:
    result = score([], [True_()])
    assert (result.wanted, result.found, result.wrong) == (1, 0, 0)


def test_another_class_on_the_same_spot_is_wrong() -> None:
    result = score([seen(class_name="truck")], [True_()])
    assert (result.found, result.wrong) == (0, 1)


def test_of_two_detections_on_one_object_the_surer_one_is_right() -> None:
    near = (101.0, 100.0, 141.0, 130.0)
    sure = placement(latitude=LATITUDE)
    unsure = placement(latitude=LATITUDE + 0.001)
    result = score(
        [seen(near, confidence=0.5, event=unsure), seen(confidence=0.8, event=sure)], [True_()]
    )
    assert (result.found, result.wrong) == (1, 1)
    assert [fix.error_m for fix in result.fixes] == [pytest.approx(0.0, abs=1e-6)]


def test_half_an_overlap_is_needed() -> None:
    # A box of 40 px moved by d overlaps itself by (40 - d) / (40 + d): one half at 13.3 px.
    just, hardly = 13.0, 14.0
    for shift, found in ((just, 1), (hardly, 0)):
        box = (100.0 + shift, 100.0, 140.0 + shift, 130.0)
        assert score([seen(box)], [True_()]).found == found


@pytest.mark.parametrize(
    "truth",
    [
        pytest.param(True_(scored=False), id="mostly hidden"),
        pytest.param(True_(box=(100.0, 100.0, 112.0, 112.0)), id="of twelve pixels"),
    ],
)
def test_what_is_hidden_or_tiny_counts_neither_way(truth: True_) -> None:
    assert score([], [truth]).wanted == 0
    result = score([seen(truth.box, event=placement())], [truth])
    assert (result.found, result.wrong, result.fixes) == (0, 0, ())


def test_one_pixel_more_than_tiny_counts() -> None:
    side = SMALLEST_PX + 1
    truth = True_(box=(100.0, 100.0, 100.0 + side, 100.0 + side))
    assert score([], [truth]).wanted == 1


def test_a_detection_of_nothing_is_wrong_unless_it_is_tiny() -> None:
    assert score([seen((500.0, 400.0, 540.0, 430.0))], [True_()]).wrong == 1
    assert score([seen((500.0, 400.0, 510.0, 410.0))], [True_()]).wrong == 0


def test_only_a_placed_detection_makes_a_fix() -> None:
    unplaced = Unplaced(index=0, reason="grazing", message="too flat")
    assert score([seen(event=unplaced)], [True_()]).fixes == ()
    (fix,) = score([seen(event=placement())], [True_()]).fixes
    assert fix.ce90_m == 7.5


@pytest.mark.parametrize("latitude", [-61.0, 0.5, 47.3769, 70.0])
@pytest.mark.parametrize(("east", "north"), [(25.0, 0.0), (0.0, -40.0), (-7.0, 11.0)])
def test_the_error_is_the_distance_on_the_ground(
    latitude: float, east: float, north: float
) -> None:
    lat, lon, _ = pymap3d.enu2geodetic(east, north, 0.0, latitude, LONGITUDE, 455.0)
    truth = True_(latitude=latitude)
    (fix,) = score([seen(event=placement(lat, lon))], [truth]).fixes
    # A sphere is within a hundredth of the ellipsoid, far below the errors that are measured.
    assert fix.error_m == pytest.approx(math.hypot(east, north), rel=1e-2)


corner = st.floats(0, 900, allow_nan=False)
side = st.floats(1, 300, allow_nan=False)
boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), corner, corner, side, side)


@given(boxes, boxes)
def test_iou_is_symmetric_and_a_share(a: Corners, b: Corners) -> None:
    assert 0.0 <= iou(a, b) <= 1.0 + 1e-9
    assert iou(a, b) == pytest.approx(iou(b, a))
    assert iou(a, a) == pytest.approx(1.0)


@given(st.lists(boxes, max_size=6), st.lists(boxes, max_size=6))
def test_nothing_is_found_twice_or_out_of_nothing(
    truths: list[Corners], found: list[Corners]
) -> None:
    result = score([seen(box) for box in found], [True_(box=box) for box in truths])
    assert result.found <= min(result.wanted, len(found))
    assert result.found + result.wrong <= len(found)
