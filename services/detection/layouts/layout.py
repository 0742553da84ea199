"""What every layout must tell: how its models want their pixels, and how they write their boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""[n, 4] of x1, y1, x2, y2 in pixels."""

Shape = tuple[int | str | None, ...]
"""A declared shape; what is not a number is only known once the model has run."""

Fit = Literal["letterbox", "top_left", "stretch"]
"""How the image lies in the input: scaled to fit and centred; the same in the upper left corner;
or both sides stretched, whatever the aspect ratio."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """An input or output as the model declares it."""

    name: str
    shape: Shape
    dtype: str
    """As numpy calls it: float32, float16, uint8, int8, int32, int64, bool or str."""

    def __str__(self) -> str:
        # Names are the file's own: whatever is in them, a sentence stays one line.
        name = " ".join(self.name.split())[:60]
        return f"{name} {written(self.shape)} of {self.dtype}"


def written(shape: Shape) -> str:
    """As sentences have it: [1, 3, height, ?]."""
    sides = ("?" if side is None else " ".join(str(side).split())[:20] for side in shape)
    return f"[{', '.join(sides)}]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """All that a model file says of itself, before it has run."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparation:
    """What becomes of the pixels: value = (pixel * scale - mean) / deviation, for each colour."""

    fit: Fit = "letterbox"
    colours: Literal["RGB", "BGR"] = "RGB"
    padding: int = 114
    """The grey around the image, 0..255."""
    scale: float = 1.0 / 255.0
    mean: tuple[float, float, float] | None = None
    """In the order of `colours`."""
    deviation: tuple[float, float, float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidates:
    """What a model proposes: n boxes in pixels of the input."""

    boxes: Boxes
    scores: NDArray[np.float32]
    """[n], 0..1."""
    classes: NDArray[np.intp]
    """[n], the model's own numbers of its classes: 0 is the first of its labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InputSize:
    """Pixels of the model's input."""

    width: int
    height: int


class Unaccompanied:
    """What layouts share whose models take the image and nothing else, unless they say so."""

    __slots__ = ()

    def companions(
        self,
        signature: Signature,  # noqa: ARG002
        *,
        size: InputSize,  # noqa: ARG002
    ) -> Mapping[str, NDArray[Any]]:
        """None."""
        return {}


class Layout(Protocol):
    """One way to write boxes into output tensors. Pure: no session, no file, no clock."""

    @property
    def name(self) -> str:
        """As the settings, the manifest and GET /v1/models call it."""
        ...

    @property
    def preparation(self) -> Preparation:
        """What its models want, unless a manifest says otherwise."""
        ...

    @property
    def suppressed(self) -> bool:
        """Whether its models have suppressed overlapping boxes themselves."""
        ...

    def bound(self, signature: Signature) -> Layout:
        """This layout, knowing which of the outputs of a model that fits it is which.

        Layouts that `choice` gives are bound already.
        """
        ...

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:
        """Why a model that declares this is not of this layout: what was expected, what found.

        `labels` is how many class names are known, None where none are. Sizes that are only known
        once the model has run do not count against it; the warm-up calls this again with the real
        ones.
        """
        ...

    def implausible(
        self, outputs: Sequence[NDArray[Any]], *, labels: int | None, size: InputSize
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means.

        Not finite, scores that are none, class numbers beyond the labels, boxes that are
        normalised where pixels are meant, or the other way round. Whatever a right model can give,
        as rarely as may be, is plausible: nothing found, for one.
        """
        ...

    def companions(self, signature: Signature, *, size: InputSize) -> Mapping[str, NDArray[Any]]:
        """Inputs besides the image, which are the same for every image (`orig_target_sizes`)."""
        ...

    def candidates(
        self, outputs: Sequence[NDArray[Any]], *, confidence: float, size: InputSize
    ) -> Candidates:
        """The boxes whose best class scores at least `confidence`, in the input's pixels.

        A class number may lie beyond the labels where a model writes its numbers out: who looks
        it up must expect that.

        `outputs` are in the order of the signature, of a batch of which the first image counts.
        """
        ...
