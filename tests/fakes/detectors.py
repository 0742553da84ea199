"""A detector of each layout that really looks: it boxes red, green and blue, to the pixel.

It wants its image as models of its layout do (colours, scale, mean and deviation, order of axes),
and undoes that first: fed otherwise, it finds something else, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fakes.models import names

TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "uint8": TensorProto.UINT8,
    "int64": TensorProto.INT64,
}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
STRIDES = (8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a model wants its image."""

    axes: str = "NCHW"
    dtype: str = "float32"
    colours: str = "RGB"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    width: int = 96
    height: int = 64
    batch: int = 1

    @property
    def shape(self) -> list[int]:
        sides = [self.height, self.width]
        if self.axes == "CHW":
            return [3, *sides]
        return [self.batch, *sides, 3] if self.axes == "NHWC" else [self.batch, 3, *sides]


@dataclass
class Builder:
    """A graph as it grows; every operation gives the name of its output."""

    wish: Wish
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)

    def op(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        given = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self.nodes.append(helper.make_node(kind, given, [name], name=name, **attributes))
        return name

    def constant(self, value: Any) -> str:
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        name = f"constant_{len(self.constants)}"
        self.constants[name] = array
        return name

    def joined(self, *parts: Any, axis: int) -> str:
        return self.op("Concat", *parts, axis=axis)

    def input(self, name: str, dtype: str, shape: list[int]) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[dtype], shape))
        return name

    def output(self, name: str, value: str, shape: list[Any], dtype: str | None = None) -> None:
        dtype = dtype or ("float16" if self.wish.dtype == "float16" else "float32")
        self.nodes.append(helper.make_node("Cast", [value], [name], to=TYPES[dtype]))
        self.outputs.append(helper.make_tensor_value_info(name, TYPES[dtype], shape))

    def padded(self, table: str, rows: int, columns: int, value: Any = 0.0) -> str:
        return self.joined(table, np.full((1, rows, columns), value, dtype=float), axis=1)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the eye of every detector sees: three boxes, those of absent colours all nought."""

    corners: str
    """[1, 3, 4] in pixels of the input."""
    centred: str
    shares: str
    """As `centred`, of the input's sides."""
    scores: str
    """[1, 3, 3]: on the diagonal 1 or 0."""
    best: str
    """[1, 3, 1]."""


def eye(b: Builder, image: str) -> Found:
    wish = b.wish
    last = wish.axes == "NHWC"
    colours = (3,) if last else (3, 1, 1)
    # Where nothing is to be undone, the convolution reads the image itself, as most models do.
    value = image if wish.dtype == "float32" else b.op("Cast", image, to=TensorProto.FLOAT)
    if wish.dtype == "uint8":
        value = b.op("Mul", value, 1 / 255)
    else:
        if any(wish.mean):
            # pixel * scale = value * deviation + mean
            value = b.op(
                "Add",
                b.op("Mul", value, np.reshape(wish.deviation, colours)),
                np.reshape(wish.mean, colours),
            )
        if wish.scale != 1 / 255:
            value = b.op("Mul", value, 1 / 255 / wish.scale)
    if last:
        value = b.op("Transpose", value, perm=[0, 3, 1, 2])
    if wish.axes == "CHW":
        value = b.op("Unsqueeze", value, np.array([0]))
    if wish.batch > 1:
        value = b.op("Slice", value, np.array([0]), np.array([1]), np.array([0]))
    mix = np.array([[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]])
    # Rows are the labels red, green, blue; columns the planes as they come.
    mix = mix if wish.colours == "RGB" else mix[:, ::-1]
    purity = b.op("Conv", value, mix.reshape(3, 3, 1, 1))
    mask = b.op("Cast", b.op("Greater", purity, 0.5), to=TensorProto.FLOAT)
    near, far = {}, {}
    for axis, across, size in (("x", 2, wish.width), ("y", 3, wish.height)):
        line = b.op("ReduceMax", mask, axes=[across], keepdims=0)
        ramp = np.arange(1.0, size + 1)
        far[axis] = b.op("ReduceMax", b.op("Mul", line, ramp), axes=[2], keepdims=1)
        rest = b.op("ReduceMax", b.op("Mul", line, ramp[::-1].copy()), axes=[2], keepdims=1)
        near[axis] = b.op("Sub", float(size), rest)
    best = b.op("ReduceMax", b.op("ReduceMax", mask, axes=[3], keepdims=0), axes=[2], keepdims=1)
    corners = b.joined(near["x"], near["y"], far["x"], far["y"], axis=2)
    corners = b.op("Mul", corners, best)
    turn = np.array([[0.5, 0, -1, 0], [0, 0.5, 0, -1], [0.5, 0, 1, 0], [0, 0.5, 0, 1]])
    centred = b.op("MatMul", corners, turn)
    sides = np.array([wish.width, wish.height] * 2, dtype=float)
    return Found(
        corners=corners,
        centred=centred,
        shares=b.op("Div", centred, sides),
        scores=b.op("Mul", np.eye(3)[None], best),
        best=best,
    )


