"""What a DETR writes: for each of its queries a box and a logit per class, in two outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from detection.layouts import evidence, image_input, roles
from detection.layouts.layout import Candidates, InputSize, Signature, Unaccompanied
from detection.layouts.proposals import corners, in_pixels, proposed, sigmoid
from detection.layouts.roles import Role

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""ImageNet's, of RGB in 0..1: what backbones are mostly trained with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Queries(Unaccompanied):
    """What layouts of boxes [1, n, 4] and logits [1, n, classes] have in common.

    Boxes are centre x, centre y, width, height as shares of the input's sides.
    """

    name: ClassVar[str]
    roles: ClassVar[tuple[Role, Role]]
    companion_names: ClassVar[frozenset[str]] = frozenset()

    places: tuple[int, ...] = (0, 1)
    """Where boxes and logits stand among the outputs."""

    def bound(self, signature: Signature) -> Self:
        """It knows which of the outputs is which."""
        return replace(self, places=roles.positions(signature, self.roles) or self.places)

    def boxes(self, outputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """[n, 4] of the first image."""
        first: NDArray[Any] = outputs[self.places[0]][0]
        return first

    def logits(self, outputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """[n, classes] of the first image."""
        first: NDArray[Any] = outputs[self.places[1]][0]
        return first

    def wrong_tensors(self, signature: Signature) -> str | None:
        """Why inputs and outputs are not those of this layout, whatever the number of classes."""
        return image_input.strangers(
            signature, layout=self.name, known=self.companion_names
        ) or roles.mismatch(
            signature,
            self.roles,
            roles.positions(signature, self.roles),
            layout=self.name,
        )

    def declared_classes(self, signature: Signature) -> int | None:
        """How many logits a query has, where that is declared."""
        place = roles.position(signature.outputs, self.roles[1])
        shape = () if place is None else signature.outputs[place].shape
        classes = shape[-1] if shape else None
        return classes if isinstance(classes, int) else None

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,  # noqa: ARG002 - the shape has told
        size: InputSize,  # noqa: ARG002
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        boxes, logits = self.boxes(outputs), self.logits(outputs)
        return (
            evidence.not_finite([boxes, logits])
            or evidence.not_logits(logits, layout=self.name)
            or evidence.not_normalised(boxes, layout=self.name)
        )

    def scores(self, outputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """[n, classes] of 0..1 for the first image: a sigmoid of each logit, if not said else."""
        return sigmoid(self.logits(outputs))

    def candidates(
        self, outputs: Sequence[NDArray[Any]], *, confidence: float, size: InputSize
    ) -> Candidates:
        """The boxes whose best class scores at least `confidence`."""
        scores = self.scores(outputs)
        best = scores.max(axis=1, initial=0.0)
        sure = np.flatnonzero(best >= confidence)
        boxes = corners(in_pixels(self.boxes(outputs)[sure], size))
        return proposed(boxes, best[sure], scores[sure].argmax(axis=1))
