"""Non-maximum suppression: of boxes of one class that overlap, the surest stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detection.letterbox import Boxes

MAX_CANDIDATES = 4096
"""More than these, surest first, are not looked at: bounds the work that an image can cause."""


def suppress(
    boxes: Boxes,
    scores: NDArray[np.float32],
    classes: NDArray[np.intp],
    *,
    iou: float,
    limit: int,
) -> NDArray[np.intp]:
    """Indices of the boxes that stay, surest first, at most `limit` of them.

    A box goes when a surer one of its class, which stays, covers it with an intersection over
    union above `iou`. Of equal scores the first is the surer.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    boxes, classes = boxes[order], classes[order]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.arange(len(order))
    kept: list[int] = []
    while len(left) and len(kept) < limit:
        best, left = left[0], left[1:]
        kept.append(int(best))
        overlap = _intersections(boxes[best], boxes[left])
        # Multiplied out, so that two boxes without area do not divide nought by nought.
        covered = overlap > iou * (areas[best] + areas[left] - overlap)
        left = left[~(covered & (classes[left] == classes[best]))]
    return order[kept]


def _intersections(one: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Areas that `one` shares with each of `others`."""
    upper = np.maximum(one[:2], others[:, :2])
    lower = np.minimum(one[2:], others[:, 2:])
    sides = np.maximum(lower - upper, 0.0)
    shared: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return shared
