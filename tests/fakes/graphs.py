"""Small graphs whose first steps matter, and that both ways through them come to the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from detection.layouts.layout import Preparation
from detection.models import onnx_file
from detection.models.folding import Folded, fold
from detection.models.form import InputForm, form_of

RNG = np.random.default_rng(5)
WEIGHTS = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
FLOAT, FLOAT16, UINT8 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8
SCALED = Preparation()
SHIFTED = Preparation(mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))
PREPARATIONS = [
    SCALED,
    SHIFTED,
    Preparation(scale=1.0),
    Preparation(scale=2 / 255, mean=(1.0, 1.0, 1.0)),
    Preparation(deviation=(0.5, 0.25, 2.0)),
    Preparation(mean=(0.0, 0.0, 0.0)),
]


def graph(
    nodes: list[Any],
    *,
    constants: dict[str, Any] | None = None,
    tensors: list[Any] | None = None,
    shape: list[Any] | None = None,
    kind: int = FLOAT,
    out: int | None = None,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 17,
    extra: dict[str, Any] | None = None,
) -> bytes:
    """A file with the input x."""
    made = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", kind, shape or [1, 3, 8, 6])],
        [helper.make_tensor_value_info(name, out or kind, None) for name in outputs],
        [
            *(
                numpy_helper.from_array(np.asarray(v), name)
                for name, v in (constants or {}).items()
            ),
            *(tensors or []),
        ],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(made, opset_imports=imports, ir_version=8, **(extra or {}))
    helper.set_model_props(model, {"names": "['a']", "note": "kept"})
    data: bytes = model.SerializeToString()
    return data


node = helper.make_node


def convolution(weights: Any = WEIGHTS, **options: Any) -> bytes:
    bias = np.arange(4, dtype=np.float32)
    constants = {"b": bias} if weights is None else {"w": weights, "b": bias}
    first = node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1], name="first")
    return graph([first], constants=constants, **options)


def form(data: bytes) -> InputForm:
    return form_of(onnx_file.inspect(data, name="x.onnx").signature, size=None)


def folded(data: bytes, preparation: Preparation = SCALED) -> Folded:
    return fold(data, form(data), preparation)


def run(data: bytes, name: str, tensor: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, {name: tensor})


def same(data: bytes, preparation: Preparation, *, close: float = 2e-5) -> Folded:
    """Both ways give the same for bytes of any kind; what was folded is given back."""
    before = form(data)
    after = folded(data, preparation)
    pixels = RNG.integers(0, 256, before.shape, dtype=np.uint8)
    for tensor in (pixels, np.zeros_like(pixels), np.full_like(pixels, 255)):
        colours = (3,) if before.channels_last else (3, 1, 1)
        mean = np.reshape(preparation.mean or (0.0,) * 3, colours)
        deviation = np.reshape(preparation.deviation or (1.0,) * 3, colours)
        values = (tensor.astype(np.float64) * preparation.scale - mean) / deviation
        expected = run(data, before.name, values.astype(before.dtype))
        found = run(after.data, after.input_name, tensor)
        for one, other in zip(expected, found, strict=True):
            assert one.dtype == other.dtype
            scale = max(1.0, float(np.abs(one.astype(np.float64)).max()))
            np.testing.assert_allclose(other, one, rtol=close, atol=close * scale)
    return after
