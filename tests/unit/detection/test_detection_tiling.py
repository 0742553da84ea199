"""Where tiles lie: nothing is left out, and what is small lies whole in one of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection import tiling
from detection.errors import ParameterError
from detection.layouts.layout import InputSize
from detection.tiling import Tile, Tiling

DEMO = InputSize(width=960, height=544)
SQUARE = InputSize(width=640, height=640)

SIDES = st.integers(1, 12_000)
SIZES = st.builds(InputSize, width=SIDES, height=SIDES)
MODELS = st.builds(InputSize, width=st.integers(32, 1280), height=st.integers(32, 1280))
OVERLAPS = st.floats(0.0, 0.9)


def cut(width: int, height: int, *, by: InputSize = SQUARE, **asked) -> tuple[Tile, ...]:
    return tiling.cut(Tiling(**asked), image=InputSize(width=width, height=height), model=by)


def spans(tiles: tuple[Tile, ...]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """From where to where columns and rows go."""
    columns = sorted({(tile.left, tile.left + tile.width) for tile in tiles})
    rows = sorted({(tile.top, tile.top + tile.height) for tile in tiles})
    assert len(tiles) == len(set(tiles)) == len(columns) * len(rows)
    return columns, rows


@given(SIZES, MODELS, st.integers(64, 8192), OVERLAPS)
def test_every_pixel_is_in_a_tile_and_neighbours_overlap_as_asked(image, model, side, overlap):
    asked = Tiling(side=side, overlap=overlap, limit=10**9)
    if tiling.runs(asked, image=image, model=model) > 2000:
        return
    tiles = tiling.cut(asked, image=image, model=model)
    for line, length in zip(spans(tiles), (image.width, image.height), strict=True):
        if not line:
            continue
        assert (line[0][0], line[-1][1]) == (0, length)
        for (begin, end), (after, _) in pairwise(line):
            assert begin < after
            assert end - after >= min(overlap * (end - begin) - 1e-6, end - begin - 1)
        # Evenly: no two steps differ by more than the rounding.
        steps = [after - begin for (begin, _), (after, _) in pairwise(line)]
        assert not steps or max(steps) - min(steps) <= 1
        assert len({end - begin for begin, end in line}) == 1


@given(SIZES, MODELS, st.integers(64, 8192))
def test_tiles_have_the_side_that_was_asked_for_and_the_inputs_shape(image, model, side):
    tiles = tiling.cut(Tiling(side=side, limit=10**9, overlap=0.0), image=image, model=model)
    share = side / max(model.width, model.height)
    for tile in tiles[:1]:
        assert tile.width == min(image.width, max(1, round(model.width * share)))
        assert tile.height == min(image.height, max(1, round(model.height * share)))


def test_no_more_tiles_than_the_overlap_needs():
    # Two of 640 with 128 in common reach 1152; a pixel more takes a third.
    assert len(cut(1152, 640, side=640)) == 2
    assert len(cut(1153, 640, side=640)) == 3
    assert cut(1000, 640, side=640) == (
        Tile(left=0, top=0, width=640, height=640),
        Tile(left=360, top=0, width=640, height=640),
    )


@pytest.mark.parametrize("size", [(640, 640), (640, 1), (1, 640), (100, 80)])
def test_an_image_that_one_tile_holds_is_not_cut(size):
    assert cut(*size, side=640) == ()
    assert cut(*size, side="auto") == ()


@pytest.mark.parametrize(("width", "height"), [(4000, 300), (300, 4000)])
def test_an_image_that_is_narrower_than_a_tile_is_cut_along_its_length_only(width, height):
    tiles = cut(width, height, side=640)
    assert len(tiles) == 8  # 640 + 7 * 512 = 4224
    assert {min(tile.width, tile.height) for tile in tiles} == {300}


def test_off_cuts_nothing():
    assert cut(50_000, 50_000, side="off") == ()


def test_auto_leaves_an_image_alone_that_is_up_to_twice_the_input():
    assert cut(1920, 1080, by=DEMO, side="auto") == ()
    assert cut(1920, 1089, by=DEMO, side="auto") != ()
    assert cut(1280, 1280, side="auto") == ()
    assert cut(1281, 300, side="auto") != ()


def test_auto_scales_nothing_as_long_as_the_tiles_are_no_more_than_the_limit():
    for tile in cut(4000, 3000, by=DEMO, side="auto"):
        assert (tile.width, tile.height) == (960, 544)


@given(SIZES, MODELS, OVERLAPS, st.integers(1, 64))
def test_auto_is_never_too_much(image, model, overlap, limit):
    asked = Tiling(side="auto", overlap=overlap, limit=limit)
    tiles = tiling.cut(asked, image=image, model=model)
    assert len(tiles) <= limit
    for line, length in zip(spans(tiles), (image.width, image.height), strict=True):
        assert not line or (line[0][0], line[-1][1]) == (0, length)


def test_a_side_that_makes_too_many_tiles_is_refused_and_says_how_many():
    with pytest.raises(ParameterError) as caught:
        cut(4000, 3000, side=320, limit=64)
    # 16 columns and 12 rows, 256 apart.
    for part in ("4000 x 3000", "192 tiles of 320 x 320", "at most 64"):
        assert part in str(caught.value)
    assert (caught.value.field, caught.value.limit) == ("tiles", "64 tiles")
    assert len(cut(4000, 3000, side=320, limit=192)) == 192


@given(
    SIZES, MODELS, st.integers(64, 8192) | st.sampled_from(["auto", "off"]), OVERLAPS, st.booleans()
)
def test_the_runs_that_are_foretold_are_those_that_are_made(image, model, side, overlap, whole):
    asked = Tiling(side=side, overlap=overlap, whole=whole, limit=100)
    try:
        tiles = tiling.cut(asked, image=image, model=model)
    except ParameterError:
        # Refused in its turn, at the latest: more than this it cannot cost.
        assert tiling.runs(asked, image=image, model=model) == 100 + whole
        return
    made = len(tiles) + whole if tiles else 1
    assert tiling.runs(asked, image=image, model=model) == made
