"""Known boxes, written by a model of each layout in ONNX Runtime, come back as they were."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from detection.layouts import LAYOUTS
from detection.layouts.choice import choose, confirm
from detection.layouts.layout import InputSize, Signature, Tensor
from fakes.layouts import ENCODERS, Scene, Thing, model

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
}
# Wider than high, so that nothing that mixes up the sides goes unnoticed.
SCENE = Scene(
    width=320,
    height=192,
    labels=7,
    first_row=11,
    things=(
        Thing(box=(16.0, 24.0, 80.0, 56.0), score=0.90625, label=3),
        Thing(box=(200.0, 100.0, 312.0, 188.0), score=0.75, label=0),
        Thing(box=(4.0, 150.0, 20.0, 182.0), score=0.5625, label=6),
    ),
)


def tensors(declared) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(name=one.name, shape=tuple(one.shape), dtype=DTYPES[one.type]) for one in declared
    )


def looked_at(name: str, dtype: str):
    """The layout that is chosen for its model, unasked, and what the model wrote."""
    session = onnxruntime.InferenceSession(model(name, SCENE, dtype=dtype))
    signature = Signature(
        inputs=tensors(session.get_inputs()),
        outputs=tensors(session.get_outputs()),
        metadata=session.get_modelmeta().custom_metadata_map,
    )
    size = InputSize(width=SCENE.width, height=SCENE.height)
    candidates = choose(signature, labels=SCENE.labels, stated=None)
    image = signature.inputs[0]
    feed = {image.name: np.ones(image.shape, dtype=image.dtype)}
    feed |= candidates[0].companions(signature, size=size)
    outputs = session.run(None, feed)
    layout = confirm(candidates, signature, outputs, labels=SCENE.labels, size=size)
    return layout, outputs, size


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", ENCODERS)
def test_a_model_is_known_by_what_it_writes_and_its_boxes_are_read(name, dtype):
    layout, outputs, size = looked_at(name, dtype)
    assert layout.name == name
    found = layout.candidates(outputs, confidence=0.5, size=size)
    order = np.argsort(-found.scores)
    close = 0.02 if dtype == "float32" else 0.5
    assert found.boxes[order] == pytest.approx(np.array([t.box for t in SCENE.things]), abs=close)
    assert found.scores[order] == pytest.approx([t.score for t in SCENE.things], abs=0.01)
    assert found.classes[order].tolist() == [t.label for t in SCENE.things]
    assert (found.boxes.dtype, found.scores.dtype, found.classes.dtype) == (
        np.float32,
        np.float32,
        np.intp,
    )


@pytest.mark.parametrize("name", ENCODERS)
def test_only_what_is_sure_enough_is_a_candidate(name):
    layout, outputs, size = looked_at(name, "float32")
    for confidence, count in [(0.95, 0), (0.8, 1), (0.6, 2), (0.5, 3)]:
        found = layout.candidates(outputs, confidence=confidence, size=size)
        assert len(found.scores) == count
        assert found.boxes.shape == (count, 4)
        assert (found.scores >= confidence).all()


def test_every_layout_has_its_golden_model():
    assert set(ENCODERS) == set(LAYOUTS)


def test_layouts_are_named_so_that_they_can_be_written_anywhere():
    for name, layout in LAYOUTS.items():
        assert layout.name == name
        assert name.replace("_", "").isalnum()
        assert name == name.lower()
