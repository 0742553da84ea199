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

from detection.layouts.layout import InputSize, Preparation, Signature
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

    def scores(self, outputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """[n, classes] of 0..1 for the first image."""
        return softmax(self.logits(outputs))[:, :-1]


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
