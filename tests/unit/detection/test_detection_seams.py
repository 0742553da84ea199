"""Where tiles meet, an object is one object, whole, and two are two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from detection import seams, tiling
from detection.layouts.layout import Candidates, InputSize
from detection.seams import Slice
from detection.tiling import Tile, Tiling

LEAST = 5.0
"""Pixels: of a piece that is narrower, a detector sees nothing."""


class Thing(NamedTuple):
    """What is there: its box in pixels of the image, and its class."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: int = 0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An image that was cut, and by how much its tiles overlap."""

    image: InputSize
    model: InputSize
    tiles: tuple[Tile, ...]
    whole: bool = True

    @property
    def overlap(self) -> tuple[int, int]:
        """Across and down, of neighbours."""
        lefts, tops = ({getattr(tile, side) for tile in self.tiles} for side in ("left", "top"))
        return tuple(
            length - max(np.diff(sorted(starts)), default=0)
            for length, starts in (
                (self.tiles[0].width, lefts),
                (self.tiles[0].height, tops),
            )
        )  # type: ignore[return-value]


def scene(width: int, height: int, *, side: int, overlap: float = 0.2, whole: bool = True) -> Scene:
    image, model = (
        InputSize(width=width, height=height),
        InputSize(width=side, height=side * 3 // 4),
    )
    tiles = tiling.cut(Tiling(side=side, overlap=overlap, limit=10**6), image=image, model=model)
    return Scene(image=image, model=model, tiles=tiles, whole=whole)


def seen(at: Scene, things: list[Thing], *, jitter: float = 0.0, seed: int = 0) -> list[Slice]:
    """What a detector would say: of each thing what its tile holds, with scores as they come."""
    rng = np.random.default_rng(seed)
    slices = []
    for tile in [*at.tiles, *([None] if at.whole else [])]:
        edges = (0, 0, at.image.width, at.image.height) if tile is None else (
            tile.left, tile.top, tile.left + tile.width, tile.top + tile.height
        )  # fmt: skip
        boxes, kinds = [], []
        for thing in things:
            lower, upper = np.maximum(thing[:2], edges[:2]), np.minimum(thing[2:4], edges[2:])
            if (upper - lower >= LEAST).all():
                box = np.concatenate([lower, upper]) + rng.uniform(-jitter, jitter, 4)
                boxes.append(np.clip(box, np.tile(edges[:2], 2), np.tile(edges[2:], 2)))
                kinds.append(thing.kind)
        slices.append(
            Slice(
                tile=tile,
                found=Candidates(
                    boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
                    scores=rng.uniform(0.3, 1.0, len(boxes)).astype(np.float32),
                    classes=np.array(kinds, dtype=np.intp),
                ),
            )
        )
    return slices


def merged(at: Scene, slices: list[Slice], *, agnostic: bool = False, limit: int = 300):
    return seams.merge(slices, image=at.image, model=at.model, agnostic=agnostic, limit=limit)


def boxes(found: Candidates) -> list[list[float]]:
    return sorted(found.boxes.tolist())


SCENES = st.builds(
    scene,
    st.integers(150, 2000),
    st.integers(150, 2000),
    side=st.integers(120, 400),
    overlap=st.floats(0.2, 0.5),
    whole=st.booleans(),
).filter(lambda each: each.tiles)
PLACES = st.tuples(st.floats(0, 1), st.floats(0, 1))


def placed(at: Scene, size: tuple[float, float], place: tuple[float, float]) -> Thing:
    """So large, and anywhere in the image."""
    width, height = min(size[0], at.image.width), min(size[1], at.image.height)
    x, y = place[0] * (at.image.width - width), place[1] * (at.image.height - height)
    return Thing(x, y, x + width, y + height)


@settings(deadline=None, max_examples=300)
@given(SCENES, PLACES, PLACES, st.integers(0, 2**32))
def test_an_object_that_is_smaller_than_the_overlap_is_found_once_and_whole(at, share, place, seed):
    size = [8 + part * max(0, most - 8) for part, most in zip(share, at.overlap, strict=True)]
    thing = placed(at, (size[0], size[1]), place)
    found = merged(at, seen(at, [thing], seed=seed))
    assert boxes(found) == [pytest.approx(thing[:4], abs=1e-3)]


@settings(deadline=None, max_examples=300)
@given(SCENES, PLACES, PLACES, st.integers(0, 2**32))
def test_an_object_of_any_size_is_found_once_and_whole(at, share, place, seed):
    """Larger than the overlap, even than tiles: put together, or seen in the whole image."""
    size = (20 + share[0] * at.image.width, 20 + share[1] * at.image.height)
    thing = placed(at, size, place)
    found = merged(at, seen(at, [thing], seed=seed))
    assert boxes(found) == [pytest.approx(thing[:4], abs=1e-3)]


@settings(deadline=None, max_examples=300)
@given(SCENES, PLACES, PLACES, st.integers(0, 2**32))
def test_boxes_that_are_a_little_off_are_still_one_object(at, share, place, seed):
    size = (20 + share[0] * at.image.width, 20 + share[1] * at.image.height)
    thing = placed(at, size, place)
    found = merged(at, seen(at, [thing], jitter=1.0, seed=seed))
    assert boxes(found) == [pytest.approx(thing[:4], abs=1.01)]


@settings(deadline=None, max_examples=300)
@given(SCENES, PLACES, PLACES, st.floats(0.55, 2.0), st.sampled_from([0, 1]), st.integers(0, 2**32))
def test_two_neighbours_stay_two(at, share, place, apart, axis, seed):
    # Smaller than the overlap, and side by side: with less than half of each other in common.
    size = [8 + part * (most - 28) for part, most in zip(share, at.overlap, strict=True)]
    assume(min(size) >= 8)
    one = placed(at, (size[0], size[1]), place)
    shift = [0.0, 0.0]
    shift[axis] = apart * (one[axis + 2] - one[axis])
    other = Thing(one.x1 + shift[0], one.y1 + shift[1], one.x2 + shift[0], one.y2 + shift[1])
    assume(other.x2 <= at.image.width and other.y2 <= at.image.height)
    found = merged(at, seen(at, [one, other], seed=seed))
    expected = sorted([list(one[:4]), list(other[:4])])
    assert boxes(found) == [pytest.approx(each, abs=1e-3) for each in expected]


WIDE = scene(1000, 300, side=400, overlap=0.25, whole=True)
"""Tiles of 400 from 0, 300 and 600; 100 in common."""


def only(at: Scene, **found: list[tuple[float, ...]]) -> list[Slice]:
    """Slices with these boxes (x1, y1, x2, y2, score, class), by `at_LEFT` or `whole`."""
    slices = []
    for tile in [*at.tiles, None]:
        name = "whole" if tile is None else f"at_{tile.left}"
        rows = np.array(found.get(name, []), dtype=np.float32).reshape(-1, 6)
        slices.append(
            Slice(
                tile=tile,
                found=Candidates(
                    boxes=rows[:, :4], scores=rows[:, 4], classes=rows[:, 5].astype(np.intp)
                ),
            )
        )
    return slices


def test_the_wide_scene_is_cut_as_it_says():
    assert [(tile.left, tile.top, tile.width) for tile in WIDE.tiles] == [
        (0, 0, 400), (300, 0, 400), (600, 0, 400)
    ]  # fmt: skip


def test_two_of_one_slice_are_two_however_close():
    pair = [(340, 100, 360, 120, 0.9, 0), (343, 100, 363, 120, 0.8, 0)]
    found = merged(WIDE, only(WIDE, at_0=pair))
    assert len(found.boxes) == 2


def test_of_two_slices_they_are_one_and_the_surer_is_it():
    one, other = (340, 100, 360, 120, 0.8, 0), (343, 100, 363, 120, 0.9, 0)
    found = merged(WIDE, only(WIDE, at_0=[one], at_300=[other]))
    assert boxes(found) == [list(other[:4])]
    assert found.scores.tolist() == [pytest.approx(0.9)]


def test_classes_keep_apart_what_is_in_one_place_unless_they_do_not_matter():
    one, other = (340, 100, 360, 120, 0.8, 0), (340, 100, 360, 120, 0.9, 1)
    slices = only(WIDE, at_0=[one], at_300=[other])
    assert merged(WIDE, slices).classes.tolist() == [1, 0]
    assert merged(WIDE, slices, agnostic=True).classes.tolist() == [1]


def test_what_a_tile_cut_off_says_nothing_where_another_has_it_whole():
    # Half of a truck, sure to be a car; the tile that has all of it says truck.
    half, truck = (370, 100, 400, 130, 0.9, 0), (370, 100, 440, 130, 0.5, 1)
    found = merged(WIDE, only(WIDE, at_0=[half], at_300=[truck]))
    assert boxes(found) == [list(truck[:4])]
    assert found.classes.tolist() == [1]


def test_of_what_is_small_in_the_whole_image_a_tile_knows_better():
    # Of 1000 pixels 400 are left: 12 of them are believed by nobody whose tile shows nothing there.
    ghost = (100, 100, 130, 130, 0.9, 0)
    assert len(merged(WIDE, only(WIDE, whole=[ghost])).boxes) == 0


def test_what_is_larger_there_counts_unless_a_tile_says_something_else():
    car, truck = (100, 100, 170, 170, 0.9, 0), (98, 98, 172, 172, 0.5, 1)
    assert boxes(merged(WIDE, only(WIDE, whole=[car]))) == [list(car[:4])]
    found = merged(WIDE, only(WIDE, whole=[car], at_0=[truck]))
    assert found.classes.tolist() == [1]


def test_what_is_large_in_the_whole_image_is_believed_before_tiles():
    # Half as long as the image, and in full view of a tile, which is the surer.
    overall, close = (20, 20, 290, 280, 0.5, 0), (15, 40, 250, 290, 0.9, 0)
    found = merged(WIDE, only(WIDE, whole=[overall], at_0=[close]))
    assert boxes(found) == [list(overall[:4])]


def test_a_piece_gives_way_to_what_it_lies_in_whatever_its_class():
    lorry, wheel = (50, 20, 900, 280, 0.5, 1), (200, 100, 400, 200, 0.9, 0)
    found = merged(WIDE, only(WIDE, whole=[lorry], at_0=[wheel]))
    assert found.classes.tolist() == [1]


def test_the_whole_image_tells_what_is_larger_than_a_tile():
    large, part = (50, 20, 900, 280, 0.5, 0), (300, 20, 700, 280, 0.9, 0)
    found = merged(WIDE, only(WIDE, whole=[large], at_300=[part]))
    assert boxes(found) == [list(large[:4])]


def test_pieces_that_do_not_go_on_in_each_other_stay_as_they_are():
    # One ends where the first tile does, another begins where the second does: two lorries.
    one, other = (200, 100, 400, 130, 0.9, 0), (300, 200, 500, 230, 0.8, 0)
    found = merged(WIDE, only(WIDE, at_0=[one], at_300=[other]))
    assert boxes(found) == [list(one[:4]), list(other[:4])]


def test_an_object_at_the_images_own_edge_is_not_cut():
    corner = (0, 0, 30, 30, 0.5, 0)
    assert boxes(merged(WIDE, only(WIDE, at_0=[corner]))) == [[0, 0, 30, 30]]
    corner = (970, 270, 1000, 300, 0.5, 0)
    assert boxes(merged(WIDE, only(WIDE, at_600=[corner]))) == [[970, 270, 1000, 300]]


def test_the_surest_come_first_and_no_more_than_the_limit():
    rows = [(20 * i, 50, 20 * i + 15, 80, (i * 7 % 12) / 12 + 0.04, 0) for i in range(12)]
    found = merged(WIDE, only(WIDE, at_0=rows), limit=5)
    assert found.scores.tolist() == pytest.approx(
        sorted((row[4] for row in rows), reverse=True)[:5]
    )


def test_nothing_gives_nothing():
    found = merged(WIDE, only(WIDE))
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == found.classes.shape == (0,)


def test_small_tiles_are_judged_in_pixels_of_the_input():
    """Of tiles that are enlarged fourfold, a pixel of the image is four of the input."""
    at = Scene(
        image=InputSize(width=250, height=75),
        model=InputSize(width=400, height=300),
        tiles=tuple(Tile(left=left, top=0, width=100, height=75) for left in (0, 75, 150)),
    )
    # Two pixels from the inner edge are eight of the input: not cut, and nobody else has it.
    row = (80, 30, 98, 50, 0.9, 0)
    assert boxes(merged(at, only(at, at_0=[row]))) == [[80, 30, 98, 50]]
