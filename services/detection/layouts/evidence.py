"""What a warm-up frame's outputs cannot be: each gives a sentence, or None where all is well.

A right model must never be refused for an unlucky frame, so that each rule asks for what no right
model gives: it finds nothing, little or nonsense on a frame without objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 0.02
"""How far over the ends a sigmoid may land in float16, or in eight bits."""
_UNIT = 2.0
"""Shares of a side are mostly below this, however far a box reaches out of the image; pixels are
mostly above."""
_MANY = 100
"""From as many values on, what all of them have in common is no accident."""


def not_finite(outputs: Sequence[NDArray[Any]]) -> str | None:
    """NaN or infinity anywhere."""
    for output in outputs:
        if output.dtype.kind == "f" and not np.isfinite(output).all():
            return "its output for a warm-up frame is not finite"
    return None


def not_scores(scores: NDArray[Any], *, layout: str) -> str | None:
    """Scores beyond 0..1."""
    low, high = float(scores.min(initial=0.0)), float(scores.max(initial=0.0))
    if low < -_ROUNDING or high > 1.0 + _ROUNDING:
        return (
            f"expected scores in 0..1 (layout {layout}), found {low:.3g}..{high:.3g}"
            " for a warm-up frame: are they logits?"
        )
    return None


def not_logits(logits: NDArray[Any], *, layout: str) -> str | None:
    """Logits that went through a sigmoid or a softmax already: all of many within 0..1.

    A model that means logits would be half sure or more of everything.
    """
    if logits.size < _MANY or np.ptp(logits) == 0.0:
        return None
    low, high = float(logits.min()), float(logits.max())
    if low >= 0.0 and high <= 1.0:
        return (
            f"expected logits (layout {layout}), found {low:.3g}..{high:.3g}"
            " for a warm-up frame: are they scores already?"
        )
    return None


def not_normalised(boxes: NDArray[Any], *, layout: str) -> str | None:
    """Pixels where shares of the input's sides are meant.

    `boxes` are those that the model means. The middle one of their numbers tells: some heads do
    not bound a box, and where they see nothing one of many may be as large as it likes.
    """
    middle = float(np.median(np.abs(boxes.astype(np.float32)))) if boxes.size else 0.0
    if middle > _UNIT:
        return (
            f"expected boxes in 0..1 of the input's sides (layout {layout}), found {middle:.5g}"
            " as the middle one for a warm-up frame: are they in pixels?"
        )
    return None


def not_pixels(boxes: NDArray[Any], *, layout: str, fewest: int = 1) -> str | None:
    """Shares of the input's sides where pixels are meant: all of the boxes in its first corner.

    `boxes` are those that the model means; nothing is said of less than `fewest` of them, nor
    where none of them has any extent.
    """
    reach = float(np.abs(boxes).max(initial=0.0))
    if len(boxes) >= fewest and 0.0 < reach <= _UNIT:
        return (
            f"expected boxes in pixels (layout {layout}), found none beyond {reach:.3g}"
            " for a warm-up frame: are they normalised?"
        )
    return None


def not_classes(classes: NDArray[Any], *, layout: str, labels: int | None) -> str | None:
    """Class numbers with a fraction, below 0 or beyond the labels.

    `classes` are those of boxes that the model means: what stands in padding does not matter.
    """
    if not classes.size:
        return None
    if (classes != np.rint(classes)).any():
        odd = float(classes[classes != np.rint(classes)][0])
        return (
            f"expected whole class numbers (layout {layout}), found {odd:.4g} for a warm-up frame"
        )
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or (labels is not None and high >= labels):
        upper = "" if labels is None else str(labels - 1)
        return (
            f"expected class numbers in 0..{upper} (layout {layout}),"
            f" found {low if low < 0 else high} for a warm-up frame"
        )
    return None
