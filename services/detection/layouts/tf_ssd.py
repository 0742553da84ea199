"""TensorFlow's object detection API, converted by tf2onnx: `detection_boxes` and its fellows.

Source: tensorflow/models, `research/object_detection` (exporter), and tf2onnx, which may leave
`:0` at the names and orders the outputs as it likes. The image is RGB of 0..255, colours last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detection.layouts import evidence, roles
from detection.layouts.layout import Candidates, InputSize, Preparation, Signature
from detection.layouts.proposals import in_pixels, proposed, sure
from detection.layouts.roles import Role
from detection.layouts.verdicts import Verdicts

_FIRST = 1
_COUNT = Role(names=("num_detections",), shape=(1,), kind="float")


@dataclass(frozen=True, kw_only=True, slots=True)
class TfSsd(Verdicts):
    """Boxes are y1, x1, y2, x2 as shares of the input's sides.

    The model's classes count from 1, as floats; here 1 is taken off, so that 0 is the first label.
    """

    name = "tf_ssd"
    preparation = Preparation(fit="stretch", scale=1.0)
    suppressed = True
    roles = (
        Role(names=("detection_boxes",), shape=(1, None, 4), kind="float"),
        Role(names=("detection_classes",), shape=(1, None), kind="float"),
        Role(names=("detection_scores",), shape=(1, None), kind="float"),
    )

    count_at: int | None = None
    """Where the number of detections stands, after which there is padding; it may be missing."""

    def bound(self, signature: Signature) -> Self:
        """It knows which of the outputs is which."""
        return replace(
            self,
            places=self.found(signature) or self.places,
            count_at=roles.position(signature.outputs, _COUNT),
        )

    def read(
        self, outputs: Sequence[NDArray[Any]]
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Boxes [n, 4], classes [n] and scores [n] of the first image, without the padding."""
        boxes, classes, scores = (outputs[place][0] for place in self.places)
        count = len(scores) if self.count_at is None else int(outputs[self.count_at].flat[0])
        return boxes[:count], classes[:count], scores[:count]

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,
        size: InputSize,  # noqa: ARG002
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        boxes, _, scores = self.read(outputs)
        return self.wrong_numbers(outputs, labels=labels, first=_FIRST) or evidence.not_normalised(
            boxes[scores > 0.0], layout=self.name
        )

    def candidates(
        self, outputs: Sequence[NDArray[Any]], *, confidence: float, size: InputSize
    ) -> Candidates:
        """The boxes that score at least `confidence`."""
        boxes, classes, scores = self.read(outputs)
        chosen = sure(scores, confidence=confidence)
        # From y, x to x, y.
        turned = boxes[chosen][:, [1, 0, 3, 2]]
        numbers = np.rint(classes[chosen]) - _FIRST
        return proposed(in_pixels(turned, size), scores[chosen], numbers)
