"""How many boxes a head proposes for each cell of its feature maps, told by their number."""

from __future__ import annotations

from detection.layouts.layout import InputSize

PYRAMIDS: tuple[tuple[int, ...], ...] = (
    (8, 16, 32),
    (8, 16, 32, 64),
    (4, 8, 16, 32),
    (8, 16, 32, 64, 128),
    (16, 32),
)
"""Strides of the feature maps: the usual; for large inputs (P6, P7); for small objects (P2);
the tiny models' two."""

_MOST = 6
"""More boxes for a cell than that no head proposes; beyond, any number divides by chance."""


def cells(size: InputSize, stride: int) -> int:
    """The cells of one feature map."""
    return (size.width // stride) * (size.height // stride)


def boxes_per_cell(count: int, size: InputSize) -> frozenset[int]:
    """How many boxes a cell `count` boxes can be; empty where it is no pyramid's number."""
    totals = [sum(cells(size, stride) for stride in strides) for strides in PYRAMIDS]
    return frozenset(
        count // total
        for total in totals
        if total and count % total == 0 and 1 <= count // total <= _MOST
    )
