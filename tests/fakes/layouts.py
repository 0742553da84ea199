"""Detectors whose boxes are known: what a model of each layout would write, and as an ONNX file.

The encoders are the layouts read backwards, box by box, as the papers and exporters have them; they
share nothing with the product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOATS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}
INTS = {"int64": TensorProto.INT64, "int32": TensorProto.INT32}
TYPES = {**FLOATS, **INTS, "uint8": TensorProto.UINT8}


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A box that a detector sees: corners in pixels of its input."""

    box: tuple[float, float, float, float]
    score: float
    label: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What there is to see, and the detector that sees it."""

    things: Sequence[Thing]
    labels: int
    width: int
    height: int
    rows: int = 100
    """Queries, or boxes that are left after suppression."""
    first_row: int = 0
    """Where the first of them stands among the rows or cells; the others follow."""


Outputs = dict[str, Any]


def centred(thing: Thing) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = thing.box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def shares(values: Sequence[float], scene: Scene) -> list[float]:
    sides = (scene.width, scene.height) * 2
    return [value / side for value, side in zip(values, sides, strict=True)]


def logit(score: float) -> float:
    return math.log(score / (1 - score))


def cells(scene: Scene, strides: Sequence[int] = (8, 16, 32)) -> list[tuple[int, int, int]]:
    """Stride, column and line of every cell, in the order of the heads."""
    return [
        (stride, column, line)
        for stride in strides
        for line in range(scene.height // stride)
        for column in range(scene.width // stride)
    ]


def place(number: int, count: int, scene: Scene) -> int:
    """A row for the numbered thing; no two have the same."""
    return (scene.first_row + number) % count


def dense(scene: Scene, *, head: int, anchors: int, background: float) -> np.ndarray:
    """[n, head + labels]: a box about every cell, and next to no score; then the things."""
    grid = [cell for cell in cells(scene) for _ in range(anchors)]
    table = np.full((len(grid), head + scene.labels), background)
    for row, (stride, column, line) in enumerate(grid):
        table[row, :4] = (column + 0.5) * stride, (line + 0.5) * stride, stride * 3, stride * 2
    for number, thing in enumerate(scene.things):
        row = place(number, len(grid), scene)
        table[row, :4] = centred(thing)
        table[row, head + thing.label] = thing.score
    return table


def yolov8(scene: Scene) -> Outputs:
    return {"output0": dense(scene, head=4, anchors=1, background=0.001).T[None]}


def with_objectness(scene: Scene, anchors: int) -> np.ndarray:
    table = dense(scene, head=5, anchors=anchors, background=0.01)
    for number, thing in enumerate(scene.things):
        row = place(number, len(table), scene)
        # Both are below 1, and neither alone is the score.
        table[row, 4] = math.sqrt(thing.score)
        table[row, 5 + thing.label] = math.sqrt(thing.score)
    return table


def yolov5(scene: Scene) -> Outputs:
    return {"output0": with_objectness(scene, 3)[None]}


def yolov6(scene: Scene) -> Outputs:
    table = dense(scene, head=5, anchors=1, background=0.001)
    table[:, 4] = 1.0
    return {"outputs": table[None]}


def yolox_decoded(scene: Scene) -> Outputs:
    return {"output": with_objectness(scene, 1)[None]}


def yolox(scene: Scene) -> Outputs:
    table = with_objectness(scene, 1)
    for row, (stride, column, line) in enumerate(cells(scene)):
        x, y, width, height = table[row, :4]
        table[row, :4] = (
            x / stride - column,
            y / stride - line,
            math.log(width / stride),
            math.log(height / stride),
        )
    return {"output": table[None]}


def end2end(scene: Scene) -> Outputs:
    table = np.zeros((scene.rows, 6))
    for number, thing in enumerate(scene.things):
        table[place(number, scene.rows, scene)] = *thing.box, thing.score, thing.label
    return {"output0": table[None]}


def rtdetr(scene: Scene) -> Outputs:
    table = np.full((scene.rows, 4 + scene.labels), 0.01)
    table[:, :4] = 0.5
    for number, thing in enumerate(scene.things):
        row = place(number, scene.rows, scene)
        table[row, :4] = shares(centred(thing), scene)
        table[row, 4 + thing.label] = thing.score
    return {"output0": table[None]}


def rtdetr_topk(scene: Scene) -> Outputs:
    table = np.full((scene.rows, 6), 0.01)
    table[:, :4] = 0.5
    table[:, 5] = scene.labels - 1
    for number, thing in enumerate(scene.things):
        row = place(number, scene.rows, scene)
        table[row] = *shares(centred(thing), scene), thing.score, thing.label
    return {"output0": table[None]}


def verdicts(scene: Scene, background: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    boxes = np.tile([0.0, 0.0, scene.width, scene.height], (scene.rows, 1))
    classes = np.full(scene.rows, background)
    scores = np.full(scene.rows, 0.004)
    for number, thing in enumerate(scene.things):
        row = place(number, scene.rows, scene)
        boxes[row], classes[row], scores[row] = thing.box, thing.label, thing.score
    return boxes, classes, scores


def dfine(scene: Scene) -> Outputs:
    boxes, classes, scores = verdicts(scene, 0)
    return {
        "labels": classes[None].astype(np.int64),
        "boxes": boxes[None],
        "scores": scores[None],
    }


def torchvision(scene: Scene) -> Outputs:
    boxes, classes, scores = verdicts(scene, scene.labels - 1)
    return {"boxes": boxes, "labels": classes.astype(np.int64), "scores": scores}


def tf_ssd(scene: Scene) -> Outputs:
    boxes = np.zeros((scene.rows, 4))
    classes = np.ones(scene.rows)
    scores = np.zeros(scene.rows)
    for row, thing in enumerate(scene.things):
        x1, y1, x2, y2 = shares(thing.box, scene)
        boxes[row], classes[row], scores[row] = (y1, x1, y2, x2), thing.label + 1, thing.score
    return {
        "detection_boxes": boxes[None],
        "detection_classes": classes[None],
        "detection_scores": scores[None],
        "num_detections": np.array([float(len(scene.things))]),
    }


def queries(scene: Scene, classes: int, *, softmax: bool) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and logits; with a softmax the last class is no object, and takes what is left."""
    boxes = np.full((scene.rows, 4), 0.5)
    logits = np.full((scene.rows, classes), -6.0)
    if softmax:
        logits[:, -1] = 9.0
    for number, thing in enumerate(scene.things):
        row = place(number, scene.rows, scene)
        boxes[row] = shares(centred(thing), scene)
        logits[row, thing.label] = logit(thing.score)
        if softmax:
            # exp(a) / (exp(a) + exp(0) + next to nothing) is the score.
            logits[row, -1] = 0.0
            logits[row, :-1] = np.where(
                np.arange(classes - 1) == thing.label, logits[row, :-1], -20
            )
    return boxes[None], logits[None]


