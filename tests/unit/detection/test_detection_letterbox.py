"""How an image lies in a model's input, and that boxes find their way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection import letterbox
from detection.layouts.layout import Fit, InputSize
from detection.letterbox import Letterbox

SIDES = st.integers(1, 8192)


FITS = st.sampled_from(["letterbox", "top_left", "stretch"])


def fit(image: tuple[int, int], model: tuple[int, int], how: Fit = "letterbox") -> Letterbox:
    return letterbox.fit(
        image_width=image[0],
        image_height=image[1],
        size=InputSize(width=model[0], height=model[1]),
        how=how,
    )


@pytest.mark.parametrize(
    ("image", "model", "content", "corner"),
    [
        ((1280, 720), (640, 640), (640, 360), (0, 140)),
        ((720, 1280), (640, 640), (360, 640), (140, 0)),
        ((640, 384), (640, 384), (640, 384), (0, 0)),
        ((320, 192), (640, 384), (640, 384), (0, 0)),  # small images are enlarged
        ((1000, 1), (64, 64), (64, 1), (0, 31)),
        ((5, 4), (64, 64), (64, 51), (0, 6)),  # 13 rows left over: 6 above, 7 below
    ],
)
def test_the_largest_copy_lies_in_the_middle(image, model, content, corner):
    box = fit(image, model)
    assert (box.content_width, box.content_height) == content
    assert (box.left, box.top) == corner


@given(SIDES, SIDES, SIDES, SIDES)
def test_any_image_fits_into_any_input(width, height, model_width, model_height):
    box = fit((width, height), (model_width, model_height))
    right = model_width - box.left - box.content_width
    bottom = model_height - box.top - box.content_height
    assert min(box.left, box.top, box.content_width - 1, box.content_height - 1) >= 0
    # In the middle; what cannot be halved goes to the right and to the bottom.
    assert 0 <= right - box.left <= 1
    assert 0 <= bottom - box.top <= 1
    # As large as it can be, and of the image's shape to the nearest pixel.
    assert box.content_width == model_width or box.content_height == model_height
    ratio = min(model_width / width, model_height / height)
    assert abs(box.content_width - width * ratio) <= 0.5 or box.content_width == 1
    assert abs(box.content_height - height * ratio) <= 0.5 or box.content_height == 1


@given(SIDES, SIDES, SIDES, SIDES)
def test_in_the_corner_it_is_the_same_copy_without_anything_above_or_before_it(
    width, height, model_width, model_height
):
    centred = fit((width, height), (model_width, model_height))
    corner = fit((width, height), (model_width, model_height), "top_left")
    assert (corner.left, corner.top) == (0, 0)
    assert (corner.content_width, corner.content_height) == (
        centred.content_width,
        centred.content_height,
    )


@given(SIDES, SIDES, SIDES, SIDES)
def test_stretched_it_fills_the_input(width, height, model_width, model_height):
    box = fit((width, height), (model_width, model_height), "stretch")
    assert (box.left, box.top) == (0, 0)
    assert (box.content_width, box.content_height) == (model_width, model_height)


@given(SIDES, SIDES, SIDES, SIDES, FITS)
def test_the_images_corners_are_the_contents_corners(width, height, model_width, model_height, how):
    box = fit((width, height), (model_width, model_height), how)
    whole = np.array([[0, 0, width, height]], dtype=np.float32)
    right, bottom = box.left + box.content_width, box.top + box.content_height
    inside = np.array([[box.left, box.top, right, bottom]], dtype=np.float32)
    np.testing.assert_allclose(box.to_image(inside), whole, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(box.to_input(whole), inside, rtol=1e-5, atol=1e-3)


@given(SIDES, SIDES, st.integers(32, 2048), st.integers(32, 2048), FITS, st.data())
def test_a_box_comes_back_from_the_input_where_it_was(width, height, wide, high, how, data):
    box = fit((width, height), (wide, high), how)
    fractions = data.draw(st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), max_size=5))
    boxes = np.array(fractions, dtype=np.float32).reshape(-1, 4)
    boxes = boxes * np.array([width, height] * 2, dtype=np.float32)
    back = box.to_image(box.to_input(boxes))
    # float32 of a coordinate in the input, seen through the scale.
    per_pixel = max(width / box.content_width, height / box.content_height)
    tolerance = 4 * np.finfo(np.float32).eps * max(wide, high) * per_pixel + 1e-3
    np.testing.assert_allclose(back, boxes, rtol=1e-5, atol=tolerance)
