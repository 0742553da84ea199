"""YOLOv8, YOLO11, YOLO12 and their kin: [1, 4 + labels, n] of centre, size, a score per class.

Source: the head of Ultralytics' Detect, exported without suppression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.layouts import evidence, table
from detection.layouts.layout import Candidates, InputSize, Preparation, Signature
from detection.layouts.proposals import NOTHING, corners, proposed
from detection.layouts.table import Table

_DENSE = 100
"""From so many boxes on, a head has one for every cell."""


class YoloV8(Table):
    """Boxes are centre x, y, width, height in input pixels; scores went through a sigmoid."""

    name = "yolov8"
    preparation = Preparation()
    suppressed = False

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:
        """Why a model that declares this is not of this layout."""
        rows = "4 + labels" if labels is None else str(4 + labels)
        counted = "" if labels is None else f"4 + {labels} labels, "
        expected = f"expected one output [1, {rows}, n] ({counted}layout {self.name})"
        wrong = table.alone(signature, layout=self.name, expected=expected)
        shape = signature.outputs[0].shape if wrong is None else ()
        if not shape:  # Without a single side the shape is not declared at all.
            return wrong
        second = shape[1] if len(shape) == 3 else 0
        least, most = (5, None) if labels is None else (4 + labels, 4 + labels)
        if isinstance(second, int) and (second < least or (most is not None and second > most)):
            return f"{expected}, found [{', '.join(map(str, shape))}]"
        return None

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,  # noqa: ARG002 - the shape has told
        size: InputSize,  # noqa: ARG002
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        output = outputs[0]
        return (
            evidence.not_finite(outputs)
            or evidence.not_scores(output[:, 4:], layout=self.name)
            # Such heads propose a box for every cell, all over the image.
            or evidence.not_pixels(output[0, :4].T, layout=self.name, fewest=_DENSE)
        )

    def candidates(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        confidence: float,
        size: InputSize,  # noqa: ARG002 - boxes are in its pixels already
    ) -> Candidates:
        """The boxes whose best class scores at least `confidence`."""
        rows = outputs[0][0]
        # Few of thousands pass, so that all that is exact is done with those only.
        passing = np.flatnonzero(_best(rows[4:]) >= confidence)
        if not len(passing):
            return NOTHING
        picked = rows[:, passing].astype(np.float32, copy=False)
        scores = picked[4:].max(axis=0)
        sure = scores >= confidence
        boxes, classes = picked[:4, sure].T, picked[4:, sure].argmax(axis=0)
        return proposed(corners(boxes), scores[sure], classes)


def _best(scores: NDArray[Any]) -> NDArray[Any]:
    """The highest of each column's scores, where it is no less than 0.

    numpy compares float16 in software, number by number. Of those that are not negative the bits
    count up as the numbers do, and integers are compared twelve times as fast.
    """
    if scores.dtype != np.float16:
        highest: NDArray[Any] = scores.max(axis=0)
        return highest
    bits: NDArray[Any] = scores.view(np.int16).max(axis=0)
    return bits.view(np.float16)
