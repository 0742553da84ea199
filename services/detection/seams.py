"""Where tiles meet: what was found in overlapping slices becomes what is in the image. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.layouts.layout import Boxes, Candidates, InputSize
from detection.suppression import suppress
from detection.tiling import Tile

_NEAR = 4.0
"""Pixels of the input: a box that comes so close to an inner edge of its tile was cut by it."""
_CLEAR = 8.0
"""So far from all inner edges of a tile, a box is not cut there, however it is looked at. More than
_NEAR by what boxes of one object may differ, so that no two tiles leave it to each other."""
_SAME = 0.5
"""Of the smaller one of two boxes, the part inside of the other: more is the same object."""
_SMALL, _LARGE = 24.0, 48.0
"""Pixels of the input, of a box's longer side in the whole image: what is smaller is not believed
where a tile has it in view; what is at least so large is seen better there than in tiles."""
_MOST_PIECES = 512
"""The surest ones, of an image, are put together: bounds the work, which grows with the square."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """What was found in one tile, or in the whole image: boxes in pixels of the image.

    Duplicates are gone already: two boxes of one slice are two objects.
    """

    tile: Tile | None
    found: Candidates


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pool:
    """The boxes of all slices."""

    boxes: Boxes
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]
    slices: NDArray[np.intp]
    """Which slice each is of; below 0 are those that were put together, each on its own."""
    cut: Flags
    """[n, 4]: which of a box's sides (left, top, right, bottom) its tile cut off."""
    rank: NDArray[np.intp]
    """Who is believed first; what is of rank _LAST only where nobody else says anything."""

    def picked(self, which: NDArray[np.intp]) -> _Pool:
        return _Pool(
            boxes=self.boxes[which],
            scores=self.scores[which],
            classes=self.classes[which],
            slices=self.slices[which],
            cut=self.cut[which],
            rank=self.rank[which],
        )

    def beside(self, other: _Pool) -> _Pool:
        return _Pool(
            boxes=np.concatenate([self.boxes, other.boxes]),
            scores=np.concatenate([self.scores, other.scores]),
            classes=np.concatenate([self.classes, other.classes]),
            slices=np.concatenate([self.slices, other.slices]),
            cut=np.concatenate([self.cut, other.cut]),
            rank=np.concatenate([self.rank, other.rank]),
        )


_FIRST, _USUAL, _LAST = range(3)


def merge(
    slices: Sequence[Slice], *, image: InputSize, model: InputSize, agnostic: bool, limit: int
) -> Candidates:
    """The image's detections, surest first.

    A box that its tile cut says nothing where another tile has all of it in view, nor does one that
    is small in the whole image. Otherwise, pieces are put together where they go on in each other.
    Boxes of one class and different slices that have most of each other are one object then: first
    what is large in the whole image, then the surest of what a slice has whole, then pieces, which
    also give way to what has another class.
    """
    inner = np.array([_inner(each.tile, image) for each in slices], dtype=np.float32)
    tiled = np.array([each.tile is not None for each in slices])
    pixel = _pixel(slices, model)
    pool = _pooled(slices, inner, near=_NEAR * pixel)
    better = _in_view(pool.boxes, inner[tiled], clear=_CLEAR * pixel)
    lengths = _lengths(pool.boxes) / _scale(image, model)
    cut, overall = pool.cut.any(axis=1), ~tiled[pool.slices]
    doubtful = overall & better & (lengths < _LARGE)
    pool.rank[overall & (lengths >= _LARGE)] = _FIRST
    pool.rank[cut | doubtful] = _LAST
    pool = pool.picked(np.flatnonzero(~(better & cut | doubtful & (lengths < _SMALL))))
    pool = pool.beside(_joined(pool, inner, near=_NEAR * pixel, agnostic=agnostic))
    # Of pieces, and what was put together of them, the largest has the most of its object.
    order = np.where(pool.rank == _LAST, -_areas(pool.boxes), -pool.scores)
    pool = pool.picked(np.lexsort((order, pool.rank)))
    pool = pool.picked(
        suppress(
            pool.boxes,
            -np.arange(len(pool.boxes), dtype=np.float32),
            pool.classes,
            iou=_SAME,
            limit=limit,
            agnostic=agnostic,
            measure="ios",
            groups=pool.slices,
        )
    )
    sure = pool.rank < _LAST
    pool = pool.picked(np.flatnonzero(sure | ~_within(pool.boxes, pool.boxes[sure])))
    pool = pool.picked(np.argsort(-pool.scores, kind="stable"))
    return Candidates(boxes=pool.boxes, scores=pool.scores, classes=pool.classes)


def _pixel(slices: Sequence[Slice], model: InputSize) -> float:
    """One of the input, in pixels of the image, where a tile is looked at."""
    tiles = [each.tile for each in slices if each.tile is not None]
    sizes = [InputSize(width=tile.width, height=tile.height) for tile in tiles]
    return max((_scale(size, model) for size in sizes), default=1.0)


