"""How an image lies in a model's input: scaled to fit and centred, in a corner, or stretched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detection.layouts.layout import Boxes, Fit, InputSize


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


def fit(
    *, image_width: int, image_height: int, size: InputSize, how: Fit = "letterbox"
) -> Letterbox:
    """The largest copy of the image that fits, in the middle of the input or its upper left corner.

    Or one that fills the input, whatever becomes of the image's shape.
    """
    input_width, input_height = size.width, size.height
    ratio = min(input_width / image_width, input_height / image_height)
    content_width = min(max(1, round(image_width * ratio)), input_width)
    content_height = min(max(1, round(image_height * ratio)), input_height)
    if how == "stretch":
        content_width, content_height = input_width, input_height
    centred = how == "letterbox"
    # An odd pixel of padding goes to the right and to the bottom.
    return Letterbox(
        image_width=image_width,
        image_height=image_height,
        input_width=input_width,
        input_height=input_height,
        content_width=content_width,
        content_height=content_height,
        left=(input_width - content_width) // 2 if centred else 0,
        top=(input_height - content_height) // 2 if centred else 0,
    )
