"""DETR and RT-DETR as Hugging Face's transformers have them: `logits` and `pred_boxes`.

Source: `DetrForObjectDetection`, `RTDetrForObjectDetection` and their image processors; the
exports of optimum. YOLOS, Conditional DETR and the original DETR (`pred_logits`) write alike, and
so do RT-DETRv2 and D-FINE in transformers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.layouts.layout import Candidates, InputSize, Preparation, Signature
from detection.layouts.proposals import softmax
from detection.layouts.queries import DEVIATION, MEAN, Queries
from detection.layouts.roles import Role

_MASK = "pixel_mask"
_ROLES = (
    Role(names=("pred_boxes", "boxes"), shape=(1, None, 4), kind="float"),
    Role(names=("logits", "pred_logits"), shape=(1, None, None), kind="float"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class HfDetr(Queries):
    """Scores are a softmax over the classes and, last, that there is no object.

    Its processor keeps the aspect ratio and pads, which `pixel_mask` tells; here the image is
    stretched, so that the mask says that all of it is image.
    """

    name = "hf_detr"
    preparation = Preparation(fit="stretch", mean=MEAN, deviation=DEVIATION)
    suppressed = True
    roles = _ROLES
    companion_names = frozenset({_MASK})

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:
        """Why a model that declares this is not of this layout."""
        wrong = self.wrong_tensors(signature)
        found = self.declared_classes(signature)
        if wrong is None and None not in (labels, found) and found != (labels or 0) + 1:
            return (
                f"expected logits [1, n, {(labels or 0) + 1}] ({labels} labels and one for no"
                f" object, layout {self.name}), found {found} for each query"
            )
        return wrong

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,  # noqa: ARG002 - the shape has told
        size: InputSize,  # noqa: ARG002
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        return self.wrong_values(outputs)

    def companions(self, signature: Signature, *, size: InputSize) -> Mapping[str, NDArray[Any]]:
        """`pixel_mask`, where the model wants it: 1 everywhere."""
        sides = (1, size.height, size.width)
        return {
            # Some exports have a mask of a size of its own.
            tensor.name: np.ones(
                [
                    side if isinstance(side, int) else wanted
                    for side, wanted in zip(tensor.shape or sides, sides, strict=True)
                ],
                dtype=tensor.dtype,
            )
            for tensor in signature.inputs
            if tensor.name == _MASK
        }

    def candidates(
        self, outputs: Sequence[NDArray[Any]], *, confidence: float, size: InputSize
    ) -> Candidates:
        """The boxes whose best class scores at least `confidence`."""
        shares = softmax(self.logits(outputs))[:, :-1]
        return self.chosen(outputs, shares, confidence=confidence, size=size)


@dataclass(frozen=True, kw_only=True, slots=True)
class HfRtDetr(Queries):
    """Scores are a sigmoid for each class; the image is stretched and not normalised.

    Deformable DETR and Conditional DETR write alike, but want ImageNet's mean and deviation: say
    so in the manifest.
    """

    name = "hf_rtdetr"
    preparation = Preparation(fit="stretch")
    suppressed = True
    roles = _ROLES

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:
        """Why a model that declares this is not of this layout."""
        wrong = self.wrong_tensors(signature)
        found = self.declared_classes(signature)
        if wrong is None and None not in (labels, found) and found != labels:
            return (
                f"expected logits [1, n, {labels}] ({labels} labels, layout {self.name}),"
                f" found {found} for each query"
            )
        return wrong

    def implausible(
        self,
        outputs: Sequence[NDArray[Any]],
        *,
        labels: int | None,  # noqa: ARG002 - the shape has told
        size: InputSize,  # noqa: ARG002
    ) -> str | None:
        """Why these outputs of a warm-up frame cannot be what this layout means."""
        return self.wrong_values(outputs)

    def candidates(
        self, outputs: Sequence[NDArray[Any]], *, confidence: float, size: InputSize
    ) -> Candidates:
        """The boxes whose best class scores at least `confidence`."""
        return self.by_sigmoid(outputs, confidence=confidence, size=size)
