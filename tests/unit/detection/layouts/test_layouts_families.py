"""What is peculiar to a layout: the pixels it wants, its companions, its own numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detection.layouts import LAYOUTS
from detection.layouts.layout import InputSize, Signature, Tensor
from detection.layouts.pyramid import boxes_per_cell
from fakes.layouts import Scene, Thing, written

SIZE = InputSize(width=320, height=192)
SCENE = Scene(
    width=320,
    height=192,
    labels=5,
    things=(Thing(box=(40.0, 20.0, 120.0, 90.0), score=0.8, label=2),),
)
IMAGE = Tensor(name="images", shape=(1, 3, 192, 320), dtype="float32")


def signature(outputs, *inputs: Tensor) -> Signature:
    return Signature(
        inputs=inputs or (IMAGE,),
        outputs=tuple(
            Tensor(name=name, shape=array.shape, dtype=array.dtype.name)
            for name, array in outputs.items()
        ),
    )


def implausible(name: str, outputs, labels: int | None = 5, size: InputSize = SIZE) -> str | None:
    layout = LAYOUTS[name].bound(signature(outputs))
    return layout.implausible(list(outputs.values()), labels=labels, size=size)


@pytest.mark.parametrize(
    ("name", "fit", "colours", "top", "suppressed"),
    [
        ("yolov8", "letterbox", "RGB", 1.0, False),
        ("yolov5", "letterbox", "RGB", 1.0, False),
        ("yolov6", "letterbox", "RGB", 1.0, False),
        ("yolox", "top_left", "BGR", 255.0, False),
        ("yolox_decoded", "top_left", "BGR", 255.0, False),
        ("end2end", "letterbox", "RGB", 1.0, True),
        ("rtdetr", "stretch", "RGB", 1.0, True),
        ("rtdetr_topk", "stretch", "RGB", 1.0, True),
        ("dfine", "stretch", "RGB", 1.0, True),
        ("hf_rtdetr", "stretch", "RGB", 1.0, True),
        ("tf_ssd", "stretch", "RGB", 255.0, True),
        ("torchvision", "letterbox", "RGB", 1.0, True),
        # (1 - 0.406) / 0.225, the brightest blue.
        ("rfdetr", "stretch", "RGB", 2.64, True),
        ("hf_detr", "stretch", "RGB", 2.64, True),
    ],
)
def test_models_want_their_pixels_in_their_own_way(name, fit, colours, top, suppressed):
    layout = LAYOUTS[name]
    wanted = layout.preparation
    assert (wanted.fit, wanted.colours, wanted.padding) == (fit, colours, 114)
    assert layout.suppressed is suppressed
    mean, deviation = wanted.mean or (0, 0, 0), wanted.deviation or (1, 1, 1)
    brightest = [(255 * wanted.scale - m) / d for m, d in zip(mean, deviation, strict=True)]
    assert max(brightest) == pytest.approx(top, abs=0.01)


def test_yolox_is_decoded_by_its_strides():
    """A cell of each stride, by hand: cells of 320 x 192 are 960, 240 and 60."""
    table = np.full((1, 1260, 7), 0.01, dtype=np.float32)
    table[0, :, :4] = 0.0
    table[0, 41] = 0.5, 0.25, math.log(2), math.log(3), 1, 1, 0  # line 1, column 1 of 8
    table[0, 960 + 23] = 0.5, 0.5, 0, 0, 1, 0, 1  # line 1, column 3 of 16
    table[0, 1200 + 59] = -0.5, 0, math.log(0.5), 0, 1, 1, 0  # line 5, column 9 of 32
    found = LAYOUTS["yolox"].candidates([table], confidence=0.5, size=SIZE)
    assert found.boxes == pytest.approx(
        np.array([[4, -2, 20, 22], [48, 16, 64, 32], [264, 144, 280, 176]]), abs=1e-4
    )
    assert found.classes.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("row", "box"),
    [
        (0, [0, 0, 8, 8]),
        (959, [312, 184, 320, 192]),
        (960, [0, 0, 16, 16]),
        (1199, [304, 176, 320, 192]),
        (1200, [0, 0, 32, 32]),
        (1259, [288, 160, 320, 192]),
    ],
)
def test_the_first_and_the_last_cell_of_each_stride_are_at_their_place(row, box):
    table = np.zeros((1, 1260, 6), dtype=np.float32)
    table[0, row] = 0.5, 0.5, 0, 0, 1, 1
    found = LAYOUTS["yolox"].candidates([table], confidence=0.5, size=SIZE)
    assert found.boxes.tolist() == [box]


def test_yolox_for_large_inputs_has_a_stride_more():
    size = InputSize(width=128, height=64)
    cells = {8: 128, 16: 32, 32: 8, 64: 2}
    table = np.zeros((1, sum(cells.values()), 6), dtype=np.float32)
    table[0, -1] = 0.5, 0.5, 0, 0, 1, 1  # the second cell of 64
    found = LAYOUTS["yolox"].candidates([table], confidence=0.5, size=size)
    assert found.boxes.tolist() == [[64.0, 0.0, 128.0, 64.0]]


def test_a_size_without_bounds_is_no_box():
    table = np.zeros((1, 1260, 6), dtype=np.float32)
    table[0, 0] = 0, 0, 1e6, 0, 1, 1
    with np.errstate(all="raise"):
        assert len(LAYOUTS["yolox"].candidates([table], confidence=0.5, size=SIZE).scores) == 0


@pytest.mark.parametrize(
    ("wrote", "reader", "words"),
    [
        ("yolox", "yolox_decoded", "not decoded yet"),
        ("yolox_decoded", "yolox", "decoded already"),
        ("yolov6", "yolox_decoded", "found 1 everywhere"),
        ("yolox_decoded", "yolov6", "1 as every objectness"),
        ("yolov5", "yolov6", "one box for each cell"),
        ("yolov5", "yolox", "one box for each cell"),
        ("yolov6", "yolov5", "several boxes for each cell"),
        ("end2end", "rtdetr_topk", "in pixels?"),
        ("rtdetr_topk", "end2end", "normalised?"),
    ],
)
def test_a_warm_up_frame_tells_layouts_of_one_shape_apart(wrote, reader, words):
    outputs = written(wrote, SCENE)
    assert implausible(wrote, outputs) is None
    assert words in implausible(reader, outputs)


@pytest.mark.parametrize("reader", ["yolov5", "yolov6", "yolox_decoded"])
def test_with_one_label_a_class_number_is_no_class_score(reader):
    scene = Scene(
        width=320,
        height=192,
        labels=1,
        rows=37,
        things=(Thing(box=(9, 9, 90, 90), score=0.8, label=0),),
    )
    outputs = written("end2end", scene)
    assert implausible("end2end", outputs, labels=1) is None
    assert implausible(reader, outputs, labels=1) is not None


def test_a_class_score_is_no_class_number():
    scene = Scene(width=320, height=192, labels=1, things=SCENE.things[:0])
    for name in ("end2end", "rtdetr_topk"):
        assert "whole class numbers" in implausible(name, written("yolov5", scene), labels=1)


@pytest.mark.parametrize("name", ["end2end", "rtdetr_topk", "dfine", "torchvision", "tf_ssd"])
def test_a_class_beyond_the_labels_is_told(name):
    outputs = written(name, SCENE)
    assert implausible(name, outputs, labels=5) is None
    assert implausible(name, outputs, labels=None) is None
    sentence = implausible(name, outputs, labels=2)
    assert "class numbers in 0..1" in sentence
    assert f"layout {name}" in sentence


@pytest.mark.parametrize("name", ["hf_detr", "hf_rtdetr", "rfdetr"])
def test_scores_are_no_logits(name):
    outputs = written(name, SCENE)
    key = "labels" if name == "rfdetr" else "logits"
    outputs[key] = 1 / (1 + np.exp(-outputs[key]))
    assert "scores already" in implausible(name, outputs)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("rtdetr", "output0"),
        ("rtdetr_topk", "output0"),
        ("hf_detr", "pred_boxes"),
        ("hf_rtdetr", "pred_boxes"),
        ("rfdetr", "dets"),
        ("tf_ssd", "detection_boxes"),
    ],
)
def test_pixels_are_no_shares(name, key):
    outputs = written(name, SCENE)
    outputs[key][..., :4] *= 320
    assert "are they in pixels?" in implausible(name, outputs)


@pytest.mark.parametrize(
    ("name", "key"), [("hf_rtdetr", "pred_boxes"), ("rfdetr", "dets"), ("rtdetr", "output0")]
)
def test_a_box_without_bounds_among_many_is_no_reason_to_refuse(name, key):
    """RF-DETR's sizes are exponentials: one that sees nothing may be of any size."""
    outputs = written(name, SCENE)
    outputs[key][0, 7, 2:4] = 40.0
    assert implausible(name, outputs) is None


