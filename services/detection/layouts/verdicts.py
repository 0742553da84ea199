"""Boxes, class numbers and scores in an output each, as detectors write that end by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from numpy.typing import NDArray

from detection.layouts import evidence, image_input, roles
from detection.layouts.layout import Candidates, InputSize, Signature, Unaccompanied
from detection.layouts.proposals import proposed, sure
from detection.layouts.roles import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdicts(Unaccompanied):
    """What layouts of boxes [1, n, 4], classes [1, n] and scores [1, n] have in common.

    Boxes are corners in pixels of the input, and classes count from 0, unless a layout says else.
    """

    name: ClassVar[str]
    roles: ClassVar[tuple[Role, Role, Role]]
    companion_names: ClassVar[frozenset[str]] = frozenset()

    places: tuple[int, ...] = (0, 1, 2)
    """Where boxes, classes and scores stand among the outputs."""

    def bound(self, signature: Signature) -> Self:
        """It knows which of the outputs is which."""
        return replace(self, places=self.found(signature) or self.places)

    def found(self, signature: Signature) -> tuple[int, ...] | None:
        """Where boxes, classes and scores stand among these outputs."""
        return roles.positions(signature, self.roles)

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:  # noqa: ARG002
        """Why a model that declares this is not of this layout."""
        return image_input.strangers(
            signature, layout=self.name, known=self.companion_names
        ) or roles.mismatch(signature, self.roles, self.found(signature), layout=self.name)

    def read(
        self, outputs: Sequence[NDArray[Any]]
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Boxes [n, 4], classes [n] and scores [n] of the first image."""
        boxes, classes, scores = (outputs[place] for place in self.places)
        if boxes.ndim == 3:
            return boxes[0], classes[0], scores[0]
        return boxes, classes, scores

    def wrong_numbers(
        self, outputs: Sequence[NDArray[Any]], *, labels: int | None, first: int
    ) -> str | None:
        """Scores that are none, or class numbers beyond the labels, of which `first` is the first.

        Of boxes without a score nothing is asked.
        """
        boxes, classes, scores = self.read(outputs)
        return (
            evidence.not_finite([boxes, classes, scores])
            or evidence.not_scores(scores, layout=self.name)
            or evidence.not_classes(classes[scores > 0.0] - first, layout=self.name, labels=labels)
        )

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,
        size: InputSize,  # noqa: ARG002
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        boxes, _, scores = self.read(outputs)
        return self.wrong_numbers(outputs, labels=labels, first=0) or evidence.not_pixels(
            boxes[scores > 0.0], layout=self.name
        )

    def candidates(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        confidence: float,
        size: InputSize,  # noqa: ARG002 - boxes are in its pixels already
    ) -> Candidates:
        """The boxes that score at least `confidence`."""
        boxes, classes, scores = self.read(outputs)
        chosen = sure(scores, confidence=confidence)
        return proposed(boxes[chosen], scores[chosen], classes[chosen])