def classes(first: int = 0) -> np.ndarray:
    return (np.arange(3.0) + first).reshape(1, 3, 1)


def yolov8(b: Builder, found: Found) -> None:
    table = b.joined(found.centred, found.scores, axis=2)
    b.output("output0", b.op("Transpose", table, perm=[0, 2, 1]), [1, 7, 3])


def yolov5(b: Builder, found: Found) -> None:
    b.output("output0", b.joined(found.centred, found.best, found.scores, axis=2), [1, 3, 8])


def yolov6(b: Builder, found: Found) -> None:
    sure = np.ones((1, 3, 1))
    b.output("outputs", b.joined(found.centred, sure, found.scores, axis=2), [1, 3, 8])


def yolox(b: Builder, found: Found) -> None:
    # The first three cells of the first feature map; a size of nought has no logarithm.
    grid = np.array([[[0.0, 0], [1, 0], [2, 0]]])
    at = b.op("Slice", found.centred, np.array([0]), np.array([2]), np.array([2]))
    size = b.op("Slice", found.centred, np.array([2]), np.array([4]), np.array([2]))
    at = b.op("Sub", b.op("Mul", at, 1 / 8), grid)
    size = b.op("Log", b.op("Mul", b.op("Max", size, 0.01), 1 / 8))
    table = b.joined(at, size, found.best, found.scores, axis=2)
    rows = sum((b.wish.width // s) * (b.wish.height // s) for s in STRIDES)
    b.output("output", b.padded(table, rows - 3, 8), [1, rows, 8])


def yolox_decoded(b: Builder, found: Found) -> None:
    table = b.joined(found.centred, found.best, found.scores, axis=2)
    rows = sum((b.wish.width // s) * (b.wish.height // s) for s in STRIDES)
    # What is in no cell is somewhere in the input all the same.
    b.output("output", b.padded(table, rows - 3, 8, (40, 40, 8, 8, 0, 0, 0, 0)), [1, rows, 8])


def end2end(b: Builder, found: Found) -> None:
    b.output("output0", b.joined(found.corners, found.best, classes(), axis=2), [1, 3, 6])


def rtdetr(b: Builder, found: Found) -> None:
    b.output("output0", b.joined(found.shares, found.scores, axis=2), [1, 3, 7])


def rtdetr_topk(b: Builder, found: Found) -> None:
    b.output("output0", b.joined(found.shares, found.best, classes(), axis=2), [1, 3, 6])


def dfine(b: Builder, found: Found) -> None:
    sizes = b.op("Cast", b.input("orig_target_sizes", "int64", [1, 2]), to=TensorProto.FLOAT)
    sides = np.array([b.wish.width, b.wish.height] * 2, dtype=float)
    boxes = b.op("Mul", b.op("Div", found.corners, sides), b.joined(sizes, sizes, axis=1))
    labels = b.op("Squeeze", b.op("Add", b.op("Mul", found.best, 0.0), classes()), np.array([2]))
    b.output("labels", labels, [1, 3], "int64")
    b.output("boxes", boxes, [1, 3, 4])
    b.output("scores", b.op("Squeeze", found.best, np.array([2])), [1, 3])


def torchvision(b: Builder, found: Found) -> None:
    labels = b.op("Add", b.op("Mul", found.best, 0.0), classes())
    b.output("boxes", b.op("Squeeze", found.corners, np.array([0])), [3, 4])
    b.output("labels", b.op("Squeeze", labels, np.array([0, 2])), [3], "int64")
    b.output("scores", b.op("Squeeze", found.best, np.array([0, 2])), [3])


def tf_ssd(b: Builder, found: Found) -> None:
    swap = np.array([1, 0, 3, 2])
    sides = np.array([b.wish.width, b.wish.height] * 2, dtype=float)
    boxes = b.op("Gather", b.op("Div", found.corners, sides), swap, axis=2)
    counted = b.op("Add", b.op("Mul", found.best, 0.0), classes(first=1))
    b.output("detection_boxes", boxes, [1, 3, 4])
    b.output("detection_classes", b.op("Squeeze", counted, np.array([2])), [1, 3])
    b.output("detection_scores", b.op("Squeeze", found.best, np.array([2])), [1, 3])
    b.output("num_detections", b.op("Identity", np.array([3.0])), [1])


def logits(b: Builder, found: Found) -> str:
    return b.op("Sub", b.op("Mul", found.scores, 12.0), 6.0)


def hf_detr(b: Builder, found: Found) -> None:
    # Where the mask is not 1 there is no image, and nothing to see.
    sides = [1, b.wish.height, b.wish.width]
    mask = b.op("Cast", b.input("pixel_mask", "int64", sides), to=TensorProto.FLOAT)
    seen = b.op("ReduceMin", mask, keepdims=0)
    b.output("logits", b.joined(logits(b, found), np.zeros((1, 3, 1)), axis=2), [1, 3, 4])
    b.output("pred_boxes", b.op("Mul", found.shares, seen), [1, 3, 4])


def hf_rtdetr(b: Builder, found: Found) -> None:
    b.output("logits", logits(b, found), [1, 3, 3])
    b.output("pred_boxes", found.shares, [1, 3, 4])


def rfdetr(b: Builder, found: Found) -> None:
    b.output("dets", found.shares, [1, 3, 4])
    b.output("labels", b.joined(logits(b, found), np.full((1, 3, 1), -6.0), axis=2), [1, 3, 4])


_IMAGENET = Wish(mean=IMAGENET[0], deviation=IMAGENET[1])
_YOLOX = Wish(colours="BGR", scale=1.0)
DETECTORS: Mapping[str, tuple[Callable[[Builder, Found], None], Wish]] = {
    "yolov8": (yolov8, Wish()),
    "yolov5": (yolov5, Wish()),
    "yolov6": (yolov6, Wish()),
    "yolox": (yolox, _YOLOX),
    "yolox_decoded": (yolox_decoded, _YOLOX),
    "end2end": (end2end, Wish()),
    "rtdetr": (rtdetr, Wish()),
    "rtdetr_topk": (rtdetr_topk, Wish()),
    "dfine": (dfine, Wish()),
    "rfdetr": (rfdetr, _IMAGENET),
    "hf_detr": (hf_detr, _IMAGENET),
    "hf_rtdetr": (hf_rtdetr, Wish()),
    "tf_ssd": (tf_ssd, Wish(axes="NHWC", dtype="uint8")),
    "torchvision": (torchvision, Wish(axes="CHW")),
}
"""What models of each layout are trained with, as their makers have it."""


def detector(
    layout: str, wish: Wish | None = None, *, metadata: Mapping[str, str] | None = None
) -> bytes:
    """An ONNX file."""
    head, usual = DETECTORS[layout]
    b = Builder(wish or usual)
    image = b.input("image", b.wish.dtype, b.wish.shape)
    head(b, eye(b, image))
    graph = helper.make_graph(
        b.nodes,
        layout,
        b.inputs,
        b.outputs,
        [numpy_helper.from_array(value, name) for name, value in b.constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": names()} if metadata is None else dict(metadata))
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data