@pytest.mark.parametrize("one", [1.0, 0.9961, 1.0039])
def test_the_objectness_of_yolov6_is_1_in_eight_bits_too(one):
    outputs = written("yolov6", SCENE)
    outputs["outputs"][0, :, 4] = one
    assert implausible("yolov6", outputs) is None
    for other in ("yolox", "yolox_decoded"):
        assert implausible(other, outputs) is not None


@pytest.mark.parametrize("name", ["dfine", "torchvision"])
def test_shares_are_no_pixels(name):
    outputs = written(name, SCENE)
    outputs["boxes"] = outputs["boxes"] / 320
    assert "are they normalised?" in implausible(name, outputs)


def test_dfine_is_told_the_width_before_the_height():
    sizes = Tensor(name="orig_target_sizes", shape=("N", 2), dtype="int64")
    told = LAYOUTS["dfine"].companions(signature(written("dfine", SCENE), IMAGE, sizes), size=SIZE)
    assert list(told) == ["orig_target_sizes"]
    assert told["orig_target_sizes"].tolist() == [[320, 192]]
    assert told["orig_target_sizes"].dtype == np.int64


@pytest.mark.parametrize(
    ("declared", "shape"),
    [
        (("batch", "height", "width"), (1, 192, 320)),
        (("batch", 64, 64), (1, 64, 64)),
        ((), (1, 192, 320)),
    ],
)
def test_a_pixel_mask_says_that_all_is_image(declared, shape):
    mask = Tensor(name="pixel_mask", shape=declared, dtype="int64")
    wanted = signature(written("hf_detr", SCENE), IMAGE, mask)
    told = LAYOUTS["hf_detr"].companions(wanted, size=SIZE)
    assert told["pixel_mask"].shape == shape
    assert told["pixel_mask"].dtype == np.int64
    assert (told["pixel_mask"] == 1).all()
    assert LAYOUTS["hf_detr"].companions(signature(written("hf_detr", SCENE)), size=SIZE) == {}