def hf_detr(scene: Scene) -> Outputs:
    boxes, logits = queries(scene, scene.labels + 1, softmax=True)
    return {"logits": logits, "pred_boxes": boxes}


def hf_rtdetr(scene: Scene) -> Outputs:
    boxes, logits = queries(scene, scene.labels, softmax=False)
    return {"logits": logits, "pred_boxes": boxes}


def rfdetr(scene: Scene) -> Outputs:
    boxes, logits = queries(scene, scene.labels + 1, softmax=False)
    return {"dets": boxes, "labels": logits}


ENCODERS: Mapping[str, Callable[[Scene], Outputs]] = {
    "yolov8": yolov8,
    "yolov5": yolov5,
    "yolov6": yolov6,
    "yolox": yolox,
    "yolox_decoded": yolox_decoded,
    "end2end": end2end,
    "rtdetr": rtdetr,
    "rtdetr_topk": rtdetr_topk,
    "dfine": dfine,
    "rfdetr": rfdetr,
    "hf_detr": hf_detr,
    "hf_rtdetr": hf_rtdetr,
    "tf_ssd": tf_ssd,
    "torchvision": torchvision,
}


def written(name: str, scene: Scene, dtype: str = "float32") -> Outputs:
    """What a model of this layout writes, with its numbers of the type."""
    return {
        output: array.astype(dtype) if array.dtype.kind == "f" else array
        for output, array in ENCODERS[name](scene).items()
    }


def model(name: str, scene: Scene, *, dtype: str = "float32", metadata: Any = None) -> bytes:
    """An ONNX file that writes this whatever the image; sizes and masks really count."""
    node = helper.make_node
    outputs = written(name, scene, dtype)
    pixels: list[Any] = [1, 3, scene.height, scene.width]
    image, kind = "images", FLOATS[dtype]
    if name == "tf_ssd":
        image, pixels, kind = "input_tensor", [1, scene.height, scene.width, 3], TYPES["uint8"]
    elif name.startswith("hf_"):
        image = "pixel_values"
    inputs = [helper.make_tensor_value_info(image, kind, pixels)]
    # Nought times the image: so that the image is an input which the outputs hang on.
    nodes = [
        node("Cast", [image], ["numbers"], to=TensorProto.FLOAT),
        node("ReduceMean", ["numbers"], ["mean"], keepdims=0),
        node("Clip", ["mean", "zero", "zero"], ["nought"]),
    ]
    constants: dict[str, Any] = {"zero": np.float32(0)}
    if name == "dfine":
        # As the postprocessors of D-FINE and RT-DETR: shares times width and height.
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", INTS["int64"], [1, 2]))
        sides = np.array([scene.width, scene.height] * 2)
        outputs["boxes"] = (outputs["boxes"] / sides).astype(np.float32)
        nodes += [
            node("Cast", ["orig_target_sizes"], ["sides"], to=TensorProto.FLOAT),
            node("Concat", ["sides", "sides"], ["all_sides"], axis=1),
        ]
    if name == "hf_detr":
        # Where the mask is not 1 there is no image, and nothing to see.
        inputs.append(
            helper.make_tensor_value_info(
                "pixel_mask", INTS["int64"], [1, scene.height, scene.width]
            )
        )
        nodes += [
            node("Cast", ["pixel_mask"], ["mask"], to=TensorProto.FLOAT),
            node("ReduceMin", ["mask"], ["seen"], keepdims=0),
        ]
    for output, array in outputs.items():
        constants[f"{output}_known"] = array.astype(np.float32)
        nodes.append(node("Add", [f"{output}_known", "nought"], [f"{output}_read"]))
        last = f"{output}_read"
        if (name, output) == ("dfine", "boxes"):
            nodes.append(node("Mul", [last, "all_sides"], ["scaled"]))
            last = "scaled"
        if (name, output) == ("hf_detr", "pred_boxes"):
            nodes.append(node("Mul", [last, "seen"], ["masked"]))
            last = "masked"
        target = TYPES[array.dtype.name] if array.dtype.kind == "i" else FLOATS[dtype]
        nodes.append(node("Cast", [last], [output], to=target))
    graph = helper.make_graph(
        nodes,
        name,
        inputs,
        [
            helper.make_tensor_value_info(
                output,
                TYPES[array.dtype.name] if array.dtype.kind == "i" else FLOATS[dtype],
                list(array.shape),
            )
            for output, array in outputs.items()
        ],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(built, metadata or {})
    onnx.checker.check_model(built)
    return built.SerializeToString()
