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
from detection.layouts.end2end import sure
from detection.layouts.layout import Candidates, InputSize, Preparation, Signature
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


class RtDetrTopK(Table):
    """Rows are centre x, y, width, height, a score and the number of its class."""

    name = "rtdetr_topk"
    preparation = _PREPARATION
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
            or evidence.not_normalised(meant[:, :4], layout=self.name)
        )

    def candidates(
        self, outputs: Sequence[NDArray[Any]], *, confidence: float, size: InputSize
    ) -> Candidates:
        """The boxes that score at least `confidence`."""
        picked = sure(outputs[0][0], confidence=confidence)
        return proposed(corners(in_pixels(picked[:, :4], size)), picked[:, 4], picked[:, 5])
