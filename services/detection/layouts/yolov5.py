"""YOLOv5, YOLOv7 and YOLOv6: [1, n, 5 + labels] of centre, size, objectness, a score per class.

Source: the heads of ultralytics/yolov5, WongKinYiu/yolov7 and meituan/YOLOv6, exported without
suppression. All went through their sigmoids; boxes are in pixels of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.layouts import evidence, table
from detection.layouts.layout import Candidates, InputSize, Preparation, Signature
from detection.layouts.proposals import corners, proposed
from detection.layouts.table import Table

HEAD = 5
"""Columns before the class scores: centre x, centre y, width, height, objectness."""
_DENSE = 100
"""From so many boxes on, a head has one for every cell."""
_QUANTUM = 0.02
"""How far from 1 eight bits may put it."""


class YoloV5(Table):
    """A score is objectness times class score; a cell has several boxes, one for each anchor."""

    name = "yolov5"
    preparation = Preparation()
    suppressed = False
    several = True
    """Whether a cell has more than one box."""

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:
        """Why a model that declares this is not of this layout."""
        return mismatch(signature, layout=self.name, labels=labels, several=self.several)

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,  # noqa: ARG002 - the shape has told
        size: InputSize,
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        return table.other_cells(
            outputs[0].shape[1], layout=self.name, size=size, several=self.several
        ) or wrong_values(outputs, layout=self.name)

    def candidates(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        confidence: float,
        size: InputSize,  # noqa: ARG002 - boxes are in its pixels already
    ) -> Candidates:
        """The boxes whose best class scores at least `confidence`."""
        return of_pixels(outputs, confidence=confidence)


class YoloV6(YoloV5):
    """YOLOv6 has one box for each cell and no objectness: 1 stands in its column."""

    name = "yolov6"
    several = False

    def implausible(
        self, outputs: Sequence[NDArray[Any]], *, labels: int | None, size: InputSize
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        wrong = super().implausible(outputs, labels=labels, size=size)
        if wrong is None and not constant_objectness(outputs[0]):
            return f"expected 1 as every objectness (layout {self.name}), found others"
        return wrong


def mismatch(signature: Signature, *, layout: str, labels: int | None, several: bool) -> str | None:
    """Why a model that declares this has not one such row, or several, for each cell."""
    return table.mismatch(
        signature, layout=layout, head=HEAD, labels=labels
    ) or table.declared_cells(signature, layout=layout, several=several)


def of_pixels(outputs: Sequence[NDArray[Any]], *, confidence: float) -> Candidates:
    """The boxes whose best class scores at least `confidence`, where rows are in pixels."""
    picked, scores, _ = sure(outputs[0][0], confidence=confidence)
    return proposed(corners(picked[:, :4]), scores, picked[:, HEAD:].argmax(axis=1))


def sure(
    rows: NDArray[Any], *, confidence: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]:
    """The rows [m, 5 + labels] whose objectness times best class is at least `confidence`.

    Gives the rows, the products and where in `rows` they stand. Few of thousands are of any
    objectness, and no class score is above 1: the classes of the others are not looked at.
    """
    chosen = np.flatnonzero(rows[:, 4] >= confidence)
    picked = rows[chosen].astype(np.float32, copy=False)
    scores = picked[:, 4] * np.minimum(picked[:, HEAD:].max(axis=1, initial=0.0), 1.0)
    enough = scores >= confidence
    return picked[enough], scores[enough], chosen[enough]


def constant_objectness(output: NDArray[Any]) -> bool:
    """Whether 1 stands in the column of the objectness, everywhere, or what eight bits make of it.

    A model that means its objectness is never as sure of every cell.
    """
    return bool((np.abs(output[0, :, 4] - 1.0) < _QUANTUM).all())


def wrong_values(outputs: Sequence[NDArray[Any]], *, layout: str) -> str | None:
    """Numbers that are no scores, or boxes that are not in pixels."""
    output = outputs[0]
    return (
        wrong_scores(outputs, layout=layout)
        # Such heads propose a box for every cell, all over the image.
        or evidence.not_pixels(output[0, :, :4], layout=layout, fewest=_DENSE)
    )


def wrong_scores(outputs: Sequence[NDArray[Any]], *, layout: str) -> str | None:
    """Numbers that are not finite or no scores.

    With one label there are six columns, as heads have that suppress by themselves; but these
    have the number of a class in the last, which is 0 then, next to a score that is none.
    """
    output = outputs[0]
    wrong = evidence.not_finite(outputs) or evidence.not_scores(output[:, :, 4:], layout=layout)
    if wrong is None and output.shape[2] == HEAD + 1:
        objectness, classes = output[0, :, 4], output[0, :, HEAD]
        if not classes.any() and (objectness % 1.0).any():
            return (
                f"expected class scores in its last column (layout {layout}), found 0 everywhere"
                " for a warm-up frame: are they class numbers?"
            )
    return wrong