def test_a_class_of_tensorflow_below_the_first_is_none():
    outputs = written("tf_ssd", SCENE)
    outputs["detection_classes"][:] = 0.0
    layout = LAYOUTS["tf_ssd"].bound(signature(outputs))
    found = layout.candidates(list(outputs.values()), confidence=0.5, size=SIZE)
    assert len(found.scores) == 0
    assert "found -1" in implausible("tf_ssd", outputs)


def test_what_tensorflow_leaves_behind_its_count_is_padding():
    outputs = written("tf_ssd", SCENE)
    outputs["detection_scores"][:] = 0.9
    layout = LAYOUTS["tf_ssd"].bound(signature(outputs))
    found = layout.candidates(list(outputs.values()), confidence=0.5, size=SIZE)
    assert len(found.scores) == 1


def test_the_spare_logit_of_rf_detr_is_a_class_beyond_the_labels():
    outputs = written("rfdetr", SCENE)
    outputs["labels"][0, 3, 5] = 8.0
    found = LAYOUTS["rfdetr"].candidates(list(outputs.values()), confidence=0.5, size=SIZE)
    assert sorted(found.classes.tolist()) == [2, 5]


@pytest.mark.parametrize("logit", [-200.0, 200.0])
@pytest.mark.parametrize("name", ["hf_detr", "hf_rtdetr", "rfdetr"])
def test_logits_however_large_are_read_without_a_warning(name, logit):
    outputs = written(name, SCENE)
    key = "labels" if name == "rfdetr" else "logits"
    outputs[key][0, 0] = logit
    layout = LAYOUTS[name].bound(signature(outputs))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = layout.candidates(list(outputs.values()), confidence=0.3, size=SIZE)
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize(
    ("count", "side", "found"),
    [
        (8400, 640, {1}),
        (25200, 640, {3}),
        (8500, 640, {1}),
        (25500, 640, {3}),
        (34000, 640, {1, 4}),
        (6000, 640, {3}),
        (3549, 416, {1}),
        (300, 640, set()),
        (100, 640, set()),
        (0, 640, set()),
        (8, 16, set()),
    ],
)
def test_the_number_of_boxes_tells_how_many_a_cell_has(count, side, found):
    assert boxes_per_cell(count, InputSize(width=side, height=side)) == found
