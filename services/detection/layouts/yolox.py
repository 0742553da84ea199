"""YOLOX: [1, n, 5 + labels] of centre, size, objectness, a score per class, as the head gives them.

Source: Megvii-BaseDetection/YOLOX, `demo_postprocess` and tools/export_onnx.py. By default its
export leaves the boxes as offsets in the grid; with --decode_in_inference they are in pixels. Both
have the same shape; a warm-up frame tells which it is. The image is BGR of 0..255, in the upper
left corner of grey 114.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.layouts import table
from detection.layouts.layout import Boxes, Candidates, InputSize, Preparation, Signature
from detection.layouts.proposals import corners, proposed
from detection.layouts.pyramid import cells
from detection.layouts.table import Table
from detection.layouts.yolov5 import (
    HEAD,
    constant_objectness,
    mismatch,
    of_pixels,
    sure,
    wrong_scores,
)

_STRIDES = ((8, 16, 32), (8, 16, 32, 64))
_SPREAD = 16
"""The middle one of centres in pixels lies by half of the input's width, that of offsets within a
cell or two of nought. A 16th of the width is far from either."""


class _Head(Table):
    """What both ways to export it have in common."""

    name: str
    preparation = Preparation(fit="top_left", colours="BGR", padding=114, scale=1.0)
    suppressed = False

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:
        """Why a model that declares this is not of this layout."""
        return mismatch(signature, layout=self.name, labels=labels, several=False)

    def wrong_rows(self, outputs: Sequence[NDArray[Any]], size: InputSize) -> str | None:
        """Why these are not the rows of such a head, wherever their boxes lie."""
        wrong = table.other_cells(
            outputs[0].shape[1], layout=self.name, size=size, several=False
        ) or wrong_scores(outputs, layout=self.name)
        if wrong is None and outputs[0].size and constant_objectness(outputs[0]):
            return f"expected objectness that differs (layout {self.name}), found 1 everywhere"
        return wrong


class YoloX(_Head):
    """Centres are offsets from their cell and sizes logarithms, both in strides of 8, 16 and 32."""

    name = "yolox"

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,  # noqa: ARG002 - the shape has told
        size: InputSize,
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        wrong = self.wrong_rows(outputs, size)
        if wrong is not None:
            return wrong
        count = outputs[0].shape[1]
        if _strides(count, size) is None:
            return (
                f"expected boxes of strides 8, 16 and 32 (layout {self.name}),"
                f" found {count} for an input of {size.width} x {size.height}"
            )
        middle = _middle(outputs[0])
        if middle > size.width / _SPREAD:
            return (
                f"expected centres as offsets in the grid (layout {self.name}), found"
                f" {middle:.4g} as the middle one for a warm-up frame: are they decoded already?"
            )
        return None

    def candidates(
        self, outputs: Sequence[NDArray[Any]], *, confidence: float, size: InputSize
    ) -> Candidates:
        """The boxes whose best class scores at least `confidence`."""
        rows = outputs[0][0]
        picked, scores, numbers = sure(rows, confidence=confidence)
        boxes = _decoded(picked[:, :4], numbers, count=len(rows), size=size)
        return proposed(boxes, scores, picked[:, HEAD:].argmax(axis=1))


class YoloXDecoded(_Head):
    """YOLOX exported with --decode_in_inference: centres and sizes in pixels of the input."""

    name = "yolox_decoded"

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,  # noqa: ARG002 - the shape has told
        size: InputSize,
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        wrong = self.wrong_rows(outputs, size)
        if wrong is not None:
            return wrong
        middle = _middle(outputs[0])
        if middle <= size.width / _SPREAD:
            return (
                f"expected centres in pixels (layout {self.name}), found {middle:.4g} as the"
                " middle one for a warm-up frame: are they not decoded yet?"
            )
        return None

    def candidates(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        confidence: float,
        size: InputSize,  # noqa: ARG002 - boxes are in its pixels already
    ) -> Candidates:
        """The boxes whose best class scores at least `confidence`."""
        return of_pixels(outputs, confidence=confidence)


def _middle(output: NDArray[Any]) -> float:
    """The median of how far the centres' x lies from nought."""
    return float(np.median(np.abs(output[0, :, 0].astype(np.float32))))


def _strides(count: int, size: InputSize) -> tuple[int, ...] | None:
    for strides in _STRIDES:
        if sum(cells(size, stride) for stride in strides) == count:
            return strides
    return None


def _decoded(
    picked: NDArray[np.float32], numbers: NDArray[np.intp], *, count: int, size: InputSize
) -> Boxes:
    """Corners in pixels of rows [m, 4] that stand at `numbers` of the `count` in the output.

    Cells are numbered line by line, one feature map after the other.
    """
    strides = np.array(_strides(count, size) or _STRIDES[0])
    ends = np.cumsum([cells(size, int(stride)) for stride in strides])
    level = np.searchsorted(ends, numbers, side="right")
    stride = strides[level]
    first = np.concatenate([[0], ends])[level]
    line, column = np.divmod(numbers - first, size.width // stride)
    grid = np.stack([column, line], axis=1)
    pixels = stride[:, None].astype(np.float32)
    # A size beyond what float32 holds is infinite, and so no candidate.
    with np.errstate(over="ignore"):
        sizes = np.exp(picked[:, 2:]) * pixels
    return corners(np.concatenate([(picked[:, :2] + grid) * pixels, sizes], axis=1))
