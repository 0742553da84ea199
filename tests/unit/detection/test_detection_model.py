"""Models: what is loaded, and the sentence with which everything else is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from detection import app, model
from detection.errors import ModelError
from detection.model import Model
from detection.settings import Settings
from fakes.models import LABELS, blob_model, constant_model, names

EMPTY = np.zeros((1, 4 + len(LABELS), 2), dtype=np.float32)


def load(path: Path, **options) -> Model:
    usual = {"layout": "yolov8", "input_size": None, "max_megabytes": 100.0, "intra_threads": 1}
    return model.load(path, **{**usual, **options})


def refused(path: Path, **options) -> str:
    with pytest.raises(ModelError) as caught:
        load(path, **options)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    return sentence


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
    canvas = loaded.canvas()
    assert canvas.tensor.dtype == np.dtype(dtype)
    canvas.tensor[0, :, 8:16, 16:40] = np.array([1, 0, 0]).reshape(3, 1, 1)
    (output,) = loaded.run(canvas.tensor)
    found = loaded.layout.candidates(output, confidence=0.5)
    assert found.boxes.tolist() == [[16, 8, 40, 16]]
    assert found.classes.tolist() == [LABELS.index("red")]


@pytest.mark.parametrize(
    ("metadata", "input_size", "size"),
    [
        ({"imgsz": "[64, 96]"}, None, (96, 64)),  # height first
        ({"imgsz": "[64, 96]"}, 128, (128, 128)),
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
    info = load(blob_model(path, width=96, height=64), input_size=128).info
    assert (info.input_width, info.input_height) == (96, 64)


@pytest.mark.parametrize("imgsz", ["[60, 64]", "[0, 64]", "[-64, 64]", "[64, 8224]"])
def test_sides_must_be_multiples_of_the_stride_and_bounded(path, imgsz):
    blob_model(path, dynamic=True, metadata={"imgsz": imgsz})
    sentence = refused(path)
    assert "32" in sentence
    assert "8192" in sentence
    assert all(side.strip(" []") in sentence for side in imgsz.split(","))


def test_a_file_that_is_not_there(path):
    assert "No such file" in refused(path)


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
    graph = helper.make_graph([helper.make_node("NoSuchThing", ["a"], ["b"])], "odd", [], [])
    imports = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), str(path))
    sentence = refused(path)
    assert "ONNX Runtime" in sentence
    assert len(sentence) < len(str(path)) + 300


@pytest.mark.parametrize("metadata", [{}, {"names": "car"}, {"names": "{1: 'car'}"}])
def test_a_model_without_names(path, metadata):
    assert "`names`" in refused(constant_model(path, output=EMPTY, metadata=metadata))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"output": np.zeros((1, 2, 7))}, "transpose"),
        ({"output": np.zeros((1, 9, 7))}, "[1, 9, 7]"),
        ({"output": np.zeros((1, 300, 6))}, "suppression"),
        ({"output": np.zeros((1, 100, 8))}, "YOLOv5"),
        ({"output": np.zeros((7, 2))}, "[7, 2]"),
        ({"output": EMPTY, "outputs": 2}, "2 outputs"),
        # The file keeps its shape to itself; the warm-up tells.
        ({"output": np.zeros((1, 2, 7)), "declared": [1, "rows", "columns"]}, "transpose"),
    ],
)
def test_a_model_of_another_layout(path, options, words):
    sentence = refused(constant_model(path, **options))
    assert "[1, 7, n]" in sentence
    assert words in sentence


def test_a_model_whose_scores_are_logits(path):
    output = EMPTY.copy()
    output[0, 5, 0] = 4.5
    assert "logits" in refused(constant_model(path, output=output))


def test_a_model_that_gives_no_numbers(path):
    output = EMPTY.copy()
    output[0, 0, 0] = np.nan
    assert "not finite" in refused(constant_model(path, output=output))


@pytest.mark.parametrize(
    "shape", [(1, 1, 64, 64), (2, 3, 64, 64), (1, 64, 64, 3), (3, 64, 64), (1, 3, 64, 64, 1)]
)
def test_a_model_with_another_input(path, shape):
    sentence = refused(constant_model(path, output=EMPTY, input_shape=shape))
    assert "[1, 3, height, width]" in sentence
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
    load(cast(path, source=plain, target=plain))
    assert "uint8" in refused(cast(path, source=TensorProto.UINT8, target=plain))
    for kind, name in ((TensorProto.STRING, "string"), (TensorProto.INT64, "int64")):
        sentence = refused(cast(path, source=plain, target=kind))
        assert name in sentence
        assert "float32" in sentence


def test_a_model_with_two_inputs(path):
    plain = TensorProto.FLOAT
    assert "2 inputs" in refused(cast(path, source=plain, target=plain, inputs=2))


def test_a_model_that_fails_on_its_warm_up_frame(path):
    # It says that it takes any size, and has been made for one.
    blob_model(path, width=64, height=64, dynamic=True)
    assert "warm-up" in refused(path, input_size=96)


def test_a_folder_means_its_models_in_order_of_name(tmp_path):
    for name in ("b.onnx", "a.onnx", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in model.find(tmp_path)] == ["a.onnx", "b.onnx"]
    assert model.find(tmp_path / "b.onnx") == [tmp_path / "b.onnx"]


def test_a_folder_without_models_and_no_folder_at_all(tmp_path):
    with pytest.raises(ModelError, match=r"\*\.onnx") as caught:
        model.find(tmp_path)
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(ModelError, match="no such file or folder"):
        model.find(tmp_path / "nowhere")


def test_the_default_model_comes_first(tmp_path):
    for name in ("a", "b", "c"):
        blob_model(tmp_path / f"{name}.onnx")
    settings = {"models": str(tmp_path)}
    assert list(app.load_models(Settings(**settings))) == ["a", "b", "c"]
    assert list(app.load_models(Settings(**settings, default_model="c"))) == ["c", "a", "b"]
    with pytest.raises(ModelError, match=r"default_model: 'd'.*a, b, c"):
        app.load_models(Settings(**settings, default_model="d"))
