"""The port of the Open Inference Protocol over plain ONNX Runtime sessions, and small models."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from detection.errors import DetectionError, TensorError
from detection.layouts.layout import Tensor

KINDS = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}
"""ONNX's name for each datatype of the protocol."""

_NUMPY = {"float": "float32", "double": "float64", "string": "str"}


@dataclass
class OnnxModel:
    """One session, run in a thread."""

    name: str
    version: str
    session: onnxruntime.InferenceSession
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    refusal: DetectionError | None = None
    """Raised instead of running."""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def admit(self, *, deadline: float, client: str) -> None:
        return

    async def infer(
        self,
        inputs: Mapping[str, NDArray[Any]],
        outputs: Sequence[str],
        *,
        deadline: float,
        client: str,
    ) -> Sequence[NDArray[Any]]:
        self.asked.append({"deadline": deadline, "client": client, "outputs": list(outputs)})
        if self.refusal is not None:
            raise self.refusal
        try:
            return await asyncio.to_thread(self.session.run, list(outputs), dict(inputs))
        except Exception as error:
            raise TensorError(f"the model cannot run on them: {error}", field="inputs") from error


def opened(path: Path, *, version: str = "1") -> OnnxModel:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def told(values: Sequence[Any]) -> list[Tensor]:
        kinds = [value.type.removeprefix("tensor(").removesuffix(")") for value in values]
        return [
            Tensor(name=value.name, shape=tuple(value.shape), dtype=_NUMPY.get(kind, kind))
            for value, kind in zip(values, kinds, strict=True)
        ]

    return OnnxModel(
        name=path.stem,
        version=version,
        session=session,
        inputs=told(session.get_inputs()),
        outputs=told(session.get_outputs()),
    )


@dataclass
class OnnxModels:
    """Every model of a folder."""

    models: dict[str, OnnxModel]
    reason: str | None = None

    @classmethod
    def of(cls, folder: Path) -> OnnxModels:
        return cls({path.stem: opened(path) for path in sorted(folder.glob("*.onnx"))})

    def find(self, name: str, version: str | None) -> OnnxModel | None:
        model = self.models.get(name)
        return model if model is None or version in (None, model.version) else None

    def names(self) -> Sequence[str]:
        return list(self.models)

    def ready(self) -> str | None:
        return self.reason


def _saved(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> Path:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def echo_model(path: Path) -> Path:
    """Gives back what it takes: one tensor of each datatype, and of any length."""
    value = helper.make_tensor_value_info
    return _saved(
        path,
        [helper.make_node("Identity", [f"{name}_in"], [f"{name}_out"]) for name in KINDS],
        [value(f"{name}_in", kind, [f"n_{name}"]) for name, kind in KINDS.items()],
        [value(f"{name}_out", kind, [f"n_{name}"]) for name, kind in KINDS.items()],
    )


def sums_model(path: Path) -> Path:
    """Two inputs, two outputs: a + b and a - b, for any number of rows of four."""
    value = helper.make_tensor_value_info
    rows = ["rows", 4]
    return _saved(
        path,
        [
            helper.make_node("Add", ["a", "b"], ["sum"]),
            helper.make_node("Sub", ["a", "b"], ["difference"]),
        ],
        [value(name, TensorProto.FLOAT, rows) for name in ("a", "b")],
        [value(name, TensorProto.FLOAT, rows) for name in ("sum", "difference")],
    )


def values_of(datatype: str, count: int, *, seed: int = 0) -> NDArray[Any]:
    """Anything that this datatype can hold; texts are `str` objects."""
    rng = np.random.default_rng(seed)
    if datatype == "BYTES":
        texts = ["", "ä€😀", *(f"text {number}" for number in rng.integers(0, 99, count))]
        return np.array(texts[:count], dtype=object)
    if datatype == "BOOL":
        return rng.random(count) < 0.5
    if datatype.startswith("FP"):
        return rng.standard_normal(count).astype(f"float{datatype[2:]}")
    dtype = np.dtype(datatype.lower())
    bounds = np.iinfo(dtype)
    return rng.integers(bounds.min, bounds.max, count, dtype=dtype, endpoint=True)
