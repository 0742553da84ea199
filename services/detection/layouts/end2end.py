"""Heads that suppress by themselves: [1, n, 6] of x1, y1, x2, y2, score, class.

Source: Ultralytics' end-to-end heads (YOLOv10, YOLO26), which give the surest 300, and its exports
with nms=True (`NMSModel`), which fill the rows that are left with noughts. Boxes are in pixels of
the input.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.layouts import evidence, table
from detection.layouts.layout import Boxes, Candidates, InputSize, Preparation, Signature
from detection.layouts.proposals import proposed, sure
from detection.layouts.table import Table


class Final(Table, ABC):
    """Rows of a box, a score and the number of a class; a row of score 0 is none."""

    name: str
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
            or self.wrong_boxes(meant[:, :4])
        )

    def candidates(
        self, outputs: Sequence[NDArray[Any]], *, confidence: float, size: InputSize
    ) -> Candidates:
        """The boxes that score at least `confidence`."""
        rows = outputs[0][0]
        picked = rows[sure(rows[:, 4], confidence=confidence)]
        boxes = self.boxes(picked[:, :4].astype(np.float32, copy=False), size)
        return proposed(boxes, picked[:, 4], picked[:, 5])

    @abstractmethod
    def wrong_boxes(self, rows: NDArray[Any]) -> str | None:
        """Why the four numbers of the rows that are meant are no boxes of this layout."""

    @abstractmethod
    def boxes(self, rows: NDArray[np.float32], size: InputSize) -> Boxes:
        """Corners in pixels of the input, from a row's four numbers."""


class End2End(Final):
    """The box is its corners."""

    name = "end2end"
    preparation = Preparation()

    def wrong_boxes(self, rows: NDArray[Any]) -> str | None:
        """They are no pixels."""
        return evidence.not_pixels(rows, layout=self.name)

    def boxes(self, rows: NDArray[np.float32], size: InputSize) -> Boxes:  # noqa: ARG002
        """As they are."""
        return rows
