"""What every layout must tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detection.letterbox import Boxes

Shape = Sequence[int | str | None]
"""A declared shape; what is not a number is only known once the model has run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidates:
    """What a model proposes, before suppression: n boxes in pixels of the input."""

    boxes: Boxes
    scores: NDArray[np.float32]
    """[n], 0..1."""
    classes: NDArray[np.intp]
    """[n], indices into the labels."""


class Layout(Protocol):
    """One way to write boxes into an output tensor."""

    @property
    def name(self) -> str:
        """As the settings and GET /v1/models call it."""
        ...

    def mismatch(self, shapes: Sequence[Shape], *, labels: int) -> str | None:
        """Why outputs of these shapes are not of this layout: what was expected, what found."""
        ...

    def implausible(self, output: NDArray[Any]) -> str | None:
        """Why this output of a warm-up frame cannot be what this layout means."""
        ...

    def candidates(self, output: NDArray[Any], *, confidence: float) -> Candidates:
        """The boxes whose best class scores at least `confidence`."""
        ...
