"""Large images in tiles: where they lie. Pure; `seams` tells what is in the image then.

A detector sees what is some ten pixels large in its input; a frame of twelve megapixels that is
scaled to it has nothing of that size left. So the frame is cut into overlapping tiles, and each is
looked at by itself, as slicing aided hyper inference has it (Akyon, Altinuc, Temizel 2022); the
whole frame is looked at as well, for what is larger than a tile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from detection.errors import ParameterError
from detection.layouts.layout import InputSize

AUTO_RATIO = 2.0
"""`auto` cuts images that are more than so many times larger than the input."""
_GROWTH = 1.05
"""Of the tiles' side, from one try to the next, where `auto` would make too many."""

Side = int | Literal["auto", "off"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiling:
    """How images are cut."""

    side: Side = "off"
    """Of a tile, in pixels of the image: `auto` takes the input's own size, so that nothing is
    scaled, as long as that makes no more than `limit`; `off` looks at the whole image only."""
    overlap: float = 0.2
    """Of a tile's side: what is smaller lies whole in one tile at least."""
    whole: bool = True
    """Whether the whole image is looked at, too."""
    limit: int = 64
    """The most tiles of an image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """A part of the image, in its pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grid:
    """Tiles of one size, so many beside and so many above each other."""

    width: int
    height: int
    columns: int
    rows: int

    @property
    def count(self) -> int:
        return self.columns * self.rows


def cut(tiling: Tiling, *, image: InputSize, model: InputSize) -> tuple[Tile, ...]:
    """The tiles of an image; none where it is not cut.

    Raises ParameterError where a side that was asked for would make more than the limit; `auto`
    takes larger tiles then, which are scaled to the input.
    """
    grid = _grid(tiling, image, model)
    if grid.count == 1:
        return ()
    if grid.count > tiling.limit:
        raise ParameterError(
            f"an image of {image.width} x {image.height} would be {grid.count} tiles of"
            f" {grid.width} x {grid.height}, at most {tiling.limit} are looked at",
            field="tiles",
            limit=f"{tiling.limit} tiles",
        )
    wide, high = min(grid.width, image.width), min(grid.height, image.height)
    return tuple(
        Tile(left=x, top=y, width=wide, height=high)
        for y in _starts(image.height, high, grid.rows)
        for x in _starts(image.width, wide, grid.columns)
    )


def runs(tiling: Tiling, *, image: InputSize, model: InputSize) -> int:
    """How often the model will run for an image: what it costs, in runs."""
    count = _grid(tiling, image, model).count
    return 1 if count == 1 else min(count, tiling.limit) + tiling.whole


def _grid(tiling: Tiling, image: InputSize, model: InputSize) -> _Grid:
    if tiling.side == "off":
        return _Grid(width=image.width, height=image.height, columns=1, rows=1)
    if tiling.side != "auto":
        return _sized(tiling, image, model, share=tiling.side / max(model.width, model.height))
    if max(image.width / model.width, image.height / model.height) <= AUTO_RATIO:
        return _Grid(width=image.width, height=image.height, columns=1, rows=1)
    share = 1.0
    while (grid := _sized(tiling, image, model, share=share)).count > tiling.limit:
        share *= _GROWTH
    return grid


def _sized(tiling: Tiling, image: InputSize, model: InputSize, *, share: float) -> _Grid:
    """Tiles of the input's shape, and `share` of its size."""
    wide, high = max(1, round(model.width * share)), max(1, round(model.height * share))
    return _Grid(
        width=wide,
        height=high,
        columns=_number(image.width, wide, tiling.overlap),
        rows=_number(image.height, high, tiling.overlap),
    )


def _number(length: int, side: int, overlap: float) -> int:
    """The fewest tiles along an axis that overlap by at least so much of their side."""
    if length <= side:
        return 1
    step = max(1, math.floor(side * (1.0 - overlap)))
    return math.ceil((length - side) / step) + 1


def _starts(length: int, side: int, count: int) -> list[int]:
    """Where tiles begin along one axis: evenly, from edge to edge."""
    return [round(index * (length - side) / max(1, count - 1)) for index in range(count)]
