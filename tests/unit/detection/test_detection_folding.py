"""Pixels go in as bytes, and what comes out is what the file gave for prepared floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from detection.layouts.layout import Preparation
from detection.models import onnx_file
from fakes.graphs import (
    FLOAT,
    FLOAT16,
    PREPARATIONS,
    RNG,
    SCALED,
    UINT8,
    WEIGHTS,
    convolution,
    folded,
    graph,
    node,
    run,
    same,
)


@pytest.mark.parametrize("preparation", PREPARATIONS, ids=str)
def test_a_model_that_begins_with_a_convolution(preparation):
    after = same(convolution(), preparation)
    # Nought is nought before a scale and after it, so that the padding is right; not so of a shift.
    shifts = any(preparation.mean or ()) or preparation.deviation is not None
    assert after.how == ("steps" if shifts else "convolution")


@pytest.mark.parametrize("preparation", PREPARATIONS, ids=str)
@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ([1, 3, 8, 6], FLOAT16),
        ([1, 8, 6, 3], FLOAT),
        ([1, 8, 6, 3], FLOAT16),
        ([3, 8, 6], FLOAT),
        ([5, 3, 8, 6], FLOAT),
        ([5, 8, 6, 3], FLOAT16),
    ],
    ids=str,
)
def test_a_model_of_any_form(shape, kind, preparation):
    data = graph([node("Identity", ["x"], ["y"])], shape=shape, kind=kind)
    # Half floats have eleven bits, once in the model's own input, once in what comes out.
    assert same(data, preparation, close=2e-5 if kind == FLOAT else 1e-3).how == "steps"


def test_a_model_of_any_size_and_batch_takes_what_is_served():
    data = graph([node("Identity", ["x"], ["y"])], shape=["n", 3, "h", "w"])
    after = folded(data)
    header = onnx_file.inspect(after.data, name="x.onnx")
    (image,) = header.signature.inputs
    assert (image.dtype, image.shape) == ("uint8", (1, 3, 640, 640))


@settings(deadline=None, max_examples=30)
@given(
    st.floats(1e-3, 10.0),
    st.tuples(*[st.floats(-2, 2)] * 3) | st.none(),
    st.tuples(*[st.floats(0.1, 3)] * 3) | st.none(),
    st.booleans(),
)
def test_any_preparation_comes_to_the_same(scale, mean, deviation, last):
    shape = [1, 8, 6, 3] if last else [1, 3, 8, 6]
    preparation = Preparation(scale=scale, mean=mean, deviation=deviation)
    same(graph([node("Identity", ["x"], ["y"])], shape=shape), preparation, close=1e-4)


def test_a_model_of_bytes_stays_as_it_is():
    cast = node("Cast", ["x"], ["y"], to=FLOAT)
    data = graph([cast], kind=UINT8, out=FLOAT)
    after = folded(data)
    assert (after.how, after.input_name) == ("bytes", "x")
    assert after.data is data


def unpacked(values: np.ndarray) -> TensorProto:
    """Floats one by one, as old exporters write them."""
    return helper.make_tensor("w", FLOAT, values.shape, values.ravel().tolist())


def one_by_one(values: np.ndarray) -> TensorProto:
    """float_data that is not packed: legal, and what a reader of version 2 writes."""
    plain = TensorProto(dims=values.shape, data_type=FLOAT, name="w").SerializeToString()
    floats = b"".join(b"\x25" + each.tobytes() for each in values.ravel().astype("<f4"))
    return TensorProto.FromString(plain + floats)


@pytest.mark.parametrize("stored", [unpacked, one_by_one])
def test_weights_may_be_stored_in_any_way(stored):
    data = convolution(None, tensors=[stored(WEIGHTS)])
    assert same(data, SCALED).how == "convolution"


def test_weights_that_others_use_are_left_alone():
    again = node("Conv", ["first", "w2"], ["second"], pads=[1, 1, 1, 1])
    shared = [
        node("Conv", ["x", "w"], ["first"], pads=[1, 1, 1, 1]),
        again,
        node("ReduceSum", ["w"], ["sum"]),
        node("Add", ["second", "sum"], ["y"]),
    ]
    constants = {"w": WEIGHTS, "w2": RNG.normal(size=(2, 4, 3, 3)).astype(np.float32)}
    assert same(graph(shared, constants=constants), SCALED).how == "steps"


def test_weights_that_are_given_out_are_left_alone():
    data = convolution(outputs=("y", "w"))
    assert same(data, SCALED).how == "steps"


def test_weights_that_are_computed_are_left_alone():
    nodes = [node("Mul", ["half", "two"], ["w"]), node("Conv", ["x", "w"], ["y"])]
    constants = {"half": WEIGHTS / 2, "two": np.float32(2)}
    assert same(graph(nodes, constants=constants), SCALED).how == "steps"


def test_an_image_that_others_read_as_well_is_prepared_for_all():
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("ReduceMean", ["x"], ["m"], keepdims=0),
        node("Add", ["c", "m"], ["y"]),
    ]
    assert same(graph(nodes, constants={"w": WEIGHTS}), SCALED).how == "steps"


def test_an_image_that_is_given_out_is_prepared_for_whoever_gets_it():
    made = onnx.load_from_string(convolution())
    made.graph.output.append(helper.make_tensor_value_info("x", FLOAT, [1, 3, 8, 6]))
    made.graph.node.append(node("Identity", ["y"], ["z"]))
    assert folded(made.SerializeToString()).how == "steps"


def test_an_image_that_a_branch_reads_is_prepared_for_it():
    def branch(name: str, operator: str) -> Any:
        out = helper.make_tensor_value_info(name, FLOAT, None)
        return helper.make_graph([node(operator, ["x"], [name])], name, [], [out])

    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("ReduceSum", ["c"], ["sum"], keepdims=0),
        node("Greater", ["sum", "sum"], ["no"]),
        node("If", ["no"], ["m"], then_branch=branch("a", "Neg"), else_branch=branch("b", "Abs")),
        node("ReduceMean", ["m"], ["mean"], keepdims=0),
        node("Add", ["c", "mean"], ["y"]),
    ]
    assert same(graph(nodes, constants={"w": WEIGHTS}), SCALED).how == "steps"


def test_a_function_that_is_called_like_an_operator_is_none():
    """A file may bring operators of its own, of any name."""
    imports = [helper.make_opsetid("", 17)]
    square = helper.make_function(
        "own", "Conv", ["a", "b"], ["c"], [node("Mul", ["a", "a"], ["c"])], imports
    )
    made = onnx.load_from_string(
        graph([node("Conv", ["x", "w"], ["y"], domain="own")], constants={"w": WEIGHTS})
    )
    made.functions.append(square)
    made.opset_import.append(helper.make_opsetid("own", 1))
    assert same(made.SerializeToString(), SCALED).how == "steps"


def quantised(
    scale: float, zero: int, dtype: type = np.uint8, *, outputs: tuple[str, ...] = ("y",)
) -> bytes:
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        node("Conv", ["d", "w"], ["y"], pads=[1, 1, 1, 1]),
    ]
    constants = {"scale": np.float32(scale), "zero": dtype(zero), "w": WEIGHTS}
    return graph(nodes, constants=constants, outputs=outputs)


@pytest.mark.parametrize("scale", [1 / 255, 1.0])
def test_a_model_that_quantises_to_the_very_same_bytes_gets_them(scale):
    assert same(quantised(scale, 0), Preparation(scale=scale)).how == "quantised"


def test_quantised_pixels_that_are_given_out_are_made_as_the_file_says():
    made = onnx.load_from_string(quantised(1 / 255, 0))
    made.graph.output.append(helper.make_tensor_value_info("q", UINT8, None))
    assert same(made.SerializeToString(), SCALED).how == "steps"


@pytest.mark.parametrize(
    "data",
    [
        quantised(1 / 250, 0),
        quantised(1 / 255, 3),
        quantised(1 / 255, -128, np.int8),
    ],
    ids=["another scale", "another zero", "signed"],
)
def test_a_model_that_quantises_to_other_bytes_does_so_itself(data):
    # A pixel on the edge of two steps may fall to either side: one step of one weight's.
    after = folded(data)
    assert after.how == "steps"
    pixels = RNG.integers(0, 256, (1, 3, 8, 6), dtype=np.uint8)
    (expected,) = run(data, "x", pixels.astype(np.float32) / 255)
    (found,) = run(after.data, after.input_name, pixels)
    assert np.abs(found - expected).max() <= np.abs(WEIGHTS).max() / 250 + 1e-6
