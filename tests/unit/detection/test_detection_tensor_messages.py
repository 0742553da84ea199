"""The Open Inference Protocol, read and written: what goes in comes out, or is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from tritonclient.http import InferResult
from tritonclient.utils import serialize_byte_tensor

from detection.errors import TensorError
from detection.layouts.layout import Tensor
from detection.tensors import declaration, reply, request
from detection.tensors.datatype import DATATYPES, of_numpy
from fakes.tensors import OnnxModel

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
NUMBERS = {name: each.dtype for name, each in DATATYPES.items() if name != "BYTES"}


@st.composite
def tensors(draw: st.DrawFn) -> tuple[str, NDArray[Any]]:
    """A datatype and an array of it; JSON can hold its values."""
    name = draw(st.sampled_from(list(DATATYPES)))
    shape = draw(SHAPES)
    if name == "BYTES":
        text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
        count = int(np.prod(shape))
        flat = np.empty(count, dtype=object)
        flat[:] = draw(st.lists(text, min_size=count, max_size=count))
        return name, flat.reshape(shape)
    finite = {"allow_nan": False, "allow_infinity": False} if name.startswith("FP") else {}
    return name, draw(arrays.arrays(NUMBERS[name], shape, elements=finite or None))


def as_bytes(name: str, array: NDArray[Any]) -> bytes:
    """As Triton's client writes them."""
    if name != "BYTES":
        return array.tobytes()
    texts = np.array([each.encode() for each in array.ravel()] or [b""], dtype=object)
    return bytes(serialize_byte_tensor(texts).item()) if array.size else b""


def declared(name: str, array: NDArray[Any], **more: Any) -> dict[str, Any]:
    return {"name": "x", "shape": list(array.shape), "datatype": name, **more}


def sent(*inputs: dict[str, Any], after: bytes = b"", **more: Any) -> tuple[bytes, str]:
    """A body of JSON and bytes, and the length of the JSON."""
    header = json.dumps({"inputs": list(inputs), **more}).encode()
    return header + after, str(len(header))


def read(*inputs: dict[str, Any], after: bytes | None = None, **more: Any) -> request.InferRequest:
    body, length = sent(*inputs, after=after or b"", **more)
    return request.read(body, header_length=None if after is None else length)


def refusal(*inputs: dict[str, Any], after: bytes | None = None, **more: Any) -> str:
    with pytest.raises(TensorError) as caught:
        read(*inputs, after=after, **more)
    return str(caught.value)


def same(found: NDArray[Any], array: NDArray[Any]) -> bool:
    return found.shape == array.shape and found.tolist() == array.tolist()


@given(tensors(), st.booleans())
def test_a_tensor_in_json_is_read_flat_and_nested(
    each: tuple[str, NDArray[Any]], nested: bool
) -> None:
    name, array = each
    data = array.tolist() if nested and array.ndim else array.ravel().tolist()
    found = read(declared(name, array, data=data)).inputs["x"]
    assert of_numpy(found.dtype.name).name == name
    assert same(found, array)


@given(st.lists(tensors(), min_size=1, max_size=4))
def test_tensors_in_bytes_are_read_in_their_order(each: list[tuple[str, NDArray[Any]]]) -> None:
    parts = [as_bytes(name, array) for name, array in each]
    inputs = [
        declared(name, array, parameters={"binary_data_size": len(part)}) | {"name": str(index)}
        for index, ((name, array), part) in enumerate(zip(each, parts, strict=True))
    ]
    found = read(*inputs, after=b"".join(parts))
    for index, (_, array) in enumerate(each):
        assert same(found.inputs[str(index)], array)
        assert found.inputs[str(index)].flags.aligned


@given(st.lists(tensors(), min_size=1, max_size=4), st.data())
def test_a_written_answer_is_what_tritons_client_reads(
    each: list[tuple[str, NDArray[Any]]], data: st.DataObject
) -> None:
    outputs = [
        Tensor(name=str(index), shape=(), dtype="str" if name == "BYTES" else array.dtype.name)
        for index, (name, array) in enumerate(each)
    ]
    written = reply.write(
        request.InferRequest(
            id="7",
            inputs={},
            outputs={tensor.name: data.draw(st.booleans() | st.none()) for tensor in outputs},
            binary=data.draw(st.booleans()),
            timeout_seconds=None,
        ),
        MODEL,
        outputs,
        [array for _, array in each],
    )
    length = written.headers.get(request.HEADER_LENGTH)
    result = InferResult.from_response_body(
        written.body, header_length=None if length is None else int(length)
    )
    assert result.get_response()["id"] == "7"
    for tensor, (_, array) in zip(outputs, each, strict=True):
        found = result.as_numpy(tensor.name)
        texts = [one.decode() if isinstance(one, bytes) else one for one in found.ravel().tolist()]
        assert found.shape == array.shape
        assert texts == array.ravel().tolist()


