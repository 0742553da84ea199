"""Non-maximum suppression against the plainest way to write it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.suppression import MAX_CANDIDATES, suppress

# Whole pixels and thresholds that are sums of halves: float32 has them exactly, so that the
# reference and the product cannot differ by rounding.
EDGES = st.tuples(st.integers(0, 24), st.integers(0, 24), st.integers(0, 12), st.integers(0, 12))
CANDIDATES = st.lists(
    st.tuples(EDGES, st.integers(0, 8).map(lambda n: n / 8), st.integers(0, 2)), max_size=25
)
THRESHOLDS = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0])


def run(boxes, scores, classes, *, iou=0.5, limit=300):
    kept = suppress(
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.array(scores, dtype=np.float32),
        np.array(classes, dtype=np.intp),
        iou=iou,
        limit=limit,
    )
    return kept.tolist()


def overlap(one, other):
    """Intersection and union in whole square pixels."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0, width) * max(0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared, sum(areas) - shared


def reference(boxes, scores, classes, *, iou):
    kept = []
    for index in sorted(range(len(boxes)), key=lambda index: (-scores[index], index)):
        for surer in kept:
            shared, union = overlap(boxes[index], boxes[surer])
            if classes[index] == classes[surer] and union > 0 and shared / union > iou:
                break
        else:
            kept.append(index)
    return kept


def columns(candidates):
    boxes = [(x, y, x + width, y + height) for (x, y, width, height), _, _ in candidates]
    return boxes, [score for _, score, _ in candidates], [kind for _, _, kind in candidates]


@given(CANDIDATES, THRESHOLDS)
def test_it_keeps_what_the_plain_way_keeps(candidates, iou):
    boxes, scores, classes = columns(candidates)
    assert run(boxes, scores, classes, iou=iou) == reference(boxes, scores, classes, iou=iou)


@given(CANDIDATES, THRESHOLDS, st.integers(1, 10))
def test_a_limit_keeps_the_surest_of_those(candidates, iou, limit):
    boxes, scores, classes = columns(candidates)
    everything = run(boxes, scores, classes, iou=iou)
    assert run(boxes, scores, classes, iou=iou, limit=limit) == everything[:limit]


@given(CANDIDATES, THRESHOLDS)
def test_what_was_kept_stays_when_it_is_looked_at_again(candidates, iou):
    boxes, scores, classes = columns(candidates)
    kept = run(boxes, scores, classes, iou=iou)
    again = run(*([column[i] for i in kept] for column in (boxes, scores, classes)), iou=iou)
    assert again == list(range(len(kept)))


def test_of_two_that_overlap_the_surer_stays():
    boxes = [(0, 0, 10, 10), (1, 0, 11, 10)]
    assert run(boxes, [0.25, 0.75], [0, 0]) == [1]
    assert run(boxes, [0.75, 0.25], [0, 0]) == [0]


def test_other_classes_do_not_cover_each_other():
    boxes = [(0, 0, 10, 10), (0, 0, 10, 10)]
    assert run(boxes, [0.25, 0.75], [0, 1]) == [1, 0]


def test_an_overlap_of_just_the_threshold_is_no_duplicate():
    # Two thirds of each are shared: half of the union.
    boxes = [(0, 0, 3, 1), (1, 0, 4, 1)]
    assert run(boxes, [0.75, 0.5], [0, 0], iou=0.5) == [0, 1]
    assert run(boxes, [0.75, 0.5], [0, 0], iou=0.49) == [0]


def test_what_was_covered_covers_nothing_itself():
    # A chain: the middle one goes, and so does not take the last one along.
    boxes = [(0, 0, 10, 1), (4, 0, 14, 1), (8, 0, 18, 1)]
    assert run(boxes, [0.75, 0.5, 0.25], [0, 0, 0], iou=0.25) == [0, 2]


@pytest.mark.parametrize("iou", [0.0, 0.5, 1.0])
def test_boxes_without_area_neither_cover_nor_go(iou):
    boxes = [(5, 5, 5, 5), (5, 5, 5, 5), (0, 5, 10, 5), (0, 0, 10, 10)]
    with np.errstate(all="raise"):
        assert run(boxes, [0.5] * 4, [0] * 4, iou=iou) == [0, 1, 2, 3]


def test_nothing_gives_nothing():
    assert run([], [], []) == []


def test_work_is_bounded_and_what_is_looked_at_are_the_surest():
    count = MAX_CANDIDATES + 500
    left = np.arange(count) * 10
    boxes = np.stack([left, left * 0, left + 5, left * 0 + 5], axis=1)
    scores = np.random.default_rng(0).permutation(count) / count
    kept = run(boxes, scores, np.zeros(count), limit=count)
    assert kept == np.argsort(-scores)[:MAX_CANDIDATES].tolist()
