"""Non-maximum suppression: of boxes that overlap, the surest stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detection.layouts.layout import Boxes

MAX_CANDIDATES = 4096
"""More than these, surest first, are not looked at: bounds the work that an image can cause."""

Measure = Literal["iou", "ios"]
"""What the intersection is compared to: the union, or the smaller box of the two."""

_BLOCK = 64
"""So many at once are compared with each other, and what stays of them with all that are left. One
at a time costs a call for each that stays, all at once a matrix of all pairs; this was measured to
be the fastest from 20 to 1000 candidates, twice to ten times as fast as one at a time."""


def suppress(
    boxes: Boxes,
    scores: NDArray[np.float32],
    classes: NDArray[np.intp],
    *,
    iou: float,
    limit: int,
    agnostic: bool = False,
    measure: Measure = "iou",
    groups: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """Indices of the boxes that stay, surest first, at most `limit` of them.

    A box goes when a surer one of its class (with `agnostic`, of any class), which stays, covers
    it: when their intersection is above `iou` of their union, or with "ios" of the smaller of the
    two. Half of an object, as tiles cut it, is covered by the whole in the second sense only. Of
    equal scores the first is the surer. Boxes of the same one of `groups` do not cover each other.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    if len(order) < 2:
        return order[:limit]
    crowd = _Crowd(
        # Edges as rows: each is one stretch of memory.
        edges=np.ascontiguousarray(boxes[order].T),
        kinds=None if agnostic else classes[order],
        groups=None if groups is None else groups[order],
        threshold=iou,
        measure=measure,
    )
    left = np.arange(len(order))
    kept = np.empty(0, dtype=np.intp)
    while len(left) and len(kept) < limit:
        block, left = left[:_BLOCK], left[_BLOCK:]
        staying = block[_surest(crowd.covers(block, block))]
        kept = np.concatenate([kept, staying])
        if len(left):
            left = left[~crowd.covers(staying, left).any(axis=0)]
    return order[kept[:limit]]


def _surest(covers: NDArray[np.bool_]) -> list[int]:
    """Who stays, where [i, j] tells whether i covers j, and the surer come first."""
    gone = np.zeros(len(covers), dtype=np.bool_)
    kept: list[int] = []
    for number, covered in enumerate(covers):
        if not gone[number]:
            kept.append(number)
            gone |= covered
    return kept


@dataclass(frozen=True, kw_only=True, slots=True)
class _Crowd:
    """Boxes, surest first, and what it means that one covers another."""

    edges: Boxes
    """[4, n] of x1, y1, x2, y2."""
    kinds: NDArray[np.intp] | None
    groups: NDArray[np.intp] | None
    threshold: float
    measure: Measure

    def covers(self, ones: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.bool_]:
        """[i, j]: whether the i-th of `ones` covers the j-th of `others`."""
        x1, y1, x2, y2 = self.edges[:, ones, None]
        u1, v1, u2, v2 = self.edges[:, others]
        width = np.maximum(np.minimum(x2, u2) - np.maximum(x1, u1), 0.0)
        height = np.maximum(np.minimum(y2, v2) - np.maximum(y1, v1), 0.0)
        shared = width * height
        one, other = (x2 - x1) * (y2 - y1), (u2 - u1) * (v2 - v1)
        whole = one + other - shared if self.measure == "iou" else np.minimum(one, other)
        # Multiplied out, so that two boxes without area do not divide nought by nought.
        covers: NDArray[np.bool_] = shared > self.threshold * whole
        if self.kinds is not None:
            covers &= self.kinds[ones, None] == self.kinds[others]
        if self.groups is not None:
            covers &= self.groups[ones, None] != self.groups[others]
        return covers
