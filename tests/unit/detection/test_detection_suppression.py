"""Non-maximum suppression against the plainest way to write it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.suppression import MAX_CANDIDATES, suppress

# Whole pixels and thresholds that are sums of halves: float32 has them exactly, so that the
# reference and the product cannot differ by rounding.
EDGES = st.tuples(st.integers(0, 24), st.integers(0, 24), st.integers(0, 12), st.integers(0, 12))
CANDIDATES = st.lists(
    st.tuples(EDGES, st.integers(0, 8).map(lambda n: n / 8), st.integers(0, 2)), max_size=25
)
THRESHOLDS = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0])


# From within a block of what is compared at once, to several.
CROWDS = st.builds(
    lambda seed, count: [
        ((int(x), int(y), int(w), int(h)), float(score), int(kind))
        for x, y, w, h, score, kind in zip(
            *np.random.default_rng(seed).integers(0, 60, (2, count)),
            *np.random.default_rng(seed + 1).integers(0, 20, (2, count)),
            np.random.default_rng(seed + 2).integers(0, 40, count) / 40,
            np.random.default_rng(seed + 3).integers(0, 3, count),
            strict=True,
        )
    ],
    seed=st.integers(0, 2**32),
    count=st.integers(50, 200),
)
MEASURES = st.sampled_from(["iou", "ios"])


def run(boxes, scores, classes, *, iou=0.5, limit=300, groups=None, **options):
    if groups is not None:
        options["groups"] = np.array(groups, dtype=np.intp)
    kept = suppress(
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.array(scores, dtype=np.float32),
        np.array(classes, dtype=np.intp),
        iou=iou,
        limit=limit,
        **options,
    )
    return kept.tolist()


def overlap(one, other):
    """Intersection, union and the smaller of two, in whole square pixels."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0, width) * max(0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared, sum(areas) - shared, min(areas)


def reference(boxes, scores, classes, *, iou, agnostic=False, measure="iou", groups=None):
    kept = []
    for index in sorted(range(len(boxes)), key=lambda index: (-scores[index], index)):
        for surer in kept:
            shared, union, smaller = overlap(boxes[index], boxes[surer])
            whole = union if measure == "iou" else smaller
            alike = agnostic or classes[index] == classes[surer]
            apart = groups is None or groups[index] != groups[surer]
            if alike and apart and whole > 0 and shared / whole > iou:
                break
        else:
            kept.append(index)
    return kept


def columns(candidates):
    boxes = [(x, y, x + width, y + height) for (x, y, width, height), _, _ in candidates]
    return boxes, [score for _, score, _ in candidates], [kind for _, _, kind in candidates]


@settings(deadline=None)
@given(CANDIDATES | CROWDS, THRESHOLDS, st.booleans(), MEASURES, st.none() | st.integers(0, 99))
def test_it_keeps_what_the_plain_way_keeps(candidates, iou, agnostic, measure, seed):
    boxes, scores, classes = columns(candidates)
    groups = None
    if seed is not None:
        groups = np.random.default_rng(seed).integers(0, 3, len(boxes)).tolist()
    how = {"iou": iou, "agnostic": agnostic, "measure": measure, "groups": groups}
    assert run(boxes, scores, classes, **how) == reference(boxes, scores, classes, **how)


@settings(deadline=None)
@given(CANDIDATES | CROWDS, THRESHOLDS, st.integers(1, 100))
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


def test_other_classes_cover_each_other_where_classes_do_not_matter():
    boxes = [(0, 0, 10, 10), (0, 0, 10, 10)]
    assert run(boxes, [0.25, 0.75], [0, 1], agnostic=True) == [1]


def test_half_of_an_object_is_covered_by_the_whole_in_the_smaller_of_the_two():
    # A tile's seam cut it: a quarter of the union, all of the smaller.
    boxes = [(0, 0, 40, 10), (0, 0, 10, 10)]
    assert run(boxes, [0.75, 0.5], [0, 0], iou=0.5) == [0, 1]
    assert run(boxes, [0.75, 0.5], [0, 0], iou=0.5, measure="ios") == [0]
    # Whichever is the surer; the boxes stay as they are.
    assert run(boxes, [0.5, 0.75], [0, 0], iou=0.5, measure="ios") == [1]


def test_boxes_of_one_group_do_not_cover_each_other():
    boxes = [(0, 0, 10, 10), (0, 0, 10, 10), (0, 0, 10, 10)]
    assert run(boxes, [0.75, 0.5, 0.25], [0, 0, 0], groups=[4, 4, 7]) == [0, 1]


@pytest.mark.parametrize("measure", ["iou", "ios"])
def test_of_a_crowd_that_is_one_the_surest_stays(measure):
    count = 500
    scores = np.random.default_rng(0).permutation(count) / count
    kept = run([(3, 3, 9, 9)] * count, scores, np.zeros(count), measure=measure)
    assert kept == [int(scores.argmax())]


def test_nothing_gives_nothing():
    assert run([], [], []) == []


def test_a_limit_of_none_gives_none():
    assert run([(0, 0, 1, 1)], [0.5], [0], limit=0) == []


def test_work_is_bounded_and_what_is_looked_at_are_the_surest():
    count = MAX_CANDIDATES + 500
    left = np.arange(count) * 10
    boxes = np.stack([left, left * 0, left + 5, left * 0 + 5], axis=1)
    scores = np.random.default_rng(0).permutation(count) / count
    kept = run(boxes, scores, np.zeros(count), limit=count)
    assert kept == np.argsort(-scores)[:MAX_CANDIDATES].tolist()
