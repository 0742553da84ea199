"""From what a model writes to boxes in pixels: the last steps, which many layouts share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.layouts.layout import Boxes, Candidates, InputSize

NOTHING = Candidates(
    boxes=np.empty((0, 4), dtype=np.float32),
    scores=np.empty(0, dtype=np.float32),
    classes=np.empty(0, dtype=np.intp),
)
"""What is proposed for most frames of a camera that stands still: it costs nothing to make."""


def corners(rows: NDArray[Any]) -> Boxes:
    """x1, y1, x2, y2 from [n, 4] of centre x, centre y, width, height."""
    rows = rows.astype(np.float32, copy=False)
    centre, half = rows[:, :2], rows[:, 2:] * np.float32(0.5)
    # What is infinite is no box, and `proposed` leaves it out.
    with np.errstate(invalid="ignore"):
        return np.concatenate([centre - half, centre + half], axis=1)


def in_pixels(normalised: NDArray[Any], size: InputSize) -> Boxes:
    """Pixels of the input from [n, 4] whose x and y are shares of its sides."""
    sides = np.array([size.width, size.height] * 2, dtype=np.float32)
    scaled: Boxes = normalised.astype(np.float32, copy=False) * sides
    return scaled


def sigmoid(logits: NDArray[Any]) -> NDArray[np.float32]:
    """0..1 for each logit."""
    # An exponential that overflows is a score of nought, as it should be.
    with np.errstate(over="ignore"):
        powers: NDArray[np.float32] = np.exp(-logits.astype(np.float32, copy=False))
    return np.float32(1.0) / (np.float32(1.0) + powers)


def softmax(logits: NDArray[Any]) -> NDArray[np.float32]:
    """0..1 for each of a row's logits, 1 in all."""
    logits = logits.astype(np.float32, copy=False)
    # Logits that are infinite are none: what comes of them is no candidate.
    with np.errstate(invalid="ignore"):
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
    shares: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def sure(scores: NDArray[Any], *, confidence: float) -> NDArray[np.intp]:
    """Where scores [n] are at least `confidence`, and more than padding's."""
    return np.flatnonzero((scores >= confidence) & (scores > 0.0))


def proposed(boxes: NDArray[Any], scores: NDArray[Any], classes: NDArray[Any]) -> Candidates:
    """Candidates of boxes [n, 4], scores [n] and class numbers [n]; no score is above 1.

    A row of which anything is not finite is none, nor is one whose class is below 0.
    """
    boxes = boxes.astype(np.float32, copy=False)
    real = np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & np.isfinite(classes)
    real &= classes >= 0
    if not real.all():
        boxes, scores, classes = boxes[real], scores[real], classes[real]
    return Candidates(
        boxes=boxes,
        scores=np.clip(scores.astype(np.float32, copy=False), 0.0, 1.0),
        classes=classes.astype(np.intp, copy=False),
    )
