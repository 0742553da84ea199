"""A model's input tensor: the image where it belongs, in the model's own order, grey around it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection import letterbox
from detection.canvas import Canvas
from detection.layouts.layout import InputSize, Preparation
from detection.letterbox import Letterbox
from detection.models.form import InputForm

AXES = ("NCHW", "NHWC", "CHW")
COLOURS = ("RGB", "BGR")
FITS = ("letterbox", "top_left", "stretch")
SIDES = st.integers(1, 60)


def form(axes: str, width: int, height: int, batch: int = 1) -> InputForm:
    size = InputSize(width=width, height=height)
    return InputForm(name="images", axes=axes, dtype="float32", size=size, batch=batch)


def lying(image: tuple[int, int], model: tuple[int, int], how: str = "letterbox") -> Letterbox:
    size = InputSize(width=model[0], height=model[1])
    return letterbox.fit(image_width=image[0], image_height=image[1], size=size, how=how)


def content(box: Letterbox, seed: int = 0) -> np.ndarray:
    size = (box.content_height, box.content_width, 3)
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


def seen(canvas: Canvas, axes: str) -> np.ndarray:
    """[height, width, 3] of the first image, in the model's order of colours."""
    if axes == "NHWC":
        return canvas.tensor[0]
    planes = canvas.tensor if axes == "CHW" else canvas.tensor[0]
    return planes.transpose(1, 2, 0)


def expected(pixels: np.ndarray, box: Letterbox, colours: str, grey: int) -> np.ndarray:
    whole = np.full((box.input_height, box.input_width, 3), grey, dtype=np.uint8)
    for row, column in product(range(box.content_height), range(box.content_width)):
        colour = pixels[row, column]
        whole[box.top + row, box.left + column] = colour if colours == "RGB" else colour[::-1]
    return whole


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("axes", AXES)
def test_each_pixel_is_where_the_letterbox_says_in_the_models_order(axes, colours, fit):
    box = lying((10, 5), (16, 12), fit)
    canvas = Canvas(form(axes, 16, 12), Preparation(fit=fit, colours=colours, padding=77))
    pixels = content(box)
    canvas.place(pixels, box)
    np.testing.assert_array_equal(seen(canvas, axes), expected(pixels, box, colours, 77))


@settings(deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(AXES), st.sampled_from(COLOURS))
def test_any_image_is_written_into_the_tensor_itself(width, height, wide, high, axes, colours):
    """OpenCV writes into views of it, or else would give a new array that nobody looks at."""
    box = lying((width, height), (wide, high))
    canvas = Canvas(form(axes, wide, high), Preparation(colours=colours))
    tensor = canvas.tensor
    pixels = content(box)
    canvas.place(pixels, box)
    assert canvas.tensor is tensor
    assert tensor.flags.c_contiguous
    np.testing.assert_array_equal(seen(canvas, axes), expected(pixels, box, colours, 114))


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("axes", AXES)
def test_a_part_of_a_larger_image_is_placed_as_it_is(axes, colours):
    """Tiles are views: their lines are not beside each other."""
    whole = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    part = whole[7:19, 11:27]
    box = lying((16, 12), (16, 12))
    canvas = Canvas(form(axes, 16, 12), Preparation(colours=colours))
    canvas.place(part, box)
    np.testing.assert_array_equal(seen(canvas, axes), expected(part, box, colours, 114))


@settings(deadline=None)
@given(
    st.lists(st.tuples(SIDES, SIDES, st.sampled_from(FITS)), min_size=1, max_size=6),
    st.sampled_from(AXES),
)
def test_a_tensor_that_is_used_again_keeps_no_trace_of_the_image_before(images, axes):
    used = Canvas(form(axes, 32, 24), Preparation())
    for seed, (width, height, fit) in enumerate(images):
        box = lying((width, height), (32, 24), fit)
        pixels = content(box, seed)
        used.place(pixels, box)
        np.testing.assert_array_equal(seen(used, axes), expected(pixels, box, "RGB", 114))


@pytest.mark.parametrize("axes", ["NCHW", "NHWC"])
def test_of_a_fixed_batch_the_first_image_counts_and_the_others_are_grey(axes):
    canvas = Canvas(form(axes, 8, 8, batch=3), Preparation(padding=9))
    box = lying((8, 8), (8, 8))
    canvas.place(content(box), box)
    assert canvas.tensor.shape[0] == 3
    np.testing.assert_array_equal(seen(canvas, axes), content(box))
    assert np.unique(canvas.tensor[1:]).tolist() == [9]
