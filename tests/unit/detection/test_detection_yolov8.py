"""The YOLOv8 layout: what is of it, what is not and why, and its candidates one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.layouts import LAYOUTS

LAYOUT = LAYOUTS["yolov8"]
LABELS = 3


@pytest.mark.parametrize(
    "shape",
    [(1, 7, 8400), (1, 7, 1), ("batch", 7, "anchors"), (None, None, None), (1, "rows", 8400)],
)
def test_shapes_of_the_layout_or_still_unknown_fit(shape):
    assert LAYOUT.mismatch([shape], labels=LABELS) is None


@pytest.mark.parametrize(
    ("shapes", "found", "hint"),
    [
        ([], "0 outputs", ""),
        ([(1, 7, 8400), (1, 32, 160, 160)], "2 outputs", ""),
        ([(7, 8400)], "[7, 8400]", ""),
        ([()], "[]", ""),
        ([(1, 84, 8400)], "[1, 84, 8400]", ""),
        ([(2, 7, 8400)], "[2, 7, 8400]", ""),
        ([(1, 8400, 7)], "[1, 8400, 7]", "transpose"),
        ([(1, 25200, 8)], "[1, 25200, 8]", "YOLOv5"),
        ([(1, 300, 6)], "[1, 300, 6]", "suppression"),
        ([("batch", 8400, 7)], "[batch, 8400, 7]", "transpose"),
    ],
)
def test_other_shapes_are_told_with_what_was_expected_and_found(shapes, found, hint):
    sentence = LAYOUT.mismatch(shapes, labels=LABELS)
    assert "[1, 7, n]" in sentence
    assert "3 labels" in sentence
    assert f"found {found}" in sentence
    assert hint in sentence
    assert hint or "which" not in sentence


def output(scores: list[list[float]]) -> np.ndarray:
    array = np.zeros((1, 4 + LABELS, len(scores)), dtype=np.float32)
    array[0, 4:] = np.array(scores, dtype=np.float32).T.reshape(LABELS, -1)
    return array


def test_scores_of_a_sigmoid_are_plausible_to_its_rounding():
    assert LAYOUT.implausible(output([[0, 0.5, 1]])) is None
    assert LAYOUT.implausible(output([[-0.0004, 0.5, 1.0004]])) is None
    assert LAYOUT.implausible(output([])) is None


@pytest.mark.parametrize("logit", [-7.5, 3.25])
def test_logits_are_told_by_their_range(logit):
    sentence = LAYOUT.implausible(output([[0, logit, 0.5]]))
    assert "0..1" in sentence
    assert f"{logit:g}" in sentence
    assert "logits" in sentence


@pytest.mark.parametrize("row", [0, 5])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_plausible(row, value):
    array = output([[0, 0.5, 1]])
    array[0, row, 0] = value
    assert "not finite" in LAYOUT.implausible(array)


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
    found = LAYOUT.candidates(array, confidence=confidence)
    assert found.boxes.shape == (len(expected), 4)
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)
    read = zip(found.boxes.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True)
    assert [(tuple(box), score, label) for box, score, label in read] == expected


def test_a_score_that_rounding_put_over_one_is_one():
    found = LAYOUT.candidates(output([[1.0004, 0, 0]]), confidence=0.5)
    assert found.scores.tolist() == [1.0]


def test_what_is_not_a_number_is_no_candidate():
    array = output([[np.nan, 0.5, 0.5], [0.75, 0, 0]])
    assert len(LAYOUT.candidates(array, confidence=0.25).scores) == 1
