"""D-FINE, DEIM and lyuwenyu's RT-DETR: `labels`, `boxes`, `scores`, for a size that is told.

Source: Peterande/D-FINE and lyuwenyu/RT-DETR, tools/export_onnx.py and their postprocessors. A
second input, `orig_target_sizes` [1, 2] of width and height, is what the boxes are scaled to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.layouts.layout import InputSize, Preparation, Signature
from detection.layouts.roles import Role
from detection.layouts.verdicts import Verdicts

_SIZES = "orig_target_sizes"


@dataclass(frozen=True, kw_only=True, slots=True)
class DFine(Verdicts):
    """Boxes are corners in pixels of the input, whose size it is told; classes count from 0."""

    name = "dfine"
    preparation = Preparation(fit="stretch")
    suppressed = True
    roles = (
        Role(names=("boxes",), shape=(1, None, 4), kind="float"),
        Role(names=("labels",), shape=(1, None), kind="int"),
        Role(names=("scores",), shape=(1, None), kind="float"),
    )
    companion_names = frozenset({_SIZES})

    def mismatch(self, signature: Signature, *, labels: int | None) -> str | None:
        """Why a model that declares this is not of this layout."""
        if all(tensor.name != _SIZES for tensor in signature.inputs):
            found = ", ".join(map(str, signature.inputs))
            return f"expected an input `{_SIZES}` (layout {self.name}), found {found or 'none'}"
        return super(DFine, self).mismatch(signature, labels=labels)

    def companions(self, signature: Signature, *, size: InputSize) -> Mapping[str, NDArray[Any]]:
        """The input's width and height."""
        return {
            tensor.name: np.array([[size.width, size.height]], dtype=tensor.dtype)
            for tensor in signature.inputs
            if tensor.name == _SIZES
        }
