"""A detector in eight bits finds what it found in floats, and takes the bytes of an image."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from detection import pipeline
from detection.errors import DetectionError
from detection.layouts.layout import Preparation
from detection.models.form import form_of
from detection.models.onnx_file import inspect
from detection.pipeline import Request
from detection.scratch import Scratch
from fakes.detectors import Wish, detector
from fakes.images import encoded, painted
from loading import load

BLOBS = {"red": (30, 20, 120, 90), "blue": (180, 60, 280, 150)}
PICTURE = encoded(painted(300, 160, BLOBS))


@pytest.fixture(scope="module")
def quantise() -> ModuleType:
    path = Path(__file__).parents[3] / "models/quantise.py"
    spec = importlib.util.spec_from_file_location("quantise", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    """All colours at their purest, and what the cameras see."""
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file, background in zip(files, [(0, 0, 0), (255, 255, 255), (90, 90, 90)], strict=True):
        file.write_bytes(encoded(painted(300, 160, BLOBS, background=background)))
    return files


def found(path: Path, **entry: Any) -> tuple[dict[str, tuple[float, ...]], str]:
    model = load(path, entry=entry, confidence=0.5)
    sighting = pipeline.detect(PICTURE, model=model, scratch=Scratch(), request=Request())
    boxes = {each.class_name: each.box for each in sighting.detections}
    return {
        name: (box.x1, box.y1, box.x2, box.y2) for name, box in boxes.items()
    }, model.origin.folded


@pytest.mark.parametrize(
    ("layout", "folded"),
    # Its scale is that of the bytes themselves; a shifted one's is not.
    [("yolov8", "quantised"), ("yolox_decoded", "quantised"), ("rfdetr", "steps")],
)
def test_the_quantised_model_finds_what_the_other_one_found(
    tmp_path, quantise, pictures, layout, folded
):
    source, target = tmp_path / "float.onnx", tmp_path / "eight.onnx"
    source.write_bytes(detector(layout))
    quantise.quantise(source, target, pictures, layout=layout)
    operators = {node.op_type for node in onnx.load(str(target)).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    expected, _ = found(source, layout=layout)
    boxes, how = found(target, layout=layout)
    assert how == folded
    assert boxes.keys() == expected.keys() == BLOBS.keys()
    for name, box in boxes.items():
        # A pixel of the input is four of the image's.
        assert box == pytest.approx(expected[name], abs=4.0)


def test_the_manifest_beside_it_says_how_the_images_are_prepared(tmp_path, quantise, pictures):
    source, target = tmp_path / "float.onnx", tmp_path / "eight.onnx"
    wish = Wish(colours="BGR", scale=1.0)
    source.write_bytes(detector("yolov8", wish))
    pixels = {"colours": "BGR", "scale": 1.0}
    (tmp_path / "models.toml").write_text(
        '[[models]]\nname = "m"\nfile = "float.onnx"\nlayout = "yolov8"\n'
        'pixels = { colours = "BGR", scale = 1.0 }\n'
    )
    quantise.quantise(source, target, pictures)
    boxes, how = found(target, layout="yolov8", pixels=pixels)
    assert how == "quantised"
    assert boxes.keys() == BLOBS.keys()


def test_a_model_that_would_not_be_served_is_not_quantised(tmp_path, quantise, pictures):
    source, target = tmp_path / "float.onnx", tmp_path / "eight.onnx"
    source.write_bytes(b"not a model")
    with pytest.raises(DetectionError, match=r"float\.onnx"):
        quantise.quantise(source, target, pictures)
    source.write_bytes(detector("yolov8", Wish(dtype="float16")))
    with pytest.raises(DetectionError, match=r"float32, found float16"):
        quantise.quantise(source, target, pictures, layout="yolov8")
    assert not target.exists()


@pytest.mark.parametrize("axes", ["NCHW", "NHWC", "CHW"])
def test_floats_are_what_the_layout_says_of_each_colour(quantise, axes):
    data = detector("yolov8", Wish(axes=axes))
    form = form_of(inspect(data, name="m").signature, size=None)
    pixels = np.full(form.shape, 100, dtype=np.uint8)
    preparation = Preparation(scale=0.01, mean=(0.0, 0.5, 1.0), deviation=(1.0, 0.5, 0.25))
    values = quantise.floats(pixels, form, preparation)
    assert values.dtype == np.float32
    assert values.shape == form.shape
    planes = np.moveaxis(values, {"NCHW": 1, "NHWC": 3, "CHW": 0}[axes], 0)
    assert [float(plane.mean()) for plane in planes] == pytest.approx([1.0, 1.0, 0.0], abs=1e-6)
