"""Real exporters' models, and wrong ones: which layout they are found to be of, and why not.

Each file of tests/vectors/layouts is one: what the model declares, how many labels are known, which
layouts it `fits` before it has run, what it `writes` for a warm-up frame (by the layout's encoder,
`things` boxes) and which layout it `is` in the end, or the words with which it is `refused`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detection.errors import ModelError
from detection.layouts.choice import choose, confirm
from detection.layouts.layout import InputSize, Signature, Tensor
from fakes.layouts import Scene, Thing, rfdetr, written

VECTORS = sorted((Path(__file__).parents[3] / "vectors/layouts").glob("*.json"))
RIGHT = [path for path in VECTORS if "is" in json.loads(path.read_text())]
WRONG = [path for path in VECTORS if "refused" in json.loads(path.read_text())]


def tensors(entries: list[dict[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(name=entry["name"], shape=tuple(entry["shape"]), dtype=entry["dtype"])
        for entry in entries
    )


def signature(vector: dict[str, Any]) -> Signature:
    return Signature(
        inputs=tensors(vector["inputs"]),
        outputs=tensors(vector["outputs"]),
        metadata=vector["metadata"],
    )


def warm_up(vector: dict[str, Any]) -> tuple[list[np.ndarray], InputSize]:
    """What the model writes for a frame, in the order of its outputs."""
    width, height = vector.get("size", (640, 640))
    labels = vector.get("true_labels", vector["labels"])
    declared = [entry["shape"] for entry in vector["outputs"]]
    rows = next((shape[1] for shape in declared if len(shape) > 1 and shape[1] in (100, 300)), 50)
    things = [
        Thing(box=(30.0, 50.0, 200.0, 120.0), score=0.8, label=labels - 1),
        Thing(box=(100.0, 20.0, 180.0, 250.0), score=0.6, label=0),
    ]
    scene = Scene(
        things=things[: vector.get("things", 2)],
        labels=labels,
        width=width,
        height=height,
        rows=rows,
    )
    dtypes = {entry["dtype"] for entry in vector["outputs"]} - {"int64"}
    wrote = written(vector["writes"], scene, *dtypes)
    if vector.get("spare") == 0:
        wrote["labels"] = rfdetr(scene)["labels"][:, :, :-1].astype(np.float32)
    if vector.get("transposed"):
        wrote = {name: array.transpose(0, 2, 1) for name, array in wrote.items()}
    outputs = [
        wrote.get(
            entry.get("role", entry["name"]),
            np.zeros([side if isinstance(side, int) else 1 for side in entry["shape"]], "float32"),
        )
        for entry in vector["outputs"]
    ]
    return outputs, InputSize(width=width, height=height)


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_a_model_is_of_the_layout_that_its_exporter_writes(path):
    vector = json.loads(path.read_text())
    declared, labels = signature(vector), vector["labels"]
    candidates = choose(declared, labels=labels, stated=vector.get("stated"))
    assert [layout.name for layout in candidates] == vector["fits"]
    outputs, size = warm_up(vector)
    layout = confirm(candidates, declared, outputs, labels=labels, size=size)
    assert layout.name == vector["is"]
    if vector.get("things", 2):
        # And it is bound to the outputs: it reads what was written.
        found = layout.candidates(outputs, confidence=0.5, size=size)
        best = found.boxes[found.scores.argmax()]
        assert best == pytest.approx([30.0, 50.0, 200.0, 120.0], abs=0.5)


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_what_is_refused_is_told_why(path):
    vector = json.loads(path.read_text())
    declared, labels = signature(vector), vector["labels"]
    stated = vector.get("stated")
    if "fits" in vector:
        candidates = choose(declared, labels=labels, stated=stated)
        assert [layout.name for layout in candidates] == vector["fits"]
        outputs, size = warm_up(vector)
        with pytest.raises(ModelError) as refusal:
            confirm(candidates, declared, outputs, labels=labels, size=size)
    else:
        with pytest.raises(ModelError) as refusal:
            choose(declared, labels=labels, stated=stated)
    sentence = str(refusal.value)
    assert [words for words in vector["refused"] if words not in sentence] == [], sentence
    assert "\n" not in sentence


def test_each_vector_says_what_comes_of_it():
    assert set(RIGHT) | set(WRONG) == set(VECTORS)
    assert not set(RIGHT) & set(WRONG)
