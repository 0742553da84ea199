"""YOLOv8, YOLO11 and their kin: [1, 4 + labels, n] of centre, size and a score per class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.layouts.layout import Candidates, Shape

_ROUNDING = 1e-3
"""How far over the ends a sigmoid in float16 may land."""


class YoloV8:
    """Boxes are centre x, y, width, height in input pixels; scores went through a sigmoid."""

    name = "yolov8"

    def mismatch(self, shapes: Sequence[Shape], *, labels: int) -> str | None:
        """Why outputs of these shapes are not of this layout."""
        rows = 4 + labels
        expected = f"expected one output [1, {rows}, n] (4 + {labels} labels, layout {self.name})"
        if len(shapes) != 1:
            return f"{expected}, found {len(shapes)} outputs"
        shape = shapes[0]
        found = "[" + ", ".join(str(size) for size in shape) + "]"
        if len(shape) != 3:
            return f"{expected}, found {found}"
        batch, second, third = shape
        if _differs(batch, 1) or _differs(second, rows):
            hint = ""
            if third == rows:
                hint = ", which is its transpose"
            elif isinstance(third, int) and third == rows + 1:
                hint = ", which looks like YOLOv5"
            elif third == 6:
                hint = ", which looks like a head with suppression built in"
            return f"{expected}, found {found}{hint}"
        return None

    def implausible(self, output: NDArray[Any]) -> str | None:
        """Why this output cannot be meant: not finite, or scores that are none."""
        if not np.isfinite(output).all():
            return "its output for a warm-up frame is not finite"
        scores = output[0, 4:]
        low, high = float(scores.min(initial=0.0)), float(scores.max(initial=0.0))
        if low < -_ROUNDING or high > 1.0 + _ROUNDING:
            return (
                f"expected scores in 0..1 (layout {self.name}), found {low:.3g}..{high:.3g}"
                " for a warm-up frame: are they logits?"
            )
        return None

    def candidates(self, output: NDArray[Any], *, confidence: float) -> Candidates:
        """The boxes whose best class scores at least `confidence`."""
        rows = output[0]
        best = rows[4:].max(axis=0)
        # Few of thousands pass, so that which class it was is asked of those only.
        chosen = np.flatnonzero(best >= confidence)
        picked = rows[:, chosen].astype(np.float32, copy=False)
        centre, half = picked[:2], picked[2:4] * np.float32(0.5)
        return Candidates(
            boxes=np.concatenate([centre - half, centre + half]).T,
            scores=np.clip(picked[4:].max(axis=0), 0.0, 1.0),
            classes=picked[4:].argmax(axis=0),
        )


def _differs(size: int | str | None, expected: int) -> bool:
    """Whether a declared size is stated, and is another."""
    return isinstance(size, int) and size != expected
