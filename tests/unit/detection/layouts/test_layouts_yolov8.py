"""The YOLOv8 layout: what is of it, what is not and why, and its candidates one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.layouts import LAYOUTS
from detection.layouts.layout import InputSize, Signature, Tensor

LAYOUT = LAYOUTS["yolov8"]
LABELS = 3
SIZE = InputSize(width=64, height=64)


def declares(*shapes, dtype="float32") -> Signature:
    return Signature(
        inputs=(Tensor(name="images", shape=(1, 3, 64, 64), dtype="float32"),),
        outputs=tuple(
            Tensor(name=f"output{number}", shape=shape, dtype=dtype)
            for number, shape in enumerate(shapes)
        ),
    )


@pytest.mark.parametrize(
    "shape",
    [
        (1, 7, 8400),
        (2, 7, 8400),
        (1, 7, 1),
        ("batch", 7, "anchors"),
        (None, None, None),
        (1, "rows", 8400),
        (),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_shapes_of_the_layout_or_still_unknown_fit(shape, dtype):
    assert LAYOUT.mismatch(declares(shape, dtype=dtype), labels=LABELS) is None


@pytest.mark.parametrize("shape", [(1, 5, 8400), (1, 84, 8400), (1, "rows", 8400)])
def test_any_number_of_rows_fits_where_the_labels_are_unknown(shape):
    assert LAYOUT.mismatch(declares(shape), labels=None) is None


@pytest.mark.parametrize(
    ("shapes", "found"),
    [
        ([], "0 outputs"),
        ([(1, 7, 8400), (1, 32, 160, 160)], "2 outputs"),
        ([(7, 8400)], "[7, 8400]"),
        ([(1, 84, 8400)], "[1, 84, 8400]"),
        ([(1, 8400, 7)], "[1, 8400, 7]"),
        ([("batch", 8400, 7)], "[batch, 8400, 7]"),
    ],
)
def test_other_shapes_are_told_with_what_was_expected_and_found(shapes, found):
    sentence = LAYOUT.mismatch(declares(*shapes), labels=LABELS)
    assert sentence == (
        f"expected one output [1, 7, n] (4 + 3 labels, layout yolov8), found {found}"
    )


def test_without_labels_there_is_a_row_for_one_at_least():
    sentence = LAYOUT.mismatch(declares((1, 4, 8400)), labels=None)
    assert "[1, 4 + labels, n]" in sentence
    assert "found [1, 4, 8400]" in sentence


def test_numbers_without_a_fraction_are_no_boxes():
    sentence = LAYOUT.mismatch(declares((1, 7, 8400), dtype="int8"), labels=LABELS)
    assert sentence.endswith("of float32 or float16, found int8")


def test_an_input_that_nobody_would_fill_is_told():
    sizes = Tensor(name="sizes", shape=(1, 2), dtype="int64")
    whole = declares((1, 7, 8400))
    signature = Signature(inputs=(*whole.inputs, sizes), outputs=whole.outputs)
    sentence = LAYOUT.mismatch(signature, labels=LABELS)
    assert "no input but the image" in sentence
    assert "sizes [1, 2] of int64" in sentence


def output(scores: list[list[float]]) -> np.ndarray:
    array = np.zeros((1, 4 + LABELS, len(scores)), dtype=np.float32)
    array[0, 4:] = np.array(scores, dtype=np.float32).T.reshape(LABELS, -1)
    return array


def implausible(array) -> str | None:
    return LAYOUT.implausible([array], labels=LABELS, size=SIZE)


def test_scores_of_a_sigmoid_are_plausible_to_its_rounding():
    assert implausible(output([[0, 0.5, 1]])) is None
    assert implausible(output([[-0.0004, 0.5, 1.0004]])) is None
    assert implausible(output([])) is None


@pytest.mark.parametrize("logit", [-7.5, 3.25])
def test_logits_are_told_by_their_range(logit):
    sentence = implausible(output([[0, logit, 0.5]]))
    assert "0..1" in sentence
    assert f"{logit:g}" in sentence
    assert "logits" in sentence


@pytest.mark.parametrize("row", [0, 5])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_plausible(row, value):
    array = output([[0, 0.5, 1]])
    array[0, row, 0] = value
    assert "not finite" in implausible(array)


def test_boxes_that_are_normalised_are_told_by_their_reach():
    array = output([[0.25, 0.5, 0.125]] * 200)
    array[0, :4] = np.random.default_rng(0).random((4, 200))
    assert "pixels" in implausible(array)
    assert "normalised" in implausible(array)
    array[0, 0, 17] = 30.0
    assert implausible(array) is None


# Eighths: exact in float16 and float32, so that no threshold is met by rounding.
EIGHTHS = st.integers(0, 8).map(lambda n: n / 8)
ANCHORS = st.lists(
    st.tuples(
        st.tuples(*[st.integers(0, 200).map(lambda n: n / 4)] * 4), st.tuples(*[EIGHTHS] * LABELS)
    ),
    max_size=30,
)


@given(ANCHORS, EIGHTHS, st.sampled_from(["float32", "float16"]))
def test_candidates_are_those_that_plain_reading_gives(anchors, confidence, dtype):
    array = np.zeros((1, 4 + LABELS, len(anchors)), dtype=dtype)
    expected = []
    for column, ((x, y, width, height), scores) in enumerate(anchors):
        array[0, :, column] = (x, y, width, height, *scores)
        best = max(range(LABELS), key=lambda label: (scores[label], -label))
        if scores[best] >= confidence:
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            expected.append((box, scores[best], best))
    found = LAYOUT.candidates([array], confidence=confidence, size=SIZE)
    assert found.boxes.shape == (len(expected), 4)
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)
    read = zip(found.boxes.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True)
    assert [(tuple(box), score, label) for box, score, label in read] == expected


def test_a_score_that_rounding_put_over_one_is_one():
    found = LAYOUT.candidates([output([[1.0004, 0, 0]])], confidence=0.5, size=SIZE)
    assert found.scores.tolist() == [1.0]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("nan", [np.nan, -np.nan])
@pytest.mark.parametrize("place", range(LABELS))
def test_what_is_not_a_number_is_no_candidate(dtype, nan, place):
    array = output([[0.5, 0.5, 0.5], [0.75, 0, 0]])
    array[0, 4 + place, 0] = nan
    found = LAYOUT.candidates([array.astype(dtype)], confidence=0.25, size=SIZE)
    assert found.scores.tolist() == [0.75]


def test_what_rounding_put_below_nought_changes_nothing():
    array = output([[-0.0004, 0.5, -0.0004], [-0.0004, -0.0002, -0.0001]]).astype("float16")
    found = LAYOUT.candidates([array], confidence=0.25, size=SIZE)
    assert (found.scores.tolist(), found.classes.tolist()) == ([0.5], [1])
    assert len(LAYOUT.candidates([array], confidence=0.0, size=SIZE).scores) == 1
