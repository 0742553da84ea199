"""Which of a model's inputs takes the image, and in which form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.errors import ModelError
from detection.layouts.layout import InputSize, Signature, Tensor
from detection.models.form import InputForm, form_of


def taking(*inputs: tuple[str, tuple[Any, ...], str], **metadata: str) -> Signature:
    return Signature(
        inputs=tuple(Tensor(name=n, shape=s, dtype=d) for n, s, d in inputs),
        outputs=(),
        metadata=metadata,
    )


def image(shape: tuple[Any, ...], dtype: str = "float32", **metadata: str) -> Signature:
    return taking(("image", shape, dtype), **metadata)


def form(signature: Signature, size=None, default=None) -> InputForm:
    wanted = [None if each is None else InputSize(width=each[0], height=each[1])
              for each in (size, default)]  # fmt: skip
    return form_of(signature, size=wanted[0], default_size=wanted[1])


def refused(signature: Signature, **asked: Any) -> str:
    with pytest.raises(ModelError) as caught:
        form(signature, **asked)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("shape", "dtype", "axes", "tensor"),
    [
        ((1, 3, 64, 96), "float32", "NCHW", (1, 3, 64, 96)),
        ((1, 64, 96, 3), "float32", "NHWC", (1, 64, 96, 3)),
        ((3, 64, 96), "float32", "CHW", (3, 64, 96)),
        ((4, 3, 64, 96), "float16", "NCHW", (4, 3, 64, 96)),
        ((4, 64, 96, 3), "uint8", "NHWC", (4, 64, 96, 3)),
        (("n", 3, 64, 96), "float32", "NCHW", (1, 3, 64, 96)),
        ((None, 64, 96, 3), "uint8", "NHWC", (1, 64, 96, 3)),
        # An image three pixels wide: models are mostly of planes.
        ((1, 3, 64, 3), "float32", "NCHW", (1, 3, 64, 3)),
    ],
)
def test_the_axes_are_told_by_where_the_three_colours_are(shape, dtype, axes, tensor):
    found = form(image(shape, dtype))
    assert (found.axes, found.shape, found.dtype) == (axes, tensor, dtype)
    assert found.channels_last == (axes == "NHWC")


@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        (("n", "c", "h", "w"), "float32", "NCHW"),
        (("n", "a", "b", "c"), "uint8", "NHWC"),
        (("n", None, 64, 96), "float32", "NCHW"),
        (("n", "c", "h", 96), "float32", "NCHW"),
        (("n", 64, 96, "c"), "float32", "NHWC"),
    ],
)
def test_colours_that_are_not_declared_are_where_they_can_be(shape, dtype, axes):
    assert form(image(shape, dtype)).axes == axes


@pytest.mark.parametrize(
    ("size", "default", "metadata", "expected"),
    [
        (None, None, {}, (640, 640)),
        (None, None, {"imgsz": "[64, 96]"}, (96, 64)),
        (None, (128, 160), {"imgsz": "[64, 96]"}, (128, 160)),
        ((320, 256), (128, 160), {"imgsz": "[64, 96]"}, (320, 256)),
        ((96, 96), None, {"stride": "48"}, (96, 96)),
    ],
)
def test_a_model_of_any_size_takes_what_is_asked_else_the_usual_else_its_own(
    size, default, metadata, expected
):
    for shape in (("n", 3, "h", "w"), ("n", "h", "w", 3), (3, "h", "w")):
        found = form(image(shape, **metadata), size, default).size
        assert (found.width, found.height) == expected


def test_a_side_that_is_fixed_is_kept_and_the_other_is_as_asked():
    found = form(image((1, 3, 64, "w")), (128, 64)).size
    assert (found.width, found.height) == (128, 64)
    assert form(image((1, 3, 64, "w")), None, (256, 999)).size.height == 64


def test_what_is_asked_must_be_what_the_file_fixes():
    sentence = refused(image((1, 3, 64, 96)), size=(64, 96))
    assert "96 x 64" in sentence
    assert "input_size 64 x 96" in sentence
    assert form(image((1, 3, 64, 96)), size=(96, 64)).size == InputSize(width=96, height=64)


@pytest.mark.parametrize(
    ("size", "metadata", "limit"),
    [
        ((100, 96), {}, "multiples of 32"),
        ((96, 100), {"stride": "64"}, "multiples of 64"),
        ((8224, 64), {}, "at most 8192"),
    ],
)
def test_sides_that_no_stride_fits_or_that_are_too_large(size, metadata, limit):
    sentence = refused(image((1, 3, "h", "w"), **metadata), size=size)
    assert limit in sentence
    assert f"{size[1]} x {size[0]}" in sentence


def test_a_file_of_a_fixed_size_was_made_for_it_whatever_its_stride():
    assert form(image((1, 3, 100, 300))).size == InputSize(width=300, height=100)
    assert "at most 8192" in refused(image((1, 3, 8, 9000)))


@pytest.mark.parametrize(
    ("shape", "dtype", "size", "fits"),
    [
        ((1, 3, "h", "w"), "float32", (4096, 4096), True),
        ((1, 3, "h", "w"), "float32", (8192, 4096), False),
        ((1, 3, "h", "w"), "float16", (8192, 4096), True),
        ((1, "h", "w", 3), "uint8", (8192, 8192), True),
        ((2, "h", "w", 3), "uint8", (8192, 8192), False),
    ],
)
def test_an_input_takes_at_most_256_mebibytes(shape, dtype, size, fits):
    if fits:
        form(image(shape, dtype), size=size)
    else:
        sentence = refused(image(shape, dtype), size=size)
        assert "256 MiB" in sentence
        assert str(size[0]) in sentence


def test_a_batch_is_at_most_64():
    assert form(image((64, 3, 64, 96))).batch == 64
    assert "at most 64, found image [65, 3, 64, 96]" in refused(image((65, 3, 64, 96)))


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], "float32, float16 or uint8, found"),
        ([("a", (1, 3), "float32")], "a [1, 3]"),
        ([("a", (1, 1, 64, 64), "float32")], "a [1, 1, 64, 64]"),
        ([("a", (64, 64, 3), "float32")], "a [64, 64, 3]"),
        ([("a", (1, 3, 64, 64), "int8")], "of int8"),
        ([("a", (1, 3, 64, 64), "float64")], "of float64"),
        ([("a", (1, 3, 64, 64), "float32"), ("b", (1, 3, 64, 64), "float32")], "b [1, 3, 64, 64]"),
    ],
)
def test_what_takes_no_image_or_more_than_one_is_refused(inputs, words):
    sentence = refused(taking(*inputs))
    assert "[n, 3, height, width] or [n, height, width, 3]" in sentence
    assert words in sentence


def test_other_inputs_beside_the_image_are_not_its_business():
    found = form(
        taking(
            ("orig_target_sizes", (1, 2), "int64"),
            ("pixel_values", (1, 3, 64, 64), "float32"),
            ("pixel_mask", (1, 64, 64), "int64"),
        )
    )
    assert found.name == "pixel_values"


SIDE = st.integers(1, 9000) | st.just("side") | st.none()


@given(
    st.lists(SIDE, max_size=6),
    st.sampled_from(["float32", "float16", "uint8", "int64", "str"]),
    st.none() | st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
)
def test_any_declaration_is_a_form_within_the_limits_or_refused(shape, dtype, size):
    try:
        found = form(image(tuple(shape), dtype), size=size)
    except ModelError:
        return
    declared = [side for side in shape if isinstance(side, int)]
    assert [side for side in declared if side not in found.shape] == []
    assert max(found.size.width, found.size.height) <= 8192
    assert found.batch <= 64
    assert size is None or (found.size.width, found.size.height) == size
