"""One image's way through: a painted rectangle is found where it was painted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection import pipeline
from detection.errors import DeadlineError, ImageError, ParameterError, StuckError
from detection.models.model import Model
from detection.pipeline import Request, Sighting
from detection.scratch import Scratch
from detection.tiling import Tiling
from fakes.images import encoded, oriented, painted
from fakes.models import LABELS, blob_model, constant_model
from loading import load

SCRATCH = Scratch()
"""One for all: what an image leaves behind would be found in the next."""


@pytest.fixture(scope="module")
def blobs(tmp_path_factory) -> Model:
    return load(blob_model(tmp_path_factory.mktemp("model") / "blobs.onnx", width=128, height=96))


@pytest.fixture
def proposing(tmp_path):
    """A model that always proposes these: centre, size, and a score for red, green and blue."""

    def made(*proposals: tuple[float, ...], **options: Any) -> Model:
        output = np.array(proposals, dtype=np.float32).T[None]
        return load(constant_model(tmp_path / "constant.onnx", output=output), **options)

    return made


def detect(data: bytes, *, by: Model, scratch: Scratch = SCRATCH, **asked: Any) -> Sighting:
    request = Request(**{"max_megapixels": 1.0, **asked})
    return pipeline.detect(data, model=by, scratch=scratch, request=request)


def found(sighting: Sighting) -> dict[str, tuple[float, float, float, float]]:
    named = {
        each.class_name: (each.box.x1, each.box.y1, each.box.x2, each.box.y2)
        for each in sighting.detections
    }
    assert len(named) == len(sighting.detections)
    return named


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(40, 700), st.integers(40, 700)),
    st.tuples(*[st.floats(0.0, 0.5)] * 2),
    st.tuples(*[st.floats(0.3, 0.5)] * 2),
    st.sampled_from(LABELS),
)
def test_what_was_painted_is_found_at_its_place_in_any_image(blobs, size, corner, extent, label):
    width, height = size
    x1, y1 = int(corner[0] * width), int(corner[1] * height)
    x2, y2 = x1 + int(extent[0] * width), y1 + int(extent[1] * height)
    picture = painted(width, height, {label: (x1, y1, x2, y2)})
    sighting = detect(encoded(picture), by=blobs)
    assert (sighting.width, sighting.height, sighting.tiles) == (*size, 0)
    # A pixel of the model's input, in pixels of the image.
    pixel = max(width / 128, height / 96, 1.0)
    boxes = found(sighting)
    assert boxes.keys() == {label}
    assert boxes[label] == pytest.approx((x1, y1, x2, y2), abs=2.0 * pixel)


# Odd sizes, and tiles of the input's own size or smaller, so that no pixel is lost in scaling. The
# whole image is left out: its boxes are coarser than the slivers of which this fake makes objects
# where a tile begins, as no detector does.
@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(130, 700), st.integers(100, 700)),
    st.tuples(*[st.floats(0.0, 1.0)] * 2),
    st.tuples(*[st.integers(6, 90)] * 2),
    st.integers(1, 8),
    st.sampled_from(["auto", 128, 64]),
)
def test_in_tiles_it_is_found_to_the_pixel_whichever_way_the_camera_was_held(
    blobs, size, corner, extent, orientation, side
):
    (width, height), (wide, high) = size, extent
    x1, y1 = int(corner[0] * (width - wide)), int(corner[1] * (height - high))
    painted_at = (x1, y1, x1 + wide, y1 + high)
    picture = painted(width, height, {"green": painted_at})
    tiling = Tiling(side=side, overlap=0.3, whole=False, limit=1000)
    sighting = detect(oriented(picture, orientation, "PNG"), by=blobs, tiling=tiling)
    assert (sighting.width, sighting.height) == size
    if sighting.tiles == 0:
        return
    boxes = found(sighting)
    assert boxes == {"green": pytest.approx(painted_at, abs=0.01)}


def test_in_tiles_each_colour_is_found_once(blobs):
    at = {"red": (10, 10, 60, 40), "green": (300, 200, 500, 330), "blue": (580, 390, 640, 400)}
    picture = encoded(painted(640, 400, at))
    sighting = detect(picture, by=blobs, tiling=Tiling(side="auto", whole=False))
    # Of 128 x 96, from one to the next at most 102 and 76 pixels.
    assert sighting.tiles == 7 * 5
    assert found(sighting) == at


def test_the_whole_image_shows_what_is_larger_than_a_tile(blobs):
    at = {"red": (20, 20, 620, 380)}
    picture = encoded(painted(640, 400, at))
    boxes = found(detect(picture, by=blobs, tiling=Tiling(side="auto")))
    assert boxes == {"red": pytest.approx(at["red"], abs=10.0)}


def test_too_many_tiles_are_refused_before_anything_is_decoded(blobs):
    broken = encoded(painted(640, 400, {}), "JPEG")[:700]
    with pytest.raises(ImageError, match="truncated"):
        detect(broken, by=blobs)
    with pytest.raises(ParameterError, match="at most 4 are looked at"):
        detect(broken, by=blobs, tiling=Tiling(side=128, limit=4))


def test_nothing_is_found_where_nothing_is(blobs):
    sighting = detect(encoded(painted(300, 300, {})), by=blobs)
    assert sighting.detections == ()
    sighting = detect(encoded(painted(300, 300, {})), by=blobs, tiling=Tiling(side="auto"))
    assert sighting.detections == ()
    assert sighting.tiles > 0


@pytest.mark.parametrize("side", ["off", "auto"])
def test_the_time_of_every_stage_is_told(blobs, side):
    picture = encoded(painted(300, 300, {"red": (20, 20, 60, 60)}))
    spent = detect(picture, by=blobs, tiling=Tiling(side=side)).seconds
    assert min(spent.decode, spent.letterbox, spent.inference, spent.postprocess) > 0.0


SQUARE = encoded(painted(64, 64, {}))


def test_the_surest_come_first_and_no_more_than_the_limit(proposing):
    rows = [(10, 10, 8, 8, 0.5, 0, 0), (30, 30, 8, 8, 0, 0.75, 0), (50, 50, 8, 8, 0, 0, 0.625)]
    boxes = proposing(*rows)
    assert list(found(detect(SQUARE, by=boxes))) == ["green", "blue", "red"]
    assert list(found(detect(SQUARE, by=boxes, confidence=0.625))) == ["green", "blue"]
    boxes = proposing(*rows, max_detections=2)
    assert list(found(detect(SQUARE, by=boxes))) == ["green", "blue"]


def ruled(model: Model, **rules: Any) -> Model:
    """The model, with other rules than it was loaded with."""
    return replace(model, rules=replace(model.rules, **rules))


def test_a_class_has_its_own_threshold_unless_the_request_has_one(proposing):
    boxes = proposing(
        (10, 10, 8, 8, 0.5, 0, 0), (30, 30, 8, 8, 0, 0.5, 0), (50, 50, 8, 8, 0, 0, 0.5)
    )
    boxes = ruled(boxes, confidence=0.25, thresholds={"red": 0.4, "blue": 0.55})
    assert found(detect(SQUARE, by=boxes)).keys() == {"red", "green"}
    assert found(detect(SQUARE, by=boxes, confidence=0.3)).keys() == {"red", "green", "blue"}
    # Also where it is lower than all others'.
    boxes = ruled(boxes, confidence=0.75, thresholds={"red": 0.4})
    assert found(detect(SQUARE, by=boxes)).keys() == {"red"}


def test_duplicates_of_a_class_go_and_other_classes_stay(proposing):
    boxes = proposing(
        (20, 20, 8, 8, 0.5, 0, 0), (21, 20, 8, 8, 0.75, 0, 0), (20, 20, 8, 8, 0, 0.625, 0)
    )
    assert scores(detect(SQUARE, by=boxes)) == [0.75, 0.625]
    assert scores(detect(SQUARE, by=ruled(boxes, nms_iou=1.0))) == [0.75, 0.625, 0.5]
    assert scores(detect(SQUARE, by=ruled(boxes, class_agnostic=True))) == [0.75]


def scores(sighting: Sighting) -> list[float]:
    return [each.confidence for each in sighting.detections]


def test_boxes_end_where_the_image_ends(proposing):
    boxes = proposing((0, 0, 20, 30, 0.5, 0, 0), (60, 64, 40, 8, 0, 0.5, 0))
    sides = found(detect(SQUARE, by=boxes))
    assert sides == {"red": (0, 0, 10, 15), "green": (40, 60, 64, 64)}


def test_what_lies_in_the_padding_is_not_in_the_image(proposing):
    boxes = proposing((32, 4, 8, 8, 0.5, 0, 0), (32, 32, 8, 8, 0, 0.5, 0), (32, 32, 0, 0, 0, 0, 1))
    # Twice as wide as high: sixteen rows of grey above it.
    sighting = detect(encoded(painted(64, 32, {})), by=boxes)
    assert found(sighting) == {"green": (28, 12, 36, 20)}


def test_what_is_no_number_is_no_detection(proposing, monkeypatch):
    boxes = proposing((20, 20, 8, 8, 0.5, 0, 0), (40, 40, 8, 8, 0, 0.5, 0))
    broken = np.float32([(np.nan,) * 4 + (0.5, 0, 0), (40, 40, 8, 8, 0, 0.5, 0)]).T[None]
    monkeypatch.setattr(Model, "run", lambda *_, **__: [broken])
    assert found(detect(SQUARE, by=boxes)).keys() == {"green"}


def test_an_image_beyond_the_limit_is_not_decoded(blobs):
    with pytest.raises(ImageError, match="megapixels"):
        detect(SQUARE, by=blobs, max_megapixels=0.001)


LARGE = encoded(painted(640, 400, {}))
TILED = Tiling(side="auto")


def test_nothing_further_is_looked_at_once_nobody_waits(blobs, monkeypatch):
    scratch, looked = Scratch(), []
    really = Model.run
    monkeypatch.setattr(Model, "run", lambda *a, **k: looked.append(1) or really(*a, **k))
    scratch.awaited = lambda: len(looked) < 3
    with pytest.raises(DeadlineError):
        detect(LARGE, by=blobs, scratch=scratch, tiling=TILED)
    assert len(looked) == 3


def test_nothing_further_is_looked_at_once_the_lane_was_stopped(blobs, monkeypatch):
    scratch, looked = Scratch(), []
    really = Model.run

    def run(*arguments: Any, **options: Any) -> Any:
        outputs = really(*arguments, **options)
        looked.append(1)
        if len(looked) == 3:
            scratch.stop()
        return outputs

    monkeypatch.setattr(Model, "run", run)
    with pytest.raises(StuckError):
        detect(LARGE, by=blobs, scratch=scratch, tiling=TILED)
    assert len(looked) == 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("tiling", [Tiling(), TILED, Tiling(side=200, whole=False)])
def test_what_an_image_will_cost_is_told_by_its_header(blobs, monkeypatch, kind, tiling):
    looked = []
    really = Model.run
    monkeypatch.setattr(Model, "run", lambda *a, **k: looked.append(1) or really(*a, **k))
    data = encoded(painted(640, 400, {}), kind)
    request = Request(tiling=tiling)
    detect(data, by=blobs, tiling=tiling)
    assert pipeline.runs(data, model=blobs, request=request) == len(looked)


@pytest.mark.parametrize("data", [b"", b"no image", LARGE[:20], b"\xff\xd8\xff" + bytes(99)])
def test_what_is_no_image_costs_what_finding_that_out_costs(blobs, data):
    assert pipeline.runs(data, model=blobs, request=Request(tiling=TILED)) == 1


def test_an_image_alone_is_found_the_same_by_all_cores(tmp_path):
    path = blob_model(tmp_path / "blobs.onnx", width=128, height=96)
    picture = encoded(painted(200, 100, {"red": (20, 30, 90, 80)}))
    wide = load(path, wide_threads=2)
    assert wide.wide is not None
    expected = detect(picture, by=load(path)).detections
    assert detect(picture, by=wide, scratch=Scratch(lambda: True)).detections == expected
