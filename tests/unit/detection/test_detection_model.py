"""Models: what is loaded, and the sentence with which everything else is refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from detection.errors import ModelError
from detection.layouts.layout import InputSize
from detection.models import loading, manifest
from detection.models.model import Options
from fakes.detectors import Wish, detector
from fakes.models import LABELS, blob_model, constant_model, names
from loading import load, refused

EMPTY = np.zeros((1, 4 + len(LABELS), 2), dtype=np.float32)


def square(side: int) -> InputSize:
    return InputSize(width=side, height=side)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.onnx"


def test_a_model_is_told_as_it_is(path):
    loaded = load(blob_model(path, width=96, height=64, metadata={"version": "2.1"}))
    info = loaded.info
    assert (info.name, info.version, info.layout) == ("some", "2.1", "yolov8")
    assert (info.input_width, info.input_height) == (96, 64)
    assert info.labels == LABELS
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert info.provider == "CPUExecutionProvider"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_both_float_types_find_the_same(path, dtype):
    loaded = load(blob_model(path, dtype=dtype))
    # Pixels go in as they are, whatever the model computes with.
    pixels = np.zeros(loaded.form.shape, dtype=np.uint8)
    pixels[0, :, 8:16, 16:40] = np.array([255, 0, 0]).reshape(3, 1, 1)
    found = loaded.layout.candidates(loaded.run(pixels), confidence=0.5, size=loaded.form.size)
    assert found.boxes.tolist() == [[16, 8, 40, 16]]
    assert found.classes.tolist() == [LABELS.index("red")]


@pytest.mark.parametrize(
    ("metadata", "input_size", "size"),
    [
        ({"imgsz": "[64, 96]"}, None, (96, 64)),  # height first
        ({"imgsz": "[64, 96]"}, square(128), (128, 128)),
        ({"imgsz": "160"}, None, (160, 160)),
        ({"imgsz": "whatever"}, None, (640, 640)),
    ],
)
def test_a_model_of_any_size_takes_the_settings_else_its_own(path, metadata, input_size, size):
    width, height = size
    blob_model(path, width=width, height=height, dynamic=True, metadata=metadata)
    info = load(path, input_size=input_size).info
    assert (info.input_width, info.input_height) == size


def test_a_model_of_one_size_keeps_it_whatever_the_settings_say(path):
    info = load(blob_model(path, width=96, height=64), input_size=square(128)).info
    assert (info.input_width, info.input_height) == (96, 64)


@pytest.mark.parametrize("imgsz", ["[60, 64]", "[0, 64]", "[-64, 64]", "[64, 8224]"])
def test_sides_must_be_multiples_of_the_stride_and_bounded(path, imgsz):
    blob_model(path, dynamic=True, metadata={"imgsz": imgsz})
    sentence = refused(path)
    assert "32" in sentence
    assert "8192" in sentence
    assert all(side.strip(" []") in sentence for side in imgsz.split(","))


def test_a_file_that_is_not_there(path):
    assert "no such file" in refused(path)
    # Nor may it go between being listed and being read.
    listed = manifest.read(blob_model(path)).models["some"]
    path.unlink()
    with pytest.raises(ModelError, match="No such file"):
        loading.load(listed, Options())


def test_a_file_that_is_too_large_is_not_read(path):
    with path.open("wb") as file:
        file.truncate(3_000_000)
    sentence = refused(path, max_megabytes=2.0)
    assert "3 MB" in sentence
    assert "2 MB" in sentence
    assert "not a whole ONNX file" in refused(path, max_megabytes=3.0)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08\x3a\x00"])
def test_a_file_that_is_no_model(path, content):
    path.write_bytes(content)
    refused(path)


def test_a_file_that_was_cut(path):
    data = blob_model(path).read_bytes()
    for length in range(0, len(data), len(data) // 40):
        path.write_bytes(data[:length])
        refused(path)


def test_a_model_that_the_runtime_refuses(path):
    whole = onnx.load(str(blob_model(path)))
    whole.graph.node[1].op_type = "NoSuchThing"
    onnx.save(whole, str(path))
    sentence = refused(path)
    assert "ONNX Runtime" in sentence
    assert "NoSuchThing" in sentence
    assert len(sentence) < len(str(path)) + 300


@pytest.mark.parametrize("metadata", [{}, {"names": "car"}, {"names": "{1: 'car'}"}])
def test_a_model_without_names(path, metadata):
    assert "`names`" in refused(constant_model(path, output=EMPTY, metadata=metadata))


def test_a_model_whose_scores_are_logits(path):
    output = EMPTY.copy()
    output[0, 5, 0] = 4.5
    assert "logits" in refused(constant_model(path, output=output), layout="yolov8")


def test_a_model_that_gives_no_numbers(path):
    output = EMPTY.copy()
    output[0, 0, 0] = np.nan
    assert "not finite" in refused(constant_model(path, output=output), layout="yolov8")


@pytest.mark.parametrize("shape", [(1, 1, 64, 64), (64, 64, 3), (1, 3, 64, 64, 1), (1, 3)])
def test_a_model_with_another_input(path, shape):
    sentence = refused(constant_model(path, output=EMPTY, input_shape=shape))
    assert "[n, 3, height, width] or [n, height, width, 3]" in sentence
    assert "[" + ", ".join(map(str, shape)) + "]" in sentence


def cast(path: Path, *, source: int, target: int, inputs: int = 1) -> Path:
    """A model in the layout, of other types."""
    node = helper.make_node
    made = helper.make_graph(
        [
            node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
            node("ReduceMean", ["pixels"], ["mean"], keepdims=0),
            node("Clip", ["mean", "zero", "zero"], ["nought"]),
            node("Add", ["constant", "nought"], ["boxes"]),
            node("Cast", ["boxes"], ["output0"], to=target),
        ],
        "cast",
        [
            helper.make_tensor_value_info(name, source, [1, 3, 64, 64])
            for name in ("images", "more")[:inputs]
        ],
        [helper.make_tensor_value_info("output0", target, [1, 7, 2])],
        [
            numpy_helper.from_array(EMPTY, "constant"),
            numpy_helper.from_array(np.float32(0), "zero"),
        ],
    )
    whole = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(whole, {"names": names()})
    onnx.save(whole, str(path))
    return path


def test_a_model_with_other_types(path):
    plain = TensorProto.FLOAT
    for source in (plain, TensorProto.FLOAT16, TensorProto.UINT8):
        load(cast(path, source=source, target=plain), layout="yolov8")
    sentence = refused(cast(path, source=TensorProto.INT8, target=plain))
    assert "float32, float16 or uint8" in sentence
    assert "int8" in sentence
    for kind, name in ((TensorProto.STRING, "str"), (TensorProto.INT64, "int64")):
        sentence = refused(cast(path, source=plain, target=kind), layout="yolov8")
        assert name in sentence
        assert "float32" in sentence


def test_a_model_with_two_images(path):
    plain = TensorProto.FLOAT
    sentence = refused(cast(path, source=plain, target=plain, inputs=2))
    assert "images [1, 3, 64, 64]" in sentence
    assert "more [1, 3, 64, 64]" in sentence


def test_a_model_that_fails_on_its_warm_up_frame(path):
    # It says that it takes any size, and has been made for one.
    blob_model(path, width=64, height=64, dynamic=True)
    assert "warm-up" in refused(path, input_size=square(96))


def test_what_is_no_file_is_not_waited_for(path):
    os.mkfifo(path)
    assert "expected a file" in refused(path)


@pytest.mark.parametrize("field", ["scale", "mean", "deviation"])
def test_of_a_model_that_takes_bytes_nothing_is_scaled(path, field):
    path.write_bytes(detector("yolov8", Wish(dtype="uint8")))
    value = 2.0 if field == "scale" else [0.5, 0.5, 0.5]
    sentence = refused(path, entry={"pixels": {field: value}})
    assert f"pixels.{field}: " in sentence


def test_a_threshold_of_a_class_that_it_does_not_know(path):
    blob_model(path)
    sentence = refused(path, entry={"thresholds": {"red": 0.5, "zebra": 0.5}})
    assert "thresholds: 'zebra'" in sentence


def test_a_file_of_another_digest_is_refused_with_both(path):
    digest = hashlib.sha256(blob_model(path).read_bytes()).hexdigest()
    assert load(path, entry={"sha256": digest}).info.sha256 == digest
    sentence = refused(path, entry={"sha256": "0" * 64})
    assert "sha256" in sentence
    assert digest in sentence
    assert "0" * 64 in sentence


@pytest.mark.parametrize(
    ("metadata", "stated", "version"),
    [
        ({}, None, "0"),
        ({"version": "8.3.1"}, None, "8.3.1"),
        ({"version": "8.3.1"}, "2026-11", "2026-11"),
        ({"version": "x" * 65}, None, "0"),
        ({"version": "two\nlines"}, None, "0"),
    ],
)
def test_a_version_is_the_manifests_else_the_files_where_it_is_one(path, metadata, stated, version):
    blob_model(path, metadata=metadata)
    entry = None if stated is None else {"version": stated}
    assert load(path, entry=entry).info.version == version


def test_labels_of_the_manifest_go_before_those_in_the_file(path):
    loaded = load(blob_model(path), entry={"labels": ["rot", "grün", "blau"]})
    assert loaded.info.labels == ("rot", "grün", "blau")


def test_a_wide_session_is_loaded_where_it_has_more_threads(path):
    blob_model(path)
    assert load(path, intra_threads=2, wide_threads=2).wide is None
    loaded = load(path, intra_threads=1, wide_threads=2)
    assert loaded.wide is not None
    assert loaded.origin.wide_seconds is not None
    assert loaded.origin.wide_seconds > 0.0 < loaded.origin.narrow_seconds
