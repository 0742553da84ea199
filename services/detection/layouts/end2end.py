"""Heads that suppress by themselves: [1, n, 6] of x1, y1, x2, y2, score, class.

Source: Ultralytics' end-to-end heads (YOLOv10, YOLO26), which give the surest 300, and its exports
with nms=True (`NMSModel`), which fill the rows that are left with noughts. Boxes are in pixels of
the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.layouts import evidence, table
from detection.layouts.layout import Candidates, InputSize, Preparation, Signature
from detection.layouts.proposals import proposed
from detection.layouts.table import Table


class End2End(Table):
    """Rows are corners, a score and the number of a class; a row of score 0 is none."""

    name = "end2end"
    preparation = Preparation()
    suppressed = True

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:  # noqa: ARG002
        """Why a model that declares this is not of this layout."""
        return table.fixed_mismatch(signature, layout=self.name, columns=6)

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,
        size: InputSize,  # noqa: ARG002
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        rows = outputs[0].reshape(-1, 6)
        meant = rows[rows[:, 4] > 0.0]
        return (
            evidence.not_finite(outputs)
            or evidence.not_scores(rows[:, 4], layout=self.name)
            or evidence.not_classes(meant[:, 5], layout=self.name, labels=labels)
            or evidence.not_pixels(meant[:, :4], layout=self.name)
        )

    def candidates(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        confidence: float,
        size: InputSize,  # noqa: ARG002 - boxes are in its pixels already
    ) -> Candidates:
        """The boxes that score at least `confidence`."""
        picked = sure(outputs[0][0], confidence=confidence)
        return proposed(picked[:, :4], picked[:, 4], picked[:, 5])


def sure(rows: NDArray[Any], *, confidence: float) -> NDArray[np.float32]:
    """Of rows [n, 6] those that score at least `confidence`, and more than padding does."""
    scores = rows[:, 4]
    return rows[(scores >= confidence) & (scores > 0.0)].astype(np.float32, copy=False)
