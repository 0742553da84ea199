"""How an image lies in a model's input, and that boxes find their way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection import letterbox
from detection.letterbox import Canvas, Letterbox

GREY = 114
SIDES = st.integers(1, 8192)


def fit(image: tuple[int, int], model: tuple[int, int]) -> Letterbox:
    return letterbox.fit(
        image_width=image[0], image_height=image[1], input_width=model[0], input_height=model[1]
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
def test_the_images_corners_are_the_contents_corners(width, height, model_width, model_height):
    box = fit((width, height), (model_width, model_height))
    whole = np.array([[0, 0, width, height]], dtype=np.float32)
    right, bottom = box.left + box.content_width, box.top + box.content_height
    inside = np.array([[box.left, box.top, right, bottom]], dtype=np.float32)
    np.testing.assert_allclose(box.to_image(inside), whole, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(box.to_input(whole), inside, rtol=1e-5, atol=1e-3)


@given(SIDES, SIDES, st.integers(32, 2048), st.integers(32, 2048), st.data())
def test_a_box_comes_back_from_the_input_where_it_was(width, height, wide, high, data):
    box = fit((width, height), (wide, high))
    fractions = data.draw(st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), max_size=5))
    boxes = np.array(fractions, dtype=np.float32).reshape(-1, 4)
    boxes = boxes * np.array([width, height] * 2, dtype=np.float32)
    back = box.to_image(box.to_input(boxes))
    # float32 of a coordinate in the input, seen through the scale.
    per_pixel = max(width / box.content_width, height / box.content_height)
    tolerance = 4 * np.finfo(np.float32).eps * max(wide, high) * per_pixel + 1e-3
    np.testing.assert_allclose(back, boxes, rtol=1e-5, atol=tolerance)


def content(box: Letterbox, seed: int) -> np.ndarray:
    size = (box.content_height, box.content_width, 3)
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


def test_an_input_is_planes_of_red_green_and_blue_from_nought_to_one():
    box = fit((4, 2), (8, 8))
    pixels = content(box, 0)
    canvas = Canvas(width=8, height=8, dtype=np.dtype(np.float32))
    canvas.place(pixels, box)
    assert canvas.tensor.shape == (1, 3, 8, 8)
    for row in range(8):
        for column in range(8):
            within = 2 <= row < 6
            expected = pixels[row - 2, column] if within else np.full(3, GREY)
            assert canvas.tensor[0, :, row, column] == pytest.approx(expected / 255, abs=1e-6)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=6),
    st.sampled_from(["float32", "float16"]),
)
def test_an_input_that_is_used_again_keeps_no_trace_of_the_image_before(sizes, name):
    dtype = np.dtype(name)
    used = Canvas(width=32, height=24, dtype=dtype)
    for seed, size in enumerate(sizes):
        box = fit(size, (32, 24))
        fresh = Canvas(width=32, height=24, dtype=dtype)
        used.place(content(box, seed), box)
        fresh.place(content(box, seed), box)
        assert used.tensor.dtype == dtype
        np.testing.assert_array_equal(used.tensor, fresh.tensor)
        # And what is fresh is right: the grey around the content is as long as it should be.
        around = fresh.tensor == np.asarray(GREY / 255, dtype=dtype)
        assert around.sum() >= 3 * (32 * 24 - box.content_width * box.content_height)
