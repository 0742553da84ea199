"""RF-DETR: `dets` [1, n, 4] of centre and size as shares of the input's sides, `labels` of logits.

Source: roboflow/rf-detr, its export and `decode_detections`. The pretrained models number their
classes as COCO does, 0..90 with gaps, so that there are 91 labels. Models that were trained with
classes 0, 1, 2 … have one logit more than labels, which nothing was ever trained to be.
"""

from __future__ import annotations

from dataclasses import dataclass

from detection.layouts.layout import Preparation, Signature
from detection.layouts.queries import DEVIATION, MEAN, Queries
from detection.layouts.roles import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class RfDetr(Queries):
    """Scores are a sigmoid for each class; the image is stretched and normalised."""

    name = "rfdetr"
    preparation = Preparation(fit="stretch", mean=MEAN, deviation=DEVIATION)
    suppressed = True
    roles = (
        Role(names=("dets",), shape=(1, None, 4), kind="float"),
        Role(names=("labels",), shape=(1, None, None), kind="float"),
    )

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:
        """Why a model that declares this is not of this layout."""
        wrong = self.wrong_tensors(signature)
        found = self.declared_classes(signature)
        if wrong is None and labels is not None and found is not None:
            spare = found - labels
            if spare not in (0, 1):
                return (
                    f"expected labels [1, n, {labels}] or [1, n, {labels + 1}] ({labels} labels"
                    f" and none or one to spare, layout {self.name}), found {found} for each query"
                )
        return wrong
