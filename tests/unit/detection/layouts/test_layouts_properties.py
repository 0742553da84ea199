"""Any boxes, written in any layout, are read as they were; what is nonsense is read as nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.layouts import LAYOUTS
from detection.layouts.layout import InputSize, Signature, Tensor
from fakes.layouts import ENCODERS, Scene, Thing, written

WIDTH, HEIGHT, LABELS = 96, 64, 4
SIZE = InputSize(width=WIDTH, height=HEIGHT)
CONFIDENCE = 0.4


def edges(side: int) -> st.SearchStrategy[tuple[float, float]]:
    """Two places on a side, at least two pixels apart, to an eighth of a pixel."""
    eighths = st.integers(0, side * 8)
    pairs = st.tuples(eighths, eighths).map(sorted).filter(lambda pair: pair[1] - pair[0] >= 16)
    return pairs.map(lambda pair: (pair[0] / 8, pair[1] / 8))


# Scores keep off the threshold by more than float16 rounds.
SCORES = st.floats(0.05, 0.3) | st.floats(0.5, 0.95)
THINGS = st.builds(
    lambda x, y, score, label: Thing(box=(x[0], y[0], x[1], y[1]), score=score, label=label),
    x=edges(WIDTH),
    y=edges(HEIGHT),
    score=SCORES,
    # torchvision's first label is the background, which is never found.
    label=st.integers(1, LABELS - 1),
)
SCENES = st.builds(
    Scene,
    width=st.just(WIDTH),
    height=st.just(HEIGHT),
    labels=st.just(LABELS),
    rows=st.just(20),
    first_row=st.integers(0, 125),
    things=st.lists(THINGS, max_size=6),
)


def bound(name: str, outputs):
    signature = Signature(
        inputs=(),
        outputs=tuple(
            Tensor(name=key, shape=array.shape, dtype=array.dtype.name)
            for key, array in outputs.items()
        ),
    )
    return LAYOUTS[name].bound(signature)


def read(name: str, outputs, confidence: float = CONFIDENCE):
    layout = bound(name, outputs)
    return layout.candidates(list(outputs.values()), confidence=confidence, size=SIZE)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=50, deadline=None)
@given(scene=SCENES)
def test_boxes_come_back_as_they_were_written(name, dtype, scene):
    found = read(name, written(name, scene, dtype))
    expected = sorted(
        (thing for thing in scene.things if thing.score >= CONFIDENCE), key=lambda thing: thing.box
    )
    assert len(found.boxes) == len(expected)
    left = set(range(len(expected)))
    close = 0.05 if dtype == "float32" else 0.5
    for thing in expected:
        # Things may lie on each other: each is some candidate, and none is two.
        match = next(
            number
            for number in left
            if found.classes[number] == thing.label
            and abs(found.scores[number] - thing.score) < 0.01
            and np.abs(found.boxes[number] - thing.box).max() <= close
        )
        left.remove(match)


@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=50, deadline=None)
@given(scene=SCENES)
def test_a_right_model_is_never_implausible(name, scene):
    for dtype in ("float32", "float16"):
        outputs = written(name, scene, dtype)
        layout = bound(name, outputs)
        for labels in (LABELS, None):
            assert layout.implausible(list(outputs.values()), labels=labels, size=SIZE) is None


@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=50, deadline=None)
@given(scene=SCENES, rows=st.integers(1, 3))
def test_only_the_first_image_of_a_batch_counts(name, scene, rows):
    outputs = written(name, scene)
    if name == "torchvision":
        outputs = {key: array[None] for key, array in outputs.items()}
    batch = {
        key: np.concatenate([array, *[np.zeros_like(array)] * rows])
        for key, array in outputs.items()
    }
    first, all_of_them = read(name, outputs), read(name, batch)
    assert np.array_equal(first.boxes, all_of_them.boxes)
    assert np.array_equal(first.scores, all_of_them.scores)
    assert np.array_equal(first.classes, all_of_them.classes)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ENCODERS)
def test_what_is_not_finite_is_no_candidate_and_not_plausible(name, bad):
    scene = Scene(
        width=WIDTH,
        height=HEIGHT,
        labels=LABELS,
        rows=20,
        things=(Thing(box=(8.0, 8.0, 40.0, 24.0), score=0.9, label=1),),
    )
    for key in written(name, scene):
        outputs = written(name, scene)
        if outputs[key].dtype.kind != "f" or key == "num_detections":
            continue
        outputs[key] = np.full_like(outputs[key], bad)
        layout = bound(name, outputs)
        with np.errstate(all="raise"):
            reason = layout.implausible(list(outputs.values()), labels=LABELS, size=SIZE)
        assert "not finite" in reason
        found = layout.candidates(list(outputs.values()), confidence=CONFIDENCE, size=SIZE)
        assert np.isfinite(found.boxes).all()
        assert ((found.scores >= CONFIDENCE) & (found.scores <= 1.0)).all()
        assert ((found.classes >= 0) & (found.classes < LABELS)).all()


@pytest.mark.parametrize("name", ENCODERS)
def test_nothing_at_all_is_read_as_nothing(name):
    scene = Scene(width=WIDTH, height=HEIGHT, labels=LABELS, rows=20, things=())
    found = read(name, written(name, scene))
    assert found.boxes.shape == (0, 4)
    assert (found.scores.shape, found.classes.shape) == ((0,), (0,))


@pytest.mark.parametrize("name", ["end2end", "rtdetr_topk", "dfine", "torchvision", "tf_ssd"])
def test_a_row_without_a_score_is_padding_even_where_everything_is_wanted(name):
    scene = Scene(width=WIDTH, height=HEIGHT, labels=LABELS, rows=20, things=())
    outputs = written(name, scene)
    outputs = {
        key: np.zeros_like(array) if key != "num_detections" else np.array([20.0])
        for key, array in outputs.items()
    }
    assert len(read(name, outputs, confidence=0.0).scores) == 0
    layout = bound(name, outputs)
    assert layout.implausible(list(outputs.values()), labels=LABELS, size=SIZE) is None
