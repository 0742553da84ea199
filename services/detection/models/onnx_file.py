"""What an ONNX file says of itself, read from its bytes before any runtime gets to see it.

Model files are untrusted input. ONNX is a protocol buffer, and a walk over its wire format is
enough to see whether the file is whole, what it takes and gives, and whether it refers to anything
outside of itself. Source: onnx.proto3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from detection.errors import ModelError
from detection.layouts.layout import Shape, Signature, Tensor
from detection.models.wire import NotWhole, fields, messages, number_of, text, text_of

MIN_OPSET = 7
"""What ONNX Runtime reads; how new an operator set may be, it tells itself."""
MAX_TENSORS = 64
"""Inputs, and outputs, of one model."""
MAX_RANK = 8
MAX_TENSOR_MEBIBYTES = 256
"""Of one input or output. An input of 4096 x 4096 floats in three colours is 192."""

_MAX_DEPTH = 32
_EXTERNAL = 1
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "ai.onnx.preview.training"})
"""Whose operators ONNX Runtime brings itself; others need a library of their own."""

# Which fields of which message hold further messages in which tensors can be.
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
_IR_VERSION, _GRAPH, _OPSET, _METADATA, _FUNCTION = 1, 7, 8, 14, 25
_INITIALIZER, _INPUT, _OUTPUT = 5, 11, 12
_NODE_DOMAIN, _FUNCTION_DOMAIN = 7, 10
_TENSOR_EXTERNAL_DATA, _TENSOR_LOCATION, _TENSOR_NAME = 13, 14, 8

_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "str",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
}  # fmt: skip
_WIDTHS = {"float32": 4, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "float64": 8, "str": 8,
           "uint16": 2, "int16": 2, "float16": 2, "bfloat16": 2}  # fmt: skip
_OTHER_KINDS = {4: "a sequence", 5: "a map", 7: "opaque", 8: "a sparse tensor", 9: "optional"}
"""Types that are no tensors, by their field of a TypeProto."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnnxHeader:
    """The versions that a model was written for, and what it takes and gives."""

    ir_version: int
    opset: int
    signature: Signature


def inspect(data: bytes, *, name: str) -> OnnxHeader:
    """Read the header and refuse what no model should be; the sentence names the file."""
    if not data:
        raise ModelError(f"{name}: the file is empty")
    model = memoryview(data)
    survey = _Survey()
    try:
        header = _header(model, name)
        survey.visit(model, "model")
        # What a file imports, it need not use; its own functions bring their operators along.
        own = {text_of(each, _FUNCTION_DOMAIN) for each in messages(model, _FUNCTION)}
    except NotWhole as error:
        raise ModelError(f"{name}: not a whole ONNX file ({error})") from None
    foreign = sorted(survey.domains - _DOMAINS - own)
    if foreign:
        raise ModelError(
            f"{name}: expected operators of ONNX or of Microsoft's, found those of"
            f" {foreign[0][:64]!r}, which need a library of their own"
        )
    if survey.outside:
        raise ModelError(
            f"{name}: its weights are in another file (external data);"
            " expected one file with everything in it"
        )
    return header


def _header(model: memoryview, name: str) -> OnnxHeader:
    opsets = {text_of(each, 1): number_of(each, 2) for each in messages(model, _OPSET)}
    ir_version = number_of(model, _IR_VERSION)
    opset = max(opsets.get("", 0), opsets.get("ai.onnx", 0))
    graphs = list(messages(model, _GRAPH))
    if not (ir_version and len(graphs) == 1 and opset):
        raise NotWhole("no ONNX version, graph and operator set in it")
    if opset < MIN_OPSET:
        raise ModelError(f"{name}: expected operator set {MIN_OPSET} or newer, found {opset}")
    metadata = {text_of(each, 1): text_of(each, 2) for each in messages(model, _METADATA)}
    return OnnxHeader(
        ir_version=ir_version, opset=opset, signature=_signature(graphs[0], metadata, name)
    )


def _signature(graph: memoryview, metadata: dict[str, str], name: str) -> Signature:
    # Old files list their weights among the inputs.
    weights = {text_of(each, _TENSOR_NAME) for each in messages(graph, _INITIALIZER)}
    inputs = tuple(
        _tensor(each, name) for each in messages(graph, _INPUT) if text_of(each, 1) not in weights
    )
    outputs = tuple(_tensor(each, name) for each in messages(graph, _OUTPUT))
    for what, found in (("inputs", inputs), ("outputs", outputs)):
        if len(found) > MAX_TENSORS:
            raise ModelError(f"{name}: expected at most {MAX_TENSORS} {what}, found {len(found)}")
        for tensor in found:
            if len(tensor.shape) > MAX_RANK:
                raise ModelError(
                    f"{name}: expected {what} of at most {MAX_RANK} axes, found {tensor}"
                )
            if mebibytes(tensor.shape, tensor.dtype) > MAX_TENSOR_MEBIBYTES:
                raise ModelError(
                    f"{name}: expected {what} of at most {MAX_TENSOR_MEBIBYTES} MiB each,"
                    f" found {tensor}"
                )
    return Signature(inputs=inputs, outputs=outputs, metadata=metadata)


def mebibytes(shape: Shape, dtype: str) -> float:
    """What a tensor takes, where the sides that are not known are 1."""
    return math.prod(s for s in shape if isinstance(s, int)) * _WIDTHS.get(dtype, 1) / (1 << 20)


def _tensor(value_info: memoryview, file: str) -> Tensor:
    kind = 0
    shape: Shape = ()
    name = text_of(value_info, 1)
    for type_proto in messages(value_info, 2):
        for number, _, _ in fields(type_proto):
            if number in _OTHER_KINDS:
                raise ModelError(
                    f"{file}: expected inputs and outputs that are tensors, found"
                    f" {' '.join(name.split())[:60]}, which is {_OTHER_KINDS[number]}"
                )
        for tensor_type in messages(type_proto, 1):
            kind = number_of(tensor_type, 1)
            shape = next((_shape(each) for each in messages(tensor_type, 2)), ())
    return Tensor(name=name, shape=shape, dtype=_DTYPES.get(kind, f"type {kind}"))


def _shape(message: memoryview) -> Shape:
    sides: list[int | str | None] = []
    for dimension in messages(message, 1):
        stated = number_of(dimension, 1)
        # Exporters write 0 or -1 (as an unsigned number) for what they do not know.
        known = 0 < stated < 1 << 40
        sides.append(stated if known else text_of(dimension, 2) or None)
    return tuple(sides)


@dataclass(kw_only=True, slots=True)
class _Survey:
    """What a walk through everything in a file comes across."""

    outside: bool = False
    """Whether any tensor's bytes are in another file."""
    domains: set[str] = field(default_factory=set)
    """Whose operators are used."""

    def visit(self, message: memoryview, kind: str, depth: int = 0) -> None:
        """Walk through a message of this kind."""
        if depth > _MAX_DEPTH:
            raise NotWhole(f"nested deeper than {_MAX_DEPTH} levels")
        inside = _INSIDE.get(kind, {})
        domain = ""
        for number, value, _ in fields(message):
            if kind == "tensor":
                self.outside |= number == _TENSOR_EXTERNAL_DATA
                self.outside |= number == _TENSOR_LOCATION and value == _EXTERNAL
            elif isinstance(value, memoryview):
                if number in inside:
                    self.visit(value, inside[number], depth + 1)
                elif kind == "node" and number == _NODE_DOMAIN:
                    domain = text(value)
        if kind == "node":
            self.domains.add(domain)
