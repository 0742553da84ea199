"""Boxes, class numbers and scores in an output each, as detectors write that end by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from detection.layouts import evidence, image_input, roles
from detection.layouts.layout import InputSize, Signature
from detection.layouts.roles import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdicts:
    """What layouts of boxes [1, n, 4], classes [1, n] and scores [1, n] have in common."""

    name: ClassVar[str]
    roles: ClassVar[tuple[Role, Role, Role]]
    companion_names: ClassVar[frozenset[str]] = frozenset()

    places: tuple[int, ...] = (0, 1, 2)
    """Where boxes, classes and scores stand among the outputs."""

    def bound(self, signature: Signature) -> Self:
        """It knows which of the outputs is which."""
        return replace(self, places=self.found(signature) or self.places)

    def companions(
        self,
        signature: Signature,  # noqa: ARG002
        *,
        size: InputSize,  # noqa: ARG002
    ) -> Mapping[str, NDArray[Any]]:
        """None, where nothing else is said."""
        return {}

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


def sure(scores: NDArray[Any], *, confidence: float) -> NDArray[np.intp]:
    """Where scores [n] are at least `confidence`, and more than padding's."""
    return np.flatnonzero((scores >= confidence) & (scores > 0.0))
