"""An ONNX file is looked at before a runtime is: whole, of one piece, or refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from detection.models import onnx_file
from fakes.models import blob_model
from loading import refused_bytes, takes


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    return blob_model(tmp_path_factory.mktemp("onnx") / "blobs.onnx").read_bytes()


def test_the_versions_are_those_that_were_written(whole):
    model = onnx.load_from_string(whole)
    header = onnx_file.inspect(whole, name="some.onnx")
    assert (header.ir_version, header.opset) == (model.ir_version, 17)


def test_other_domains_do_not_count_as_the_operator_set():
    graph = helper.make_graph([], "empty", [], [])
    sets = [helper.make_opsetid("com.microsoft", 99), helper.make_opsetid("", 13)]
    data = helper.make_model(graph, opset_imports=sets).SerializeToString()
    assert onnx_file.inspect(data, name="some.onnx").opset == 13


def test_a_file_that_is_cut_anywhere_is_refused_or_whole(whole):
    taken = [length for length in range(len(whole)) if takes(whole[:length])]
    # What is taken can only have lost what comes last and need not be there: the metadata.
    bare = onnx.load_from_string(whole)
    bare.ClearField("metadata_props")
    assert min(taken) >= len(bare.SerializeToString())
    assert takes(whole)


@settings(max_examples=300)
@given(data=st.data())
def test_wrong_bytes_never_crash(whole, data):
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(whole) - 1))
        broken[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    takes(bytes(broken))


@given(st.binary(max_size=300))
def test_any_bytes_never_crash(data):
    takes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\x08\x08", "no ONNX version, graph and operator set"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not a whole ONNX file"),
        (b"\x80" * 100, "no protocol buffer"),
        (b"\x00\x00", "field without a number"),
        (b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "ends too early"),
    ],
)
def test_what_is_no_onnx_is_named(data, words):
    assert words in refused_bytes(data)


def test_two_graphs_are_not_one(whole):
    graph = onnx.load_from_string(whole).graph.SerializeToString()
    refused_bytes(whole + field(7, graph))


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def elsewhere() -> TensorProto:
    """A tensor whose bytes are in another file."""
    tensor = numpy_helper.from_array(np.zeros(4, dtype=np.float32), "outside")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return tensor


def model(*nodes: onnx.NodeProto, **options) -> onnx.ModelProto:
    functions = options.pop("functions", [])
    graph = helper.make_graph(list(nodes), "graph", [], [], **options)
    imports = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=imports, functions=functions)


def initializer() -> onnx.ModelProto:
    return model(initializer=[elsewhere()])


def constant() -> onnx.ModelProto:
    return model(helper.make_node("Constant", [], ["a"], value=elsewhere()))


def branch() -> onnx.ModelProto:
    inner = helper.make_graph([], "inner", [], [], initializer=[elsewhere()])
    empty = helper.make_graph([], "empty", [], [])
    return model(helper.make_node("If", ["c"], ["a"], then_branch=empty, else_branch=inner))


def sparse() -> onnx.ModelProto:
    indices = numpy_helper.from_array(np.arange(4, dtype=np.int64), "indices")
    return model(sparse_initializer=[helper.make_sparse_tensor(elsewhere(), indices, [4])])


def function() -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["a"], value=elsewhere())
    made = helper.make_function("own", "F", [], ["a"], [node], [helper.make_opsetid("", 17)])
    return model(functions=[made])


def default_of_a_function() -> onnx.ModelProto:
    made = helper.make_function("own", "F", [], [], [], [helper.make_opsetid("", 17)])
    made.attribute_proto.append(helper.make_attribute("value", elsewhere()))
    return model(functions=[made])


PLACES = [initializer, constant, branch, sparse, function, default_of_a_function]


@pytest.mark.parametrize("place", PLACES)
def test_weights_in_another_file_are_refused_wherever_they_are(
    place: Callable[[], onnx.ModelProto],
):
    data = place().SerializeToString()
    assert "external data" in refused_bytes(data)
    # The very same model, with its weights inside, is fine.
    inside = numpy_helper.from_array(np.zeros(4, dtype=np.float32), "outside")
    assert takes(swap(data, elsewhere().SerializeToString(), inside.SerializeToString()))


def swap(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace a tensor; a doc string fills it up, so that the lengths around it stay right."""
    assert data.count(old) == 1
    missing = len(old) - len(new) - 2
    assert 0 <= missing < 128
    return data.replace(old, new + field(12, b"x" * missing))


@pytest.mark.parametrize("field_name", ["external_data", "data_location"])
def test_either_sign_of_another_file_is_enough(field_name):
    tensor = elsewhere()
    tensor.ClearField(field_name)
    assert "external data" in refused_bytes(model(initializer=[tensor]).SerializeToString())


def test_a_key_that_readers_cut_short_hides_nothing():
    """ONNX Runtime reads 32 bits of a key, and finds field 13 where a careless reader does not."""
    entry = elsewhere().external_data[0].SerializeToString()
    honest = field(13, entry)
    hidden = varint(13 << 3 | 2 | 1 << 32) + varint(len(entry)) + entry
    tensor = elsewhere()
    tensor.ClearField("data_location")
    tensor.ClearField("external_data")
    rest = tensor.SerializeToString()
    shell = model().SerializeToString()
    graph = model().graph.SerializeToString()
    assert shell.count(field(7, graph)) == 1
    for written, taken in ((honest, False), (hidden, False), (b"", True)):
        inner = graph + field(5, rest + written)
        assert takes(shell.replace(field(7, graph), field(7, inner))) is taken


def test_graphs_within_graphs_are_followed_only_so_deep():
    def nested(levels: int) -> bytes:
        inner = helper.make_graph([], "inner", [], [])
        for _ in range(levels):
            node = helper.make_node("If", ["c"], ["a"], then_branch=inner)
            inner = helper.make_graph([node], "inner", [], [])
        imports = [helper.make_opsetid("", 17)]
        return helper.make_model(inner, opset_imports=imports).SerializeToString()

    assert takes(nested(5))
    assert "nested" in refused_bytes(nested(25))