@pytest.mark.parametrize("order", ["turned", "every second"])
def test_an_output_that_does_not_lie_in_row_major_order_is_written_so(order: str) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    array = array.T if order == "turned" else array[:, ::2]
    written = reply.write(
        read(parameters={"binary_data_output": True}),
        MODEL,
        [Tensor(name="y", shape=(None, None), dtype="float32")],
        [array],
    )
    length = int(written.headers[request.HEADER_LENGTH])
    np.testing.assert_array_equal(
        np.frombuffer(written.body[length:], np.float32).reshape(array.shape), array
    )


def test_json_has_no_word_for_what_is_not_finite() -> None:
    written = reply.write(
        read(),
        MODEL,
        [Tensor(name="y", shape=(3,), dtype="float32")],
        [np.array([1.5, np.nan, np.inf], np.float32)],
    )
    assert json.loads(written.body)["outputs"][0]["data"] == [1.5, None, None]


def test_large_tensors_are_views_of_the_body() -> None:
    array = np.arange(1024, dtype=np.uint8)
    body, length = sent(
        declared("UINT8", array, parameters={"binary_data_size": 1024}), after=array.tobytes()
    )
    found = request.read(body, header_length=length).inputs["x"]
    assert np.shares_memory(found, np.frombuffer(body, np.uint8))
    assert not found.flags.writeable


FOUR = np.zeros((2, 2), np.float32)


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("FP32", {}, "inputs[0].data: is missing, and so is parameters.binary_data_size"),
        ("FP32", {"data": 5}, "inputs[0].data: is 5, expected a list"),
        ("FP32", {"data": [1, 2, 3]}, "inputs[0].data: has 3 values; its shape [2, 2] has 4"),
        (
            "FP32",
            {"data": [[1, 2], [3]]},
            "inputs[0].data: is nested, and not like its shape [2, 2]: expected lists of 2 at"
            " depth 2",
        ),
        ("FP32", {"data": [1, 2, 3, "4"]}, "inputs[0].data: value 3 is '4'; FP32 takes numbers"),
        ("FP32", {"data": [1, 2, 3, None]}, "inputs[0].data: value 3 is null; FP32 takes numbers"),
        ("FP32", {"data": [1, 2, 3, 1e39]}, "inputs[0].data: value 3 is 1e+39, beyond FP32"),
        ("FP16", {"data": [1, 70000, 3, 4]}, "inputs[0].data: value 1 is 70000, beyond FP16"),
        ("INT8", {"data": [1, 2, 3, 128]}, "inputs[0].data: value 3 is 128, outside -128..127"),
        (
            "INT8",
            {"data": [1, 2, 3, 0.5]},
            "inputs[0].data: value 3 is 0.5; INT8 takes whole numbers",
        ),
        ("BOOL", {"data": [1, 0, 1, 0]}, "inputs[0].data: value 0 is 1; BOOL takes true and false"),
        ("BYTES", {"data": [1, 2, 3, 4]}, "inputs[0].data: value 0 is 1; BYTES takes strings"),
        (
            "BF16",
            {"data": []},
            "inputs[0].datatype: BF16 is not taken, as numpy has no such type; send FP32 or FP16",
        ),
        (
            "FP32",
            {"parameters": {"binary_data_size": 16}},
            "inputs[0].parameters.binary_data_size: is there, but no header"
            " Inference-Header-Content-Length to say where its bytes begin",
        ),
        (
            "FP32",
            {"parameters": {"shared_memory_region": "r"}},
            "inputs[0].parameters.shared_memory_region: is not possible here: no memory is shared;"
            " send and take the tensor itself",
        ),
    ],
)
def test_what_is_wrong_with_an_input_is_said(name: str, more: dict[str, Any], said: str) -> None:
    assert refusal(declared(name, FOUR, **more)) == said


