"""Quantise a detector to eight bits: the same boxes, about half again as fast on VNNI machines.

    python models/quantise.py MODEL.onnx OUT.onnx IMAGE...

The images should look like what the cameras see; a hundred are plenty. They are prepared as the
service does it: by the model's layout, and by what `models.toml` beside it says of it. Copy that
entry for what comes out, with its new name and sha256.

What comes out is QDQ with unsigned activations and signed weights for each channel (U8S8): what
x86 has instructions for. Signed activations (S8S8) are more than twice as slow there. The layers
after the last convolutions stay in floats: the decoding of boxes needs more than 256 steps.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from detection import image, letterbox
from detection.canvas import Canvas
from detection.errors import DetectionError
from detection.layouts.layout import Preparation
from detection.models import manifest
from detection.models.form import InputForm
from detection.models.loading import load
from detection.models.manifest import Listed
from detection.models.model import Model, Options


class Pictures(CalibrationDataReader):
    """The images as the model gets them, one after the other."""

    def __init__(self, model: Model, files: list[Path]) -> None:
        self._model = model
        self._left = self._prepared(files)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)

    def _prepared(self, files: list[Path]) -> Iterator[dict[str, np.ndarray]]:
        form, preparation = self._model.form, self._model.preparation
        canvas = Canvas(form, preparation)
        for file in files:
            picture = image.read(file.read_bytes(), max_megapixels=200.0)
            box = letterbox.fit(
                image_width=picture.width,
                image_height=picture.height,
                size=form.size,
                how=preparation.fit,
            )
            canvas.place(
                image.decode(picture, width=box.content_width, height=box.content_height), box
            )
            values = floats(canvas.tensor, form, preparation)
            yield {form.name: values, **self._model.companions}


def floats(pixels: np.ndarray, form: InputForm, preparation: Preparation) -> np.ndarray:
    """What the file itself takes: (pixel * scale - mean) / deviation."""
    colours = (3,) if form.channels_last else (3, 1, 1)
    mean = np.reshape(preparation.mean or (0.0, 0.0, 0.0), colours)
    deviation = np.reshape(preparation.deviation or (1.0, 1.0, 1.0), colours)
    return ((pixels * preparation.scale - mean) / deviation).astype(np.float32)


def listed(path: Path, layout: str | None) -> Listed:
    """The model as its folder's manifest has it, where that names it."""
    if (path.parent / manifest.FILE).exists():
        for each in manifest.read(path.parent).models.values():
            if each.path.resolve() == path.resolve():
                return each
    said = {"name": "model", "file": path.name} | ({} if layout is None else {"layout": layout})
    return manifest.listed(said, path.parent)


def tail(model: onnx.ModelProto) -> list[str]:
    """The nodes from which no convolution follows any more: the decoding of boxes and scores."""
    before_conv: set[str] = set()
    for node in reversed(model.graph.node):
        if node.op_type in ("Conv", "MatMul", "Gemm") or before_conv.intersection(node.output):
            before_conv.update(node.input)
    return [
        node.name
        for node in model.graph.node
        if node.op_type not in ("Conv", "MatMul", "Gemm")
        and not before_conv.intersection(node.output)
    ]


def quantise(
    source: Path,
    target: Path,
    files: list[Path],
    *,
    layout: str | None = None,
    signed: bool = False,
) -> None:
    """Write the quantised model; what the file says of itself is kept.

    Raises DetectionError: a model that would not be served is not quantised either.
    """
    model = load(listed(source, layout), Options())
    if model.form.dtype != "float32":
        raise DetectionError(f"{source}: expected an input of float32, found {model.form.dtype}")
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        graph = onnx.load(str(prepared))
        for number, node in enumerate(graph.graph.node):
            node.name = node.name or f"{node.op_type}_{number}"
        onnx.save(graph, str(prepared))
        quantize_static(
            str(prepared),
            str(target),
            Pictures(model, files),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=tail(graph),
        )
    original, made = onnx.load(str(source)), onnx.load(str(target))
    onnx.helper.set_model_props(made, {each.key: each.value for each in original.metadata_props})
    onnx.save(made, str(target))


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--layout", help="where neither models.toml nor the file tells it")
    parser.add_argument("--signed", action="store_true", help="S8S8, to see how slow that is")
    options = parser.parse_args()
    try:
        quantise(
            options.model,
            options.out,
            options.images,
            layout=options.layout,
            signed=options.signed,
        )
    except DetectionError as error:
        print(f"quantise: {error}", file=sys.stderr)
        return 1
    before, after = options.model.stat().st_size, options.out.stat().st_size
    print(f"{options.out}: {before / 1e6:.1f} MB → {after / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
