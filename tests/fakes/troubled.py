"""Blob models that come to grief on bright images, as real sessions do on some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from fakes.images import encoded
from fakes.models import blob_model

SIDE = 64
BRIGHT = encoded(Image.new("RGB", (SIDE, SIDE), "white"), "PNG")
"""What these models fail on."""


def failing_model(path: Path, **metadata: str) -> Path:
    """Reads beyond the end of a constant where the image is bright: the run fails."""
    return _troubled(
        path,
        [
            helper.make_node("Mul", ["is_bright", "many"], ["index"]),
            helper.make_node("Gather", ["noughts", "index"], ["trouble"]),
        ],
        {"many": np.int64(10**6), "noughts": np.zeros(1, np.float32)},
        metadata,
    )


def endless_model(path: Path, **metadata: str) -> Path:
    """Goes round and round where the image is bright: the run comes to no end."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["goes_on"]),
            helper.make_node("Mul", ["x", "x"], ["x_next"]),
        ],
        "round",
        [
            value("round_number", TensorProto.INT64, []),
            value("go_on", TensorProto.BOOL, []),
            value("x", TensorProto.FLOAT, []),
        ],
        [value("goes_on", TensorProto.BOOL, []), value("x_next", TensorProto.FLOAT, [])],
    )
    return _troubled(
        path,
        [
            helper.make_node("Mul", ["is_bright", "many"], ["rounds"]),
            helper.make_node("Loop", ["rounds", "yes", "nought"], ["trouble"], body=body),
        ],
        {"many": np.int64(10**15), "yes": np.bool_(True), "nought": np.float32(0)},
        metadata,
    )


def _troubled(
    path: Path, nodes: list[Any], constants: dict[str, Any], metadata: dict[str, str]
) -> Path:
    """`trouble` is 0, and is added to what the blob model gives; `is_bright` is 0 or 1."""
    blob_model(path, width=SIDE, height=SIDE, metadata=metadata)
    model = onnx.load(str(path))
    graph = model.graph
    graph.node[-1].output[0] = "untroubled"
    constants = {"bright": np.float32(0.9), **constants}
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()
    )
    graph.node.extend(
        [
            helper.make_node("ReduceMean", ["pixels"], ["brightness"], keepdims=0),
            helper.make_node("Greater", ["brightness", "bright"], ["bright_or_not"]),
            helper.make_node("Cast", ["bright_or_not"], ["is_bright"], to=TensorProto.INT64),
            *nodes,
            helper.make_node("Add", ["untroubled", "trouble"], ["output0"]),
        ]
    )
    onnx.save(model, str(path))
    return path
