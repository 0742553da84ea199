"""Small ONNX models in the YOLOv8 layout whose boxes follow from their input, exactly.

The blob model has the labels red, green and blue. It boxes everything in the input that is of one
of these colours, to the pixel, so that a painted rectangle is really detected at its place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LABELS = ("red", "green", "blue")
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}


def names(labels: tuple[str, ...] = LABELS) -> str:
    """As Ultralytics writes them."""
    return str(dict(enumerate(labels)))


def save(
    path: Path,
    *,
    nodes: list[Any],
    constants: dict[str, Any],
    inputs: list[tuple[str, list[Any]]],
    outputs: list[tuple[str, list[Any]]],
    metadata: dict[str, str],
    dtype: str = "float32",
) -> Path:
    kind = _TYPES[dtype]
    graph = helper.make_graph(
        nodes,
        "fake",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.save(model, str(path))
    return path


def blob_model(
    path: Path,
    *,
    width: int = 64,
    height: int = 64,
    dtype: str = "float32",
    dynamic: bool = False,
    metadata: dict[str, str] | None = None,
    slow_layers: int = 0,
) -> Path:
    """One box around all red, one around all green, one around all blue; scores 1 or 0.

    `slow_layers` convolutions are computed beside it and change nothing but the time it takes.
    """
    float32 = np.float32
    constants: dict[str, Any] = {
        # How much more of one colour than of the others there is: 0 for grey, 1 for pure.
        "mix": float32([[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]]).reshape(3, 3, 1, 1),
        "half": float32(0.5),
        "x_ramp": np.arange(1, width + 1, dtype=float32),
        "y_ramp": np.arange(1, height + 1, dtype=float32),
        "x_back": np.arange(width, 0, -1, dtype=float32),
        "y_back": np.arange(height, 0, -1, dtype=float32),
        "width": float32(width),
        "height": float32(height),
        "diagonal": np.eye(3, dtype=float32)[None],
        "zero": float32(0),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        node("Conv", ["pixels", "mix"], ["purity"]),
        node("Greater", ["purity", "half"], ["is_blob"]),
        node("Cast", ["is_blob"], ["mask"], to=TensorProto.FLOAT),
        node("ReduceMax", ["mask"], ["columns"], axes=[2], keepdims=0),
        node("ReduceMax", ["mask"], ["rows"], axes=[3], keepdims=0),
        node("ReduceMax", ["columns"], ["found"], axes=[2], keepdims=1),
    ]
    for axis, line, size in (("x", "columns", "width"), ("y", "rows", "height")):
        nodes += [
            node("Mul", [line, f"{axis}_ramp"], [f"{axis}_far"]),
            node("ReduceMax", [f"{axis}_far"], [f"{axis}2"], axes=[2], keepdims=1),
            node("Mul", [line, f"{axis}_back"], [f"{axis}_near"]),
            node("ReduceMax", [f"{axis}_near"], [f"{axis}_rest"], axes=[2], keepdims=1),
            node("Sub", [size, f"{axis}_rest"], [f"{axis}1"]),
            node("Add", [f"{axis}1", f"{axis}2"], [f"{axis}_sum"]),
            node("Mul", [f"{axis}_sum", "half"], [f"{axis}_centre"]),
            node("Sub", [f"{axis}2", f"{axis}1"], [f"{axis}_size"]),
        ]
    nodes += [
        node("Concat", ["x_centre", "y_centre", "x_size", "y_size"], ["boxes_by_blob"], axis=2),
        node("Transpose", ["boxes_by_blob"], ["boxes"], perm=[0, 2, 1]),
        node("Mul", ["diagonal", "found"], ["scores"]),
        node("Concat", ["boxes", "scores"], ["exact"], axis=1),
    ]
    last = "exact"
    if slow_layers:
        rng = np.random.default_rng(0)
        constants["widen"] = rng.random((32, 3, 3, 3), dtype=float32)
        constants["keep"] = rng.random((32, 32, 3, 3), dtype=float32) / float32(200)
        nodes.append(node("Conv", ["pixels", "widen"], ["slow_0"], pads=[1] * 4))
        for layer in range(slow_layers):
            nodes.append(
                node("Conv", [f"slow_{layer}", "keep"], [f"slow_{layer + 1}"], pads=[1] * 4)
            )
        nodes += [
            node("ReduceMean", [f"slow_{slow_layers}"], ["slow_mean"], keepdims=0),
            node("Clip", ["slow_mean", "zero", "zero"], ["slow_nought"]),
            node("Add", ["exact", "slow_nought"], ["slowly"]),
        ]
        last = "slowly"
    nodes.append(node("Cast", [last], ["output0"], to=_TYPES[dtype]))
    shape: list[Any] = ["batch", 3, "height", "width"] if dynamic else [1, 3, height, width]
    return save(
        path,
        nodes=nodes,
        constants=constants,
        inputs=[("images", shape)],
        outputs=[("output0", ["batch", 7, "anchors"] if dynamic else [1, 7, 3])],
        metadata={
            "names": names(),
            "stride": "32",
            "task": "detect",
            "imgsz": f"[{height}, {width}]",
            **(metadata or {}),
        },
        dtype=dtype,
    )


def constant_model(
    path: Path,
    *,
    output: Any,
    metadata: dict[str, str] | None = None,
    input_shape: tuple[Any, ...] = (1, 3, 64, 64),
    declared: list[Any] | None = None,
    outputs: int = 1,
) -> Path:
    """Gives the same output for any input; for models that must be refused."""
    output = np.asarray(output, dtype=np.float32)
    node = helper.make_node
    nodes = [
        node("ReduceMean", ["images"], ["mean"], keepdims=0),
        node("Clip", ["mean", "zero", "zero"], ["nought"]),
    ]
    nodes += [node("Add", ["constant", "nought"], [f"output{i}"]) for i in range(outputs)]
    return save(
        path,
        nodes=nodes,
        constants={"constant": output, "zero": np.float32(0)},
        inputs=[("images", list(input_shape))],
        outputs=[(f"output{i}", declared or list(output.shape)) for i in range(outputs)],
        metadata={"names": names(), "stride": "32"} if metadata is None else metadata,
    )
