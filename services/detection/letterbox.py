"""How an image lies in a model's input: scaled to fit, centred, the rest grey (as Ultralytics)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""[n, 4] of x1, y1, x2, y2 in pixels."""

PADDING = 114
"""The grey around the image, 0..255: what these models were trained with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Letterbox:
    """Where the image (its content) lies in the input. All in whole pixels."""

    image_width: int
    image_height: int
    input_width: int
    input_height: int
    content_width: int
    content_height: int
    left: int
    top: int

    def to_image(self, boxes: Boxes) -> Boxes:
        """Boxes of the input as boxes of the image.

        The content's size is rounded, so that each axis has a scale of its own: using the exact
        ratio for both would be off by up to a pixel of the input at the far edge.
        """
        return (boxes - self._offset()) * self._scale()

    def to_input(self, boxes: Boxes) -> Boxes:
        """Boxes of the image as boxes of the input."""
        return boxes / self._scale() + self._offset()

    def _offset(self) -> Boxes:
        return np.array([self.left, self.top] * 2, dtype=np.float32)

    def _scale(self) -> Boxes:
        x = self.image_width / self.content_width
        y = self.image_height / self.content_height
        return np.array([x, y, x, y], dtype=np.float32)


def fit(*, image_width: int, image_height: int, input_width: int, input_height: int) -> Letterbox:
    """The largest copy of the image that fits, in the middle of the input."""
    ratio = min(input_width / image_width, input_height / image_height)
    content_width = min(max(1, round(image_width * ratio)), input_width)
    content_height = min(max(1, round(image_height * ratio)), input_height)
    # An odd pixel of padding goes to the right and to the bottom.
    return Letterbox(
        image_width=image_width,
        image_height=image_height,
        input_width=input_width,
        input_height=input_height,
        content_width=content_width,
        content_height=content_height,
        left=(input_width - content_width) // 2,
        top=(input_height - content_height) // 2,
    )


class Canvas:
    """A model's input tensor, [1, 3, height, width] of 0..1: one a lane, used again and again."""

    def __init__(self, *, width: int, height: int, dtype: np.dtype[Any]) -> None:
        self._grey = np.asarray(PADDING / 255.0, dtype=dtype)
        self.tensor = np.full((1, 3, height, width), self._grey, dtype=dtype)
        self._scale = np.asarray(1.0 / 255.0, dtype=dtype)
        self._last: Letterbox | None = None

    def place(self, content: NDArray[np.uint8], at: Letterbox) -> None:
        """Put `content` ([content_height, content_width, 3], RGB) where `at` says."""
        if at != self._last:
            self.tensor.fill(self._grey)
            self._last = at
        inside = self.tensor[
            0, :, at.top : at.top + at.content_height, at.left : at.left + at.content_width
        ]
        np.multiply(content.transpose(2, 0, 1), self._scale, out=inside, casting="same_kind")
