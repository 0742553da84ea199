"""One image's way through: a painted rectangle is found where it was painted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detection import model, pipeline
from detection.errors import ImageError
from detection.model import Model
from detection.pipeline import Limits, Scratch, Sighting
from fakes.images import encoded, painted
from fakes.models import LABELS, blob_model, constant_model

LIMITS = Limits(max_megapixels=1.0, max_detections=10, nms_iou=0.5)


def load(path: Path) -> Model:
    return model.load(path, layout="yolov8", input_size=None, max_megabytes=10.0, intra_threads=1)


@pytest.fixture(scope="module")
def blobs(tmp_path_factory) -> Model:
    return load(blob_model(tmp_path_factory.mktemp("model") / "blobs.onnx", width=128, height=96))


@pytest.fixture
def proposing(tmp_path):
    """A model that always proposes these: centre, size, and a score for red, green and blue."""

    def made(*proposals: tuple[float, ...]) -> Model:
        output = np.array(proposals, dtype=np.float32).T[None]
        return load(constant_model(tmp_path / "constant.onnx", output=output))

    return made


def detect(data: bytes, *, by: Model, scratch: Scratch | None = None, **options) -> Sighting:
    return pipeline.detect(
        data,
        model=by,
        scratch=scratch or Scratch(),
        confidence=options.pop("confidence", 0.25),
        limits=Limits(**{**{name: getattr(LIMITS, name) for name in LIMITS.__slots__}, **options}),
    )


def found(sighting: Sighting) -> dict[str, tuple[float, float, float, float]]:
    return {
        each.class_name: (each.box.x1, each.box.y1, each.box.x2, each.box.y2)
        for each in sighting.detections
    }


SCRATCH = Scratch()


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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
    # One scratch for all: what an image leaves behind would be found in the next.
    sighting = detect(encoded(picture), by=blobs, scratch=SCRATCH)
    assert (sighting.width, sighting.height) == size
    # A pixel of the model's input, in pixels of the image.
    pixel = max(width / 128, height / 96, 1.0)
    boxes = found(sighting)
    assert boxes.keys() == {label}
    assert boxes[label] == pytest.approx((x1, y1, x2, y2), abs=2.0 * pixel)


def test_nothing_is_found_where_nothing_is(blobs):
    sighting = detect(encoded(painted(100, 100, {})), by=blobs)
    assert sighting.detections == ()
    assert min(
        sighting.seconds.decode,
        sighting.seconds.letterbox,
        sighting.seconds.inference,
        sighting.seconds.postprocess,
    ) >= 0.0  # fmt: skip


SQUARE = encoded(painted(64, 64, {}))


def test_the_surest_come_first_and_no_more_than_the_limit(proposing):
    boxes = proposing(
        (10, 10, 8, 8, 0.5, 0, 0), (30, 30, 8, 8, 0, 0.75, 0), (50, 50, 8, 8, 0, 0, 0.625)
    )
    named = [each.class_name for each in detect(SQUARE, by=boxes).detections]
    assert named == ["green", "blue", "red"]
    named = [each.class_name for each in detect(SQUARE, by=boxes, max_detections=2).detections]
    assert named == ["green", "blue"]
    named = [each.class_name for each in detect(SQUARE, by=boxes, confidence=0.625).detections]
    assert named == ["green", "blue"]


def test_duplicates_of_a_class_go_and_other_classes_stay(proposing):
    boxes = proposing(
        (20, 20, 8, 8, 0.5, 0, 0), (21, 20, 8, 8, 0.75, 0, 0), (20, 20, 8, 8, 0, 0.625, 0)
    )
    scores = [each.confidence for each in detect(SQUARE, by=boxes).detections]
    assert scores == [0.75, 0.625]
    assert len(detect(SQUARE, by=boxes, nms_iou=1.0).detections) == 3


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
    broken = np.array(boxes.run(boxes.canvas().tensor)[0])
    broken[0, :4, 0] = np.nan
    monkeypatch.setattr(Model, "run", lambda self, tensor: [broken])
    assert found(detect(SQUARE, by=boxes)).keys() == {"green"}


def test_an_image_beyond_the_limit_is_not_decoded(blobs):
    with pytest.raises(ImageError, match="megapixels"):
        detect(SQUARE, by=blobs, max_megapixels=0.001)
