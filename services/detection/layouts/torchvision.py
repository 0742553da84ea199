"""torchvision's detectors: `boxes` [n, 4], `labels` [n] and `scores` [n], often without a batch.

Source: `torchvision.models.detection` (Faster R-CNN, RetinaNet, FCOS, SSD), which scale, normalise
and suppress within the model.
"""

from __future__ import annotations

from dataclasses import dataclass

from detection.layouts import roles
from detection.layouts.layout import Preparation, Signature
from detection.layouts.roles import Role
from detection.layouts.verdicts import Verdicts


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchVision(Verdicts):
    """Boxes are corners in pixels of the input.

    Class 0 is the background, which is never found but is one of the labels (`__background__` in
    torchvision's own lists), so that a class number is that of its label.
    """

    name = "torchvision"
    preparation = Preparation()
    suppressed = True
    roles = (
        Role(names=("boxes",), shape=(None, 4), kind="float", batched=False),
        Role(names=("labels",), shape=(None,), kind="int", batched=False),
        Role(names=("scores",), shape=(None,), kind="float", batched=False),
    )

    def found(self, signature: Signature) -> tuple[int, ...] | None:
        """By name; or where nobody named the three outputs, by what they must be."""
        named = roles.positions(signature, self.roles)
        if named is not None or len(signature.outputs) != 3:
            return named
        places = range(3)
        whole = [n for n in places if roles.of_kind(signature.outputs[n], "int")]
        floats = [n for n in places if roles.of_kind(signature.outputs[n], "float")]
        if (len(whole), len(floats)) != (1, 2):
            return None
        # Boxes have a side more than scores.
        scores, boxes = sorted(floats, key=lambda n: len(signature.outputs[n].shape))
        return boxes, whole[0], scores
