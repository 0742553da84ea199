"""A model: checked before it is loaded, warmed before it is used."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from detection import labels, onnx_file
from detection.errors import ModelError
from detection.layouts import LAYOUTS, Layout
from detection.letterbox import Canvas
from sightline.messages import ModelInfo
from telemetry import logs

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
}
_MAX_INPUT_SIDE = 8192
_MEGABYTE = 1_000_000
_PROVIDERS = ["CPUExecutionProvider"]

log = logs.get("detection.model")


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A loaded model. `run` may be called from any number of threads at once."""

    info: ModelInfo
    layout: Layout
    dtype: np.dtype[Any]
    session: onnxruntime.InferenceSession
    input_name: str
    output_names: tuple[str, ...]

    def canvas(self) -> Canvas:
        """An input tensor of this model's size and type."""
        return Canvas(width=self.info.input_width, height=self.info.input_height, dtype=self.dtype)

    def run(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        """The outputs for one input; takes as long as inference takes, without the GIL."""
        outputs: list[NDArray[Any]] = self.session.run(self.output_names, {self.input_name: tensor})
        return outputs


def find(path: Path) -> list[Path]:
    """The model files that a setting means: one file, or all of a folder in order of name."""
    if path.is_dir():
        found = sorted(path.glob("*.onnx"))
        if not found:
            raise ModelError(f"{path}: expected *.onnx files in this folder, found none")
        return found
    if not path.exists():
        raise ModelError(f"{path}: there is no such file or folder")
    return [path]


def load(
    path: Path,
    *,
    layout: str,
    input_size: int | None,
    max_megabytes: float,
    intra_threads: int,
) -> Model:
    """Check, load and warm one model. Raises ModelError in one sentence that names the file.

    `input_size` is the side of the square for models that take any size; None is as the model says.
    """
    data = _read(path, max_megabytes)
    header = onnx_file.inspect(data, name=str(path))
    session = _session(path, data, intra_threads)
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    names = labels.labels_of(metadata)
    if isinstance(names, str):
        raise ModelError(f"{path}: {names}")
    chosen = LAYOUTS[layout]
    width, height, dtype = _input(path, session, metadata, input_size)
    outputs = session.get_outputs()
    mismatch = chosen.mismatch([output.shape for output in outputs], labels=len(names))
    if mismatch is not None:
        raise ModelError(f"{path}: {mismatch}")
    if outputs[0].type not in _DTYPES:
        raise ModelError(
            f"{path}: expected an output of float32 or float16, found {outputs[0].type}"
        )
    model = Model(
        info=ModelInfo(
            name=path.stem,
            version=metadata.get("version", "0"),
            sha256=hashlib.sha256(data).hexdigest(),
            labels=names,
            input_width=width,
            input_height=height,
            layout=chosen.name,
            provider=session.get_providers()[0],
        ),
        layout=chosen,
        dtype=dtype,
        session=session,
        input_name=session.get_inputs()[0].name,
        output_names=tuple(output.name for output in outputs),
    )
    seconds = _warm(path, model)
    log.info(
        "model loaded",
        model=model.info.name,
        model_version=model.info.version,
        sha256=model.info.sha256,
        labels=len(names),
        input=f"{width}x{height}",
        opset=header.opset,
        warm_up_ms=round(seconds * 1000.0, 1),
    )
    return model


def _read(path: Path, max_megabytes: float) -> bytes:
    try:
        size = path.stat().st_size
        if size > max_megabytes * _MEGABYTE:
            raise ModelError(
                f"{path}: the file has {size / _MEGABYTE:.0f} MB,"
                f" at most {max_megabytes:g} MB are taken"
            )
        # Read once: what is checked and hashed is what is loaded, whatever happens to the file.
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error


def _session(path: Path, data: bytes, intra_threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Spinning threads take the cores from the lanes that have work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(data, sess_options=options, providers=_PROVIDERS)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: ONNX Runtime refuses it: {reason}") from error


def _input(
    path: Path,
    session: onnxruntime.InferenceSession,
    metadata: dict[str, str],
    input_size: int | None,
) -> tuple[int, int, np.dtype[Any]]:
    """Width, height and type of the one input, or a ModelError."""
    inputs = session.get_inputs()
    expected = "expected one input [1, 3, height, width] of float32 or float16"
    if len(inputs) != 1:
        raise ModelError(f"{path}: {expected}, found {len(inputs)} inputs")
    shape, kind = list(inputs[0].shape), inputs[0].type
    found = f"found [{', '.join(str(side) for side in shape)}] of {kind}"
    batch_and_planes = zip(shape[:2], (1, 3), strict=False)
    if (
        len(shape) != 4
        or kind not in _DTYPES
        or any(isinstance(side, int) and side != wanted for side, wanted in batch_and_planes)
    ):
        raise ModelError(f"{path}: {expected}, {found}")
    stated = labels.input_size_of(metadata) or (640, 640)
    if input_size is not None:
        stated = (input_size, input_size)
    height, width = (
        side if isinstance(side, int) else wanted
        for side, wanted in zip(shape[2:], stated, strict=True)
    )
    stride = labels.stride_of(metadata)
    if not all(0 < side <= _MAX_INPUT_SIDE and side % stride == 0 for side in (width, height)):
        raise ModelError(
            f"{path}: expected input sides that are multiples of {stride},"
            f" at most {_MAX_INPUT_SIDE}, found {height} x {width}"
        )
    return width, height, _DTYPES[kind]


def _warm(path: Path, model: Model) -> float:
    """Run once on a gradient and look at what comes out; gives the seconds it took."""
    canvas = model.canvas()
    tensor = canvas.tensor
    tensor[:] = np.linspace(0.0, 1.0, tensor.size).reshape(tensor.shape)
    began = time.perf_counter()
    try:
        outputs = model.run(tensor)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: it fails on a warm-up frame: {reason}") from error
    seconds = time.perf_counter() - began
    shapes = [output.shape for output in outputs]
    reason_or_none = model.layout.mismatch(shapes, labels=len(model.info.labels))
    reason_or_none = reason_or_none or model.layout.implausible(outputs[0])
    if reason_or_none is not None:
        raise ModelError(f"{path}: {reason_or_none}")
    return seconds
