"""The form of a model's image input: its axes, size, batch and type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from detection.errors import ModelError
from detection.layouts.layout import InputSize, Signature, Tensor
from detection.models import labels
from detection.models.onnx_file import MAX_TENSOR_MEBIBYTES, mebibytes

MAX_SIDE = 8192
"""Pixels of an input."""
MAX_BATCH = 64

Axes = Literal["NCHW", "NHWC", "CHW"]
Dtype = Literal["float32", "float16", "uint8"]

_EXPECTED = (
    "expected an image input [n, 3, height, width] or [n, height, width, 3]"
    " of float32, float16 or uint8"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class InputForm:
    """How the image goes in."""

    name: str
    axes: Axes
    dtype: Dtype
    size: InputSize
    batch: int
    """Images that one run takes: what the file fixes, else one."""

    @property
    def channels_last(self) -> bool:
        """Whether the colours of a pixel are beside each other."""
        return self.axes == "NHWC"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        width, height = self.size.width, self.size.height
        if self.axes == "NHWC":
            return (self.batch, height, width, 3)
        return (3, height, width) if self.axes == "CHW" else (self.batch, 3, height, width)


def form_of(
    signature: Signature, *, size: InputSize | None, default_size: InputSize | None = None
) -> InputForm:
    """The form of the one input that can be an image. Raises ModelError (without the file's name).

    `size` is what somebody asked for, and must fit what the file fixes; `default_size` is what a
    model of any size gets otherwise, before what its metadata says.
    """
    found = [(tensor, axes) for tensor in signature.inputs if (axes := _axes(tensor)) is not None]
    if len(found) != 1:
        told = "; ".join(map(str, signature.inputs[:4]))
        raise ModelError(f"{_EXPECTED}, found {told}")
    tensor, axes = found[0]
    if tensor.dtype not in ("float32", "float16", "uint8"):
        raise ModelError(f"{_EXPECTED}, found {tensor}")
    batch = tensor.shape[0] if axes != "CHW" and isinstance(tensor.shape[0], int) else 1
    if batch > MAX_BATCH:
        raise ModelError(f"expected a batch of at most {MAX_BATCH}, found {tensor}")
    form = InputForm(
        name=tensor.name,
        axes=axes,
        dtype=tensor.dtype,  # type: ignore[arg-type] # it is one of the three
        size=_size(tensor, axes, signature.metadata, size, default_size),
        batch=batch,
    )
    # What the file leaves open is only known now.
    if mebibytes(form.shape, form.dtype) > MAX_TENSOR_MEBIBYTES:
        raise ModelError(
            f"expected an input of at most {MAX_TENSOR_MEBIBYTES} MiB, found"
            f" {list(form.shape)} of {form.dtype}"
        )
    return form


def _axes(tensor: Tensor) -> Axes | None:
    shape = tensor.shape
    if len(shape) == 3:
        return "CHW" if shape[0] == 3 else None
    if len(shape) != 4:
        return None
    if shape[1] == 3:
        return "NCHW"
    if shape[3] == 3:
        return "NHWC"
    if isinstance(shape[1], int) or isinstance(shape[3], int):
        # One of them is stated, and is not 3: then the colours must be the other one.
        free = [axes for axes, at in (("NCHW", 1), ("NHWC", 3)) if not isinstance(shape[at], int)]
        return free[0] if free else None  # type: ignore[return-value] # it is one of the two
    # Nothing is stated: TensorFlow's exporters write bytes with the colours last.
    return "NHWC" if tensor.dtype == "uint8" else "NCHW"


def _size(
    tensor: Tensor,
    axes: Axes,
    metadata: Mapping[str, str],
    asked: InputSize | None,
    default: InputSize | None,
) -> InputSize:
    at = {"NCHW": (2, 3), "NHWC": (1, 2), "CHW": (1, 2)}[axes]
    fixed = [tensor.shape[index] for index in at]
    stated = labels.input_size_of(metadata)
    wanted = asked or default or (InputSize(height=stated[0], width=stated[1]) if stated else None)
    wanted = wanted or InputSize(width=640, height=640)
    height, width = (
        side if isinstance(side, int) else wish
        for side, wish in zip(fixed, (wanted.height, wanted.width), strict=True)
    )
    if asked is not None and (asked.width, asked.height) != (width, height):
        raise ModelError(
            f"expected an input size of {width} x {height}, which the file fixes,"
            f" found input_size {asked.width} x {asked.height}"
        )
    # What the file fixes, it was made for; of what it leaves open, the strides must fit.
    stride = 1 if all(isinstance(side, int) for side in fixed) else labels.stride_of(metadata)
    if not all(0 < side <= MAX_SIDE and side % stride == 0 for side in (width, height)):
        multiples = f"that are multiples of {stride}, " if stride > 1 else ""
        raise ModelError(
            f"expected input sides {multiples}at most {MAX_SIDE}, found {height} x {width}"
        )
    return InputSize(width=width, height=height)