def _scale(size: InputSize, model: InputSize) -> float:
    return max(size.width / model.width, size.height / model.height)


def _inner(tile: Tile | None, image: InputSize) -> tuple[float, float, float, float]:
    """The edges of a tile, where the image goes on beyond them."""
    if tile is None:
        return (-np.inf, -np.inf, np.inf, np.inf)
    right, bottom = tile.left + tile.width, tile.top + tile.height
    return (
        tile.left if tile.left > 0 else -np.inf,
        tile.top if tile.top > 0 else -np.inf,
        right if right < image.width else np.inf,
        bottom if bottom < image.height else np.inf,
    )


def _pooled(slices: Sequence[Slice], inner: Boxes, *, near: float) -> _Pool:
    boxes = np.concatenate([each.found.boxes for each in slices])
    numbers = np.repeat(np.arange(len(slices)), [len(each.found.boxes) for each in slices])
    edges = inner[numbers]
    return _Pool(
        boxes=boxes,
        scores=np.concatenate([each.found.scores for each in slices]),
        classes=np.concatenate([each.found.classes for each in slices]),
        slices=numbers,
        rank=np.full(len(boxes), _USUAL),
        cut=np.concatenate(
            [boxes[:, :2] < edges[:, :2] + near, boxes[:, 2:] > edges[:, 2:] - near], axis=1
        ),
    )


def _in_view(boxes: Boxes, inner: Boxes, *, clear: float) -> Flags:
    """Which boxes some tile has in view as a whole, clear of its inner edges."""
    lower = boxes[:, None, :2] >= inner[None, :, :2] + clear
    upper = boxes[:, None, 2:] <= inner[None, :, 2:] - clear
    whole: Flags = np.logical_and.reduce(lower & upper, axis=2)
    seen: Flags = np.logical_or.reduce(whole, axis=1)
    return seen


def _joined(pool: _Pool, inner: Boxes, *, near: float, agnostic: bool) -> _Pool:
    """Pieces that are one object put together: each has all of the overlap that they share."""
    pieces = pool.picked(np.flatnonzero(pool.cut.any(axis=1)))
    pieces = pieces.picked(np.argsort(-pieces.scores, kind="stable")[:_MOST_PIECES])
    meets = _meeting(pieces, inner[pieces.slices], 0, near)
    meets |= _meeting(pieces, inner[pieces.slices], 1, near)
    if not agnostic:
        meets &= pieces.classes[:, None] == pieces.classes[None, :]
    leaders = _leaders(meets | meets.T)
    joined = pieces.picked(np.flatnonzero(np.bincount(leaders, minlength=len(leaders)) > 1))
    for number, leader in enumerate(np.unique(leaders[leaders != np.arange(len(leaders))])):
        parts = pieces.boxes[leaders == leader]
        joined.boxes[number, :2] = parts[:, :2].min(axis=0)
        joined.boxes[number, 2:] = parts[:, 2:].max(axis=0)
        joined.slices[number] = -1 - number
    return joined


def _meeting(pieces: _Pool, inner: Boxes, axis: int, near: float) -> Flags:
    """[i, j]: whether i goes on in j, which lies in a later tile along the axis (0 is x)."""
    across = 1 - axis
    low, high = pieces.boxes[:, axis], pieces.boxes[:, axis + 2]
    begin, end = pieces.boxes[:, across], pieces.boxes[:, across + 2]
    shared = np.minimum(end[:, None], end) - np.maximum(begin[:, None], begin)
    either = np.maximum(end[:, None], end) - np.minimum(begin[:, None], begin)
    meets: Flags = (
        pieces.cut[:, axis + 2, None]
        & pieces.cut[:, axis]
        & (inner[:, None, axis] < inner[:, axis])
        & (inner[:, None, across] == inner[:, across])
        & (low[:, None] <= inner[:, axis] + near)
        & (high >= inner[:, None, axis + 2] - near)
        & (shared > _SAME * either)
    )
    return meets


def _areas(boxes: Boxes) -> NDArray[np.float32]:
    areas: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def _lengths(boxes: Boxes) -> NDArray[np.float32]:
    """Of the longer sides."""
    lengths: NDArray[np.float32] = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return lengths


def _within(boxes: Boxes, others: Boxes) -> Flags:
    """Which boxes lie mostly inside of one of the others."""
    lower = np.maximum(boxes[:, None, :2], others[None, :, :2])
    upper = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.maximum(upper - lower, 0.0).prod(axis=2)
    within: Flags = np.logical_or.reduce(shared > _SAME * _areas(boxes)[:, None], axis=1)
    return within


def _leaders(meets: Flags) -> NDArray[np.intp]:
    """For each, the first one of all that it is connected with."""
    leaders = np.arange(len(meets))
    while True:
        lead = np.where(meets, leaders, len(meets)).min(axis=1, initial=len(meets))
        lead = np.minimum(leaders, lead)
        if (lead == leaders).all():
            return leaders
        leaders = lead
