"""A model's input tensor: one a lane, used again and again."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detection.layouts.layout import Preparation
from detection.letterbox import Letterbox
from detection.models.form import InputForm


class Canvas:
    """Bytes in the model's form. What the model does to them before it looks is in its graph.

    Of a batch that the file fixes, the first image is the one that counts; the others stay grey.
    """

    def __init__(self, form: InputForm, preparation: Preparation) -> None:
        self.tensor: NDArray[np.uint8] = np.full(form.shape, preparation.padding, dtype=np.uint8)
        self._padding = preparation.padding
        self._swap = preparation.colours == "BGR"
        self._planes = not form.channels_last
        # [3, height, width], or [height, width, 3].
        self._image: NDArray[np.uint8] = self.tensor if form.axes == "CHW" else self.tensor[0]
        self._last: Letterbox | None = None

    def place(self, content: NDArray[np.uint8], at: Letterbox) -> None:
        """Put `content` ([content_height, content_width, 3], RGB) where `at` says."""
        if at != self._last:
            self._image.fill(self._padding)
            self._last = at
        rows = slice(at.top, at.top + at.content_height)
        columns = slice(at.left, at.left + at.content_width)
        if self._planes:
            planes: list[Any] = [plane[rows, columns] for plane in self._image]
            cv2.split(content, planes[::-1] if self._swap else planes)
        elif self._swap:
            cv2.cvtColor(content, cv2.COLOR_RGB2BGR, dst=self._image[rows, columns])
        else:
            self._image[rows, columns] = content
