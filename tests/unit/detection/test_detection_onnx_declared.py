"""What an ONNX file declares is within bounds, or the file is refused by what it declares."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from detection.models import onnx_file
from loading import refused_bytes, takes


def signed(
    inputs: list[tuple[str, int, list[int | str]]] | None = None,
    outputs: list[tuple[str, int, list[int | str]]] | None = None,
    *,
    opset: int = 17,
) -> bytes:
    """A file that declares these: name, type and shape."""

    def declared(tensors):
        return [helper.make_tensor_value_info(*each) for each in tensors or ()]

    graph = helper.make_graph([], "graph", declared(inputs), declared(outputs))
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports).SerializeToString()


def test_an_operator_set_that_is_too_old_is_refused_with_the_oldest():
    assert onnx_file.inspect(signed(opset=7), name="some.onnx").opset == 7
    sentence = refused_bytes(signed(opset=6))
    assert "7 or newer" in sentence
    assert "found 6" in sentence


@pytest.mark.parametrize("which", ["inputs", "outputs"])
def test_a_model_has_at_most_64_inputs_and_as_many_outputs(which):
    many = [(f"t{number}", TensorProto.FLOAT, [1]) for number in range(65)]
    assert takes(signed(**{which: many[:64]}))
    assert f"at most 64 {which}, found 65" in refused_bytes(signed(**{which: many}))


@pytest.mark.parametrize("which", ["inputs", "outputs"])
def test_a_tensor_has_at_most_eight_axes(which):
    assert takes(signed(**{which: [("t", TensorProto.FLOAT, [1] * 8)]}))
    sentence = refused_bytes(signed(**{which: [("t", TensorProto.FLOAT, [1] * 9)]}))
    assert f"{which} of at most 8 axes, found t [1, 1, 1, 1, 1, 1, 1, 1, 1]" in sentence


@pytest.mark.parametrize("which", ["inputs", "outputs"])
@pytest.mark.parametrize(
    ("kind", "shape", "fits"),
    [
        (TensorProto.FLOAT, [1, 64, 1024, 1024], True),
        (TensorProto.FLOAT, [1, 64, 1024, 1025], False),
        (TensorProto.FLOAT16, [1, 128, 1024, 1024], True),
        (TensorProto.FLOAT16, [1, 128, 1024, 1025], False),
        (TensorProto.UINT8, [256, 1024, 1024], True),
        (TensorProto.UINT8, [257, 1024, 1024], False),
        (TensorProto.INT64, ["n", 2**39], False),
        # What is not known counts once it is.
        (TensorProto.FLOAT, ["n", 3, "height", "width"], True),
    ],
)
def test_a_tensor_has_at_most_256_mebibytes(which, kind, shape, fits):
    data = signed(**{which: [("t", kind, shape)]})
    if fits:
        assert takes(data)
    else:
        sentence = refused_bytes(data)
        assert f"{which} of at most 256 MiB each, found t " in sentence
        assert str(shape[-1]) in sentence


def test_weights_that_are_listed_among_the_inputs_are_no_inputs():
    weights = numpy_helper.from_array(np.zeros((2, 2), dtype=np.float32), "w")
    graph = helper.make_graph(
        [],
        "old",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in ("x", "w")],
        [],
        [weights],
    )
    imports = [helper.make_opsetid("", 17)]
    data = helper.make_model(graph, opset_imports=imports).SerializeToString()
    found = onnx_file.inspect(data, name="some.onnx").signature
    assert [(each.name, each.shape, each.dtype) for each in found.inputs] == [
        ("x", (2, 2), "float32")
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None), "s, which is a seq"),
        (
            helper.make_value_info(
                "o",
                helper.make_optional_type_proto(
                    helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
                ),
            ),
            "o, which is optional",
        ),
        (
            helper.make_value_info(
                "m",
                helper.make_map_type_proto(
                    TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
                ),
            ),
            "m, which is a map",
        ),
    ],
)
def test_inputs_and_outputs_are_tensors(value, words):
    imports = [helper.make_opsetid("", 17)]
    for place in ({"inputs": [value], "outputs": []}, {"inputs": [], "outputs": [value]}):
        graph = helper.make_graph([], "graph", place["inputs"], place["outputs"])
        data = helper.make_model(graph, opset_imports=imports).SerializeToString()
        assert words in refused_bytes(data)


def test_operators_of_others_are_refused_by_their_domain():
    graph = helper.make_graph([helper.make_node("Op", [], [], domain="org.acme")], "g", [], [])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("org.acme", 1)]
    sentence = refused_bytes(helper.make_model(graph, opset_imports=imports).SerializeToString())
    assert "'org.acme'" in sentence


@pytest.mark.parametrize("domain", ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"])
def test_operators_that_the_runtime_brings_itself_are_taken(domain):
    graph = helper.make_graph([helper.make_node("Op", [], [], domain=domain)], "g", [], [])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("org.unused", 1)]
    assert takes(helper.make_model(graph, opset_imports=imports).SerializeToString())


def test_a_files_own_functions_bring_their_operators_along():
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    made = helper.make_function("own", "F", [], [], [], imports[:1])
    graph = helper.make_graph([helper.make_node("F", [], [], domain="own")], "g", [], [])
    assert takes(
        helper.make_model(graph, opset_imports=imports, functions=[made]).SerializeToString()
    )


def test_operators_of_others_are_found_in_branches_and_functions_too():
    """Where a runtime would look for them as well, and only then say so in its own words."""
    imports = [helper.make_opsetid("", 17)]
    foreign = helper.make_node("Op", [], [], domain="org.acme")
    inner = helper.make_graph([foreign], "inner", [], [])
    branching = helper.make_node("If", ["c"], [], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([branching], "g", [], [])
    assert "'org.acme'" in refused_bytes(
        helper.make_model(graph, opset_imports=imports).SerializeToString()
    )
    made = helper.make_function("own", "F", [], [], [foreign], imports)
    graph = helper.make_graph([helper.make_node("F", [], [], domain="own")], "g", [], [])
    whole = helper.make_model(graph, opset_imports=imports, functions=[made])
    assert "'org.acme'" in refused_bytes(whole.SerializeToString())


def test_a_name_with_a_line_feed_leaves_the_sentence_on_one_line():
    many = [("a\nb", TensorProto.FLOAT, [1] * 9)]
    assert "found a b [" in refused_bytes(signed(inputs=many))
