"""RT-DETR as Ultralytics exports it: boxes are centre and size, as shares of the input's sides.

Source: Ultralytics' `RTDETRDecoder` and `RTDETRPredictor`, which stretches the image. Up to its
version 8.3 it gives every query with a score per class, [1, n, 4 + labels]; later the surest pairs
of query and class, [1, n, 6]. All scores went through a sigmoid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.layouts import evidence, table
from detection.layouts.end2end import Final
from detection.layouts.layout import Boxes, Candidates, InputSize, Preparation, Signature
from detection.layouts.proposals import corners, in_pixels, proposed
from detection.layouts.table import Table

_HEAD = 4
_PREPARATION = Preparation(fit="stretch")


class RtDetr(Table):
    """Rows are centre x, y, width, height and a score for each class."""

    name = "rtdetr"
    preparation = _PREPARATION
    suppressed = True

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:
        """Why a model that declares this is not of this layout."""
        return table.mismatch(signature, layout=self.name, head=_HEAD, labels=labels)

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,  # noqa: ARG002 - the shape has told
        size: InputSize,  # noqa: ARG002
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        rows = outputs[0].reshape(-1, outputs[0].shape[2])
        meant = rows[rows[:, _HEAD:].max(axis=1) > 0.0]
        return (
            evidence.not_finite(outputs)
            or evidence.not_scores(rows[:, _HEAD:], layout=self.name)
            or evidence.not_normalised(meant[:, :_HEAD], layout=self.name)
        )

    def candidates(
        self, outputs: Sequence[NDArray[Any]], *, confidence: float, size: InputSize
    ) -> Candidates:
        """The boxes whose best class scores at least `confidence`."""
        rows = outputs[0][0]
        best = rows[:, _HEAD:].max(axis=1)
        chosen = np.flatnonzero(best >= confidence)
        boxes = corners(in_pixels(rows[chosen, :_HEAD], size))
        return proposed(boxes, best[chosen], rows[chosen, _HEAD:].argmax(axis=1))


class RtDetrTopK(Final):
    """The box is centre x, y, width, height."""

    name = "rtdetr_topk"
    preparation = _PREPARATION

    def wrong_boxes(self, rows: NDArray[Any]) -> str | None:
        """They are no shares."""
        return evidence.not_normalised(rows, layout=self.name)

    def boxes(self, rows: NDArray[np.float32], size: InputSize) -> Boxes:
        """Corners of what is there as centre and size."""
        return corners(in_pixels(rows, size))
