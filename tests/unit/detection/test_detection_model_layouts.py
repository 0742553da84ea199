"""Which layout a file is of is told by what says so first, and refused where nothing does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fakes.detectors import DETECTORS
from fakes.models import LABELS, blob_model, constant_model, names
from loading import load, refused

EMPTY = np.zeros((1, 4 + len(LABELS), 2), dtype=np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.onnx"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        # Of these no layout fits, or more than one: the sentence tells which, and what was found.
        ({"output": np.zeros((7, 2))}, ["[7, 2]"]),
        ({"output": EMPTY, "outputs": 2}, ["output1"]),
        # Two labels: a box and two scores, or a box, a score and a class number; in pixels or in
        # shares of the sides, as long as there is nothing to see.
        (
            {"output": np.zeros((1, 300, 6)), "metadata": {"names": "['car', 'boat']"}},
            ["end2end", "rtdetr", "rtdetr_topk", 'layout = "'],
        ),
    ],
)
def test_a_model_of_no_layout_or_of_several(path, options, words):
    sentence = refused(constant_model(path, **options))
    assert [word for word in words if word not in sentence] == []


@pytest.mark.parametrize(
    ("shape", "words"), [((1, 2, 7), "transpose"), ((1, 9, 7), "[1, 9, 7]"), ((7, 2), "[7, 2]")]
)
def test_a_model_that_is_not_of_its_stated_layout(path, shape, words):
    sentence = refused(constant_model(path, output=np.zeros(shape)), layout="yolov8")
    assert "[1, 7, n]" in sentence
    assert words in sentence


def test_a_file_that_keeps_its_shapes_to_itself_is_found_out_by_the_warm_up(path):
    constant_model(path, output=np.zeros((1, 2, 7)), declared=[1, "rows", "columns"])
    sentence = refused(path, layout="yolov8")
    assert "[1, 7, n]" in sentence
    assert "[1, 2, 7]" in sentence


def test_a_layout_that_there_is_none_of_is_refused_with_those_that_there_are(path):
    blob_model(path)
    for said in ({"layout": "yolov99"}, {"entry": {"layout": "yolov99"}}):
        sentence = refused(path, **said)
        assert "'yolov99'" in sentence
        assert all(layout in sentence for layout in DETECTORS)


@pytest.mark.parametrize(
    ("metadata", "said", "by"),
    [
        ({}, {"entry": {"layout": "yolov8"}}, "the manifest"),
        ({}, {"layout": "yolov8"}, "the settings"),
        ({"sightline.layout": "yolov8"}, {}, "`sightline.layout` in its metadata"),
        (
            {
                "author": "Ultralytics",
                "head": "Detect",
                "end2end": "False",
                "args": "{'nms': False}",
            },
            {},
            "its exporter's metadata",
        ),
        ({}, {}, "the names and shapes of its tensors"),
    ],
)
def test_what_told_the_layout_is_told(path, metadata, said, by):
    loaded = load(blob_model(path, metadata=metadata), **said)
    assert (loaded.info.layout, loaded.origin.layout_by) == ("yolov8", by)


def test_what_only_a_warm_up_frame_tells_apart(path):
    """Seven columns: a box and three scores each, or transposed nothing at all."""
    # Two labels: [1, n, 6] is a box and two scores, or a box, a score and a class number.
    output = np.zeros((1, 300, 6), dtype=np.float32)
    output[0, :2] = [[10, 10, 60, 60, 0.75, 1], [30, 20, 50, 40, 0.5, 0]]
    constant_model(path, output=output, metadata={"names": names(("car", "boat"))})
    loaded = load(path)
    assert (loaded.info.layout, loaded.origin.layout_by) == ("end2end", "a warm-up frame")
