"""What an ONNX file says of itself, read from its bytes before any runtime gets to see it.

Model files are untrusted input. ONNX is a protocol buffer, and a walk over its wire format is
enough to see whether the file is whole and whether it refers to data outside of itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detection.errors import ModelError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 32
_MAX_FIELD_NUMBER = (1 << 29) - 1
_EXTERNAL = 1

# Which fields of which message hold further messages in which tensors can be (onnx.proto3).
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
}  # fmt: skip
_IR_VERSION, _GRAPH, _OPSET = 1, 7, 8
_TENSOR_EXTERNAL_DATA, _TENSOR_LOCATION = 13, 14


class _NotWhole(Exception):  # noqa: N818 - private, and always turned into a ModelError
    """The bytes are no protocol buffer, or end too early."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnnxHeader:
    """The versions that a model was written for."""

    ir_version: int
    opset: int


def inspect(data: bytes, *, name: str) -> OnnxHeader:
    """Read the header and refuse what no model should be; the sentence names the file."""
    if not data:
        raise ModelError(f"{name}: the file is empty")
    model = memoryview(data)
    try:
        header = _header(model)
        outside = _refers_outside(model, "model", 0)
    except _NotWhole as error:
        raise ModelError(f"{name}: not a whole ONNX file ({error})") from None
    if outside:
        raise ModelError(
            f"{name}: its weights are in another file (external data);"
            " expected one file with everything in it"
        )
    return header


def _header(model: memoryview) -> OnnxHeader:
    ir_version = opset = graphs = 0
    for number, value in _fields(model):
        if number == _IR_VERSION and isinstance(value, int):
            ir_version = value
        elif number == _GRAPH:
            graphs += 1
        elif number == _OPSET and not isinstance(value, int):
            opset = max(opset, _opset(value))
    if not (ir_version and graphs == 1 and opset):
        raise _NotWhole("no ONNX version, graph and operator set in it")
    return OnnxHeader(ir_version=ir_version, opset=opset)


def _opset(message: memoryview) -> int:
    """The version of the standard operators, 0 when this entry is of another domain."""
    domain, version = b"", 0
    for number, value in _fields(message):
        if number == 1 and not isinstance(value, int):
            domain = bytes(value)
        elif number == 2 and isinstance(value, int):
            version = value
    return version if domain in (b"", b"ai.onnx") else 0


def _refers_outside(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise _NotWhole(f"nested deeper than {_MAX_DEPTH} levels")
    if kind == "tensor":
        return any(
            number == _TENSOR_EXTERNAL_DATA or (number == _TENSOR_LOCATION and value == _EXTERNAL)
            for number, value in _fields(message)
        )
    inside = _INSIDE[kind]
    return any(
        _refers_outside(value, inside[number], depth + 1)
        for number, value in _fields(message)
        if number in inside and not isinstance(value, int)
    )


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an integer, or the bytes of a nested message."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        # Readers cut a key to 32 bits, so that a larger number would be another field to them.
        if not 0 < number <= _MAX_FIELD_NUMBER:
            raise _NotWhole("it has a field without a number")
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise _NotWhole("it is no protocol buffer")
        if at + length > end:
            raise _NotWhole("it ends too early")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise _NotWhole("it ends too early")
        if shift > 63:
            raise _NotWhole("it is no protocol buffer")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
