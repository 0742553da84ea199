"""A model of each layout, loaded as the service does, finds what was painted at its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detection import pipeline
from detection.layouts import LAYOUTS
from detection.models.model import Model
from detection.pipeline import Request, Sighting
from detection.scratch import Scratch
from fakes.detectors import DETECTORS, Wish, detector
from fakes.images import encoded, painted
from fakes.models import LABELS
from loading import load

WIDTH, HEIGHT = 300, 160
BLOBS = {"red": (30, 20, 120, 90), "blue": (180, 60, 280, 150)}
PICTURE = encoded(painted(WIDTH, HEIGHT, BLOBS))
FLOATS = [name for name, (_, wish) in DETECTORS.items() if wish.dtype == "float32"]


def look(model: Model, data: bytes = PICTURE, **asked: Any) -> Sighting:
    return pipeline.detect(data, model=model, scratch=Scratch(), request=Request(**asked))


def check(model: Model) -> None:
    """Red and blue are found where they are, to two pixels of the input."""
    sighting = look(model)
    found = {each.class_name: each.box for each in sighting.detections}
    assert len(sighting.detections) == len(found)
    assert found.keys() == BLOBS.keys()
    size = model.form.size
    close = 2.0 * max(WIDTH / size.width, HEIGHT / size.height)
    for name, box in found.items():
        assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx(BLOBS[name], abs=close)


def made(folder: Path, layout: str, wish: Wish | None = None, **entry: Any) -> Model:
    path = folder / f"{layout}.onnx"
    path.write_bytes(detector(layout, wish))
    return load(path, entry={"layout": layout, **entry}, confidence=0.5)


def test_there_is_a_detector_of_every_layout():
    assert DETECTORS.keys() == LAYOUTS.keys()


@pytest.mark.parametrize("layout", DETECTORS)
def test_a_model_of_any_layout_finds_what_is_there(tmp_path, layout):
    model = made(tmp_path, layout)
    assert model.info.layout == layout
    assert model.info.labels == LABELS
    check(model)


@pytest.mark.parametrize("layout", FLOATS)
def test_so_does_one_of_half_floats(tmp_path, layout):
    check(made(tmp_path, layout, replace(DETECTORS[layout][1], dtype="float16")))


@pytest.mark.parametrize("layout", ["yolov8", "yolox", "hf_rtdetr", "rfdetr"])
def test_so_does_one_with_the_colours_last(tmp_path, layout):
    check(made(tmp_path, layout, replace(DETECTORS[layout][1], axes="NHWC")))


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("axes", ["NCHW", "NHWC"])
def test_so_does_one_of_a_fixed_batch(tmp_path, axes, dtype):
    wish = Wish(axes=axes, dtype=dtype, batch=4)
    model = made(tmp_path, "yolov8", wish)
    assert model.form.batch == 4
    check(model)


@pytest.mark.parametrize(
    ("wish", "pixels"),
    [
        (Wish(colours="BGR"), {"colours": "BGR"}),
        (Wish(scale=1.0), {"scale": 1.0}),
        (Wish(scale=2 / 255, mean=(1.0, 1.0, 1.0)), {"scale": 2 / 255, "mean": [1, 1, 1]}),
        (
            Wish(mean=(0.1, 0.2, 0.3), deviation=(0.5, 0.4, 0.3), colours="BGR"),
            {"mean": [0.1, 0.2, 0.3], "deviation": [0.5, 0.4, 0.3], "colours": "BGR"},
        ),
        (Wish(dtype="uint8", colours="BGR"), {"colours": "BGR"}),
        (Wish(), {"fit": "stretch"}),
        (Wish(), {"fit": "top_left", "padding": 0}),
    ],
    ids=str,
)
def test_a_manifest_says_what_the_pixels_become(tmp_path, wish, pixels):
    """Fed otherwise than it was trained, a model finds something else, or nothing."""
    check(made(tmp_path, "yolov8", wish, pixels=pixels))


def test_fed_in_the_wrong_order_it_takes_red_for_blue(tmp_path):
    """That the detectors of these tests really look."""
    model = made(tmp_path, "yolov8", Wish(colours="BGR"))
    found = {each.class_name: each.box for each in look(model).detections}
    assert found.keys() == BLOBS.keys()
    assert found["red"].x1 == pytest.approx(BLOBS["blue"][0], abs=8)


def test_what_became_of_the_pixels_way_is_told(tmp_path):
    layouts = ("yolov8", "hf_rtdetr", "tf_ssd", "rfdetr", "yolox")
    told = {layout: made(tmp_path, layout).origin.folded for layout in layouts}
    # Nought stays nought under a scale, so that a convolution's padding is right; under a shift
    # it does not. Without either there is nothing to be done but a cast, and the file's own scale.
    assert told == {
        "yolov8": "convolution",
        "hf_rtdetr": "convolution",
        "tf_ssd": "bytes",
        "rfdetr": "steps",
        "yolox": "steps",
    }


PAIRS = painted(96, 64, {"red": (8, 8, 40, 40), "green": (60, 20, 90, 60)})


def scores(sighting: Sighting) -> dict[str, float]:
    return {each.class_name: each.confidence for each in sighting.detections}


def test_thresholds_of_single_classes_go_before_the_models_own(tmp_path):
    path = tmp_path / "hf_rtdetr.onnx"
    path.write_bytes(detector("hf_rtdetr"))
    sure = scores(look(load(path), encoded(PAIRS)))
    assert sure.keys() == {"red", "green"}
    assert all(0.9 < each < 1.0 for each in sure.values())
    # What each finds scores 0.9975: more than 0.9, less than 1.
    for thresholds, confidence, left in [
        ({"red": 1.0}, 0.5, {"green"}),
        ({"red": 0.9}, 1.0, {"red"}),
        ({"red": 0.9, "blue": 0.1}, 1.0, {"red"}),
        ({"red": 1.0, "green": 1.0}, 0.1, set()),
    ]:
        model = load(path, entry={"thresholds": thresholds, "confidence": confidence})
        assert scores(look(model, encoded(PAIRS))).keys() == left
        # What a request asks for goes before everything.
        assert scores(look(model, encoded(PAIRS), confidence=0.9)).keys() == {"red", "green"}
        assert scores(look(model, encoded(PAIRS), confidence=1.0)).keys() == set()


def test_a_model_stated_to_find_few_finds_the_surest(tmp_path):
    model = made(tmp_path, "yolov8", max_detections=1)
    assert len(look(model).detections) == 1
    assert len(look(made(tmp_path, "yolov8")).detections) == 2