@pytest.mark.parametrize(
    ("name", "size", "after", "said"),
    [
        ("FP32", 12, 12, "is 12 bytes; FP32 of shape [2, 2] has 16"),
        ("FP32", 16, 12, "'16' is not a number of bytes from 0 to 12, which are left of the body"),
        ("FP32", "16", 16, "'16' is not a number of bytes from 0 to 16, which are left of the"
         " body"),
        ("BYTES", 12, 12, "is 12 bytes, too few for 4 strings with their lengths"),
        ("BYTES", 20, 20, "has 4 bytes after the last of 4 strings"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_bytes_is_said(name: str, size: Any, after: int, said: str) -> None:
    wrong = declared(name, FOUR, parameters={"binary_data_size": size})
    assert refusal(wrong, after=bytes(after)) == f"inputs[0].parameters.binary_data_size: {said}"


def test_bytes_that_belong_to_nothing_or_are_no_flags_are_refused() -> None:
    flags = declared("BOOL", FOUR, parameters={"binary_data_size": 4})
    assert refusal(flags, after=b"\0\1\2\0") == (
        "inputs[0].parameters.binary_data_size: has a byte that is neither 0 nor 1, and BOOL"
    )
    assert refusal(flags, after=bytes(5)) == "body: has 1 bytes that belong to no input"
    text = declared("BYTES", np.zeros(1), parameters={"binary_data_size": 5})
    assert refusal(text, after=b"\1\0\0\0\xff").endswith("is not UTF-8, as the strings of ONNX are")
    assert refusal(text, after=b"\2\0\0\0a").endswith("ends within string 0")


@pytest.mark.parametrize("length", ["0", "-1", "99999", "1e3", "٣", "", "9" * 5000])
def test_a_header_length_beyond_the_body_is_refused(length: str) -> None:
    with pytest.raises(TensorError, match="Inference-Header-Content-Length: "):
        request.read(b'{"inputs":[]}', header_length=length)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"outputs": [{"name": "y"}, {"name": "y"}]}, "outputs[1].name: 'y' is there more than"),
        (
            {"outputs": [{"name": "y", "parameters": {"classification": 3}}]},
            "outputs[0].parameters.classification: is not possible here",
        ),
        (
            {"outputs": [{"name": "y", "parameters": {"binary_data": 1}}]},
            "outputs[0].parameters.binary_data: is neither true nor false",
        ),
        ({"parameters": {"timeout": -1}}, "parameters.timeout: is not a number of microseconds"),
        ({"id": 7}, "id: expected `str | null`"),
    ],
)
def test_what_is_wrong_with_what_is_asked_for_is_said(more: dict[str, Any], said: str) -> None:
    assert refusal(**more).startswith(said)


def test_what_is_not_said_has_its_default_and_null_is_not_said() -> None:
    asked = read(id=None, parameters=None, outputs=None)
    assert (asked.id, asked.outputs, asked.binary, asked.timeout_seconds) == (None, {}, False, None)
    asked = read(parameters={"timeout": 2_500_000, "binary_data_output": True, "of_ours": {}})
    assert (asked.binary, asked.timeout_seconds) == (True, 2.5)


OPEN = Tensor(name="x", shape=("batch", 3, None), dtype="float32")


@pytest.mark.parametrize("shape", [(1, 3, 1), (0, 3, 9)])
def test_open_sides_take_any_length(shape: tuple[int, ...]) -> None:
    declaration.check({"x": np.zeros(shape, np.float32)}, [OPEN])


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"x": np.zeros((1, 4, 1), np.float32)},
         "inputs[0].shape: 'x' is [1, 4, 1], expected [-1, 3, -1] (-1: any)"),
        ({"x": np.zeros((1, 3), np.float32)},
         "inputs[0].shape: 'x' is [1, 3], expected [-1, 3, -1] (-1: any)"),
        ({"x": np.zeros((1, 3, 1), np.float64)}, "inputs[0].datatype: 'x' is FP64, expected FP32"),
        ({}, "inputs: 'x' is missing (this model takes: x)"),
        ({"x": np.zeros((1, 3, 1), np.float32), "y": np.zeros(1)},
         "inputs[1].name: 'y' is not an input of this model (known: x)"),
    ],
)  # fmt: skip
def test_inputs_are_held_against_the_declaration(
    given_: Mapping[str, NDArray[Any]], said: str
) -> None:
    with pytest.raises(TensorError) as caught:
        declaration.check(given_, [OPEN])
    assert str(caught.value) == said


MODEL = OnnxModel(name="m", version="1", session=None, inputs=[OPEN], outputs=[])
