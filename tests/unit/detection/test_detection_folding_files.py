"""What folding leaves of a file: all that is not its business, and no name that is there twice."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from detection.errors import ModelError
from detection.models.folding import fold
from fakes.graphs import (
    PREPARATIONS,
    SCALED,
    SHIFTED,
    convolution,
    folded,
    form,
    graph,
    node,
    same,
)
from fakes.models import blob_model


@pytest.mark.parametrize("name", ["sightline_pixels", "sightline_prepared", "sightline_Cast_x"])
@pytest.mark.parametrize("preparation", [SCALED, SHIFTED])
def test_names_that_the_model_has_already_are_not_ours(name, preparation):
    nodes = [node("Identity", ["x"], [name], name=name), node("Neg", [name], ["y"])]
    after = same(graph(nodes), preparation)
    model = onnx.load_from_string(after.data)
    values = [each for step in model.graph.node for each in step.output]
    values += [each.name for each in (*model.graph.initializer, *model.graph.input)]
    assert len(values) == len(set(values))
    steps = [step.name for step in model.graph.node if step.name]
    assert len(steps) == len(set(steps))


def test_all_else_in_the_file_is_kept():
    data = convolution()
    before, after = onnx.load_from_string(data), onnx.load_from_string(folded(data).data)
    assert after.metadata_props == before.metadata_props
    assert after.opset_import == before.opset_import
    assert after.ir_version == before.ir_version
    assert after.graph.output == before.graph.output
    assert list(after.graph.node)[-1] == list(before.graph.node)[-1]
    assert [each.dims for each in after.graph.initializer] == [
        each.dims for each in before.graph.initializer
    ]


@pytest.mark.parametrize("opset", [7, 9, 13, 21])
def test_old_and_new_operator_sets_take_the_steps(opset):
    data = graph([node("Identity", ["x"], ["y"])], opset=opset)
    same(data, SHIFTED)


def test_what_the_file_has_beside_its_graph_may_stand_in_front_of_it():
    """Fields may come in any order: metadata before the graph, the version last."""
    whole = onnx.load_from_string(convolution())
    graph_only, rest = onnx.ModelProto(), onnx.ModelProto()
    graph_only.graph.CopyFrom(whole.graph)
    rest.CopyFrom(whole)
    rest.ClearField("graph")
    version = onnx.ModelProto(ir_version=rest.ir_version)
    rest.ClearField("ir_version")
    data = b"".join(each.SerializeToString() for each in (rest, graph_only, version))
    assert same(data, SCALED).how == "convolution"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_file_that_passed_the_inspection_is_folded_or_refused(tmp_path_factory, data):
    broken = bytearray(convolution())
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ModelError):
        folded(bytes(broken), data.draw(st.sampled_from(PREPARATIONS)))


def test_a_real_file_is_copied_once(tmp_path: Path):
    """What a large model takes, while it is loaded, is its own size once more and not thrice."""
    path = blob_model(tmp_path / "large.onnx")
    made = onnx.load(str(path))
    ballast = np.zeros(8_000_000, dtype=np.float32)
    made.graph.initializer.append(numpy_helper.from_array(ballast, "ballast"))
    data = made.SerializeToString()
    shape = form(data)
    tracemalloc.start()
    try:
        fold(data, shape, SHIFTED)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * len(data)
