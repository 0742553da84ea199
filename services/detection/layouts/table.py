"""One output with a row for each box: [1, n, columns], as most of the YOLOs and others write it."""

from __future__ import annotations

from typing import Self

from detection.layouts import image_input
from detection.layouts.layout import InputSize, Signature, Unaccompanied
from detection.layouts.pyramid import boxes_per_cell


class Table(Unaccompanied):
    """What layouts of one output, and no input but the image, have in common."""

    def bound(self, signature: Signature) -> Self:  # noqa: ARG002 - there is one output
        """As it is."""
        return self


def mismatch(signature: Signature, *, layout: str, head: int, labels: int | None) -> str | None:
    """Why the output is not [1, n, head + labels]."""
    if labels is None:
        expected = f"expected one output [1, n, {head} + labels] (layout {layout})"
        return _mismatch(signature, layout=layout, expected=expected, least=head + 1, most=None)
    columns = head + labels
    expected = f"expected one output [1, n, {columns}] ({head} + {labels} labels, layout {layout})"
    return _mismatch(signature, layout=layout, expected=expected, least=columns, most=columns)


def fixed_mismatch(signature: Signature, *, layout: str, columns: int) -> str | None:
    """Why the output is not [1, n, columns]."""
    expected = f"expected one output [1, n, {columns}] (layout {layout})"
    return _mismatch(signature, layout=layout, expected=expected, least=columns, most=columns)


def declared_cells(signature: Signature, *, layout: str, several: bool) -> str | None:
    """Why the declared number of boxes is not that of `other_cells`, where it is declared."""
    shape, size = signature.outputs[0].shape, image_input.image_size(signature)
    count = shape[1] if len(shape) == 3 else None
    if size is None or not isinstance(count, int):
        return None
    return other_cells(count, layout=layout, size=size, several=several)


def other_cells(count: int, *, layout: str, size: InputSize, several: bool) -> str | None:
    """Why `count` boxes are not one, or several, for each cell of the feature maps.

    Nothing is said of numbers that none of the usual feature maps would give.
    """
    found = boxes_per_cell(count, size)
    if not found or any((number > 1) == several for number in found):
        return None
    number = "several boxes" if several else "one box"
    return (
        f"expected {number} for each cell of the feature maps (layout {layout}),"
        f" found {count} boxes for an input of {size.width} x {size.height}"
    )


def _mismatch(
    signature: Signature, *, layout: str, expected: str, least: int, most: int | None
) -> str | None:
    wrong = alone(signature, layout=layout, expected=expected)
    if wrong is not None:
        return wrong
    shape = signature.outputs[0].shape
    if not shape:  # Without a single side the shape is not declared at all.
        return None
    columns = shape[-1]
    if len(shape) != 3 or (
        isinstance(columns, int) and (columns < least or (most is not None and columns > most))
    ):
        return f"{expected}, found [{', '.join(map(str, shape))}]"
    return None


def alone(signature: Signature, *, layout: str, expected: str) -> str | None:
    """Why this is not the image alone, and one output with numbers that have a fraction."""
    strange = image_input.strangers(signature, layout=layout, known=frozenset())
    if strange is not None:
        return strange
    outputs = signature.outputs
    if len(outputs) != 1:
        return f"{expected}, found {len(outputs)} outputs"
    if not outputs[0].dtype.startswith("float"):
        return f"{expected} of float32 or float16, found {outputs[0].dtype}"
    return None
