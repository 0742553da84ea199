"""A request to infer: its bytes and headers, taken apart. Pure; any bytes give TensorError only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from numpy.typing import NDArray

from detection.errors import TensorError
from detection.tensors import content
from detection.tensors.datatype import DATATYPES, Datatype
from sightline.messages import MessageError, decode

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_TENSORS = 64
MAX_SIDES = 16
"""Of a shape."""
_MAX_VALUES = 2**48
"""Of a shape, without its sides of nought: numpy cannot count much further."""
_MAX_TIMEOUT = 1e12

_Parameters = dict[str, Any]
_Sides = Annotated[list[Annotated[int, Meta(ge=0, le=2**40)]], Meta(max_length=MAX_SIDES)]


class _Input(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    shape: _Sides
    datatype: str
    parameters: _Parameters | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Output(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    parameters: _Parameters | None = None


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON part. Fields and parameters that are not known are for others to know."""

    inputs: Annotated[list[_Input], Meta(max_length=MAX_TENSORS)]
    id: Annotated[str, Meta(max_length=1024)] | None = None
    parameters: _Parameters | None = None
    outputs: Annotated[list[_Output], Meta(max_length=MAX_TENSORS)] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InferRequest:
    """What a client asks to be inferred from what."""

    id: str | None
    inputs: Mapping[str, NDArray[Any]]
    """By name; texts are arrays of `str` objects, the others may be views of the body."""
    outputs: Mapping[str, bool | None]
    """Each wanted output, and whether as bytes, where that is said for it; empty for all."""
    binary: bool
    """Whether outputs for which nothing else is said are wanted as bytes."""
    timeout_seconds: float | None
    """How long the client wants to wait, where it says so."""


def read(body: bytes, *, header_length: str | None) -> InferRequest:
    """Take a request apart; `header_length` is the text of its header, if it has one.

    Without that header the whole body is JSON; with it, the tensors' bytes follow after so many
    bytes of JSON. Raises TensorError.
    """
    whole = memoryview(body)
    length = len(body) if header_length is None else _length(header_length, len(body))
    try:
        header = decode(whole[:length], _Header)
    except MessageError as error:
        raise TensorError(error.reason, field=error.field, limit=error.limit) from None
    inputs = _tensors(header.inputs, whole[length:], announced=header_length is not None)
    parameters = header.parameters or {}
    return InferRequest(
        id=header.id,
        inputs=inputs,
        outputs=_outputs(header.outputs or []),
        binary=_flag(parameters, "binary_data_output", "parameters") or False,
        timeout_seconds=_timeout(parameters),
    )


def _length(text: str, size: int) -> int:
    # isdigit alone would let other scripts' digits through.
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not 0 < number <= size:
        raise TensorError(
            f"{text[:40]!r} is not a number of bytes from 1 to {size}, the length of the body",
            field=HEADER_LENGTH,
            limit=f"1..{size}",
        )
    return number


def _tensors(
    declared: list[_Input], rest: memoryview, *, announced: bool
) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for index, each in enumerate(declared):
        at = f"inputs[{index}]"
        if each.name in found:
            raise TensorError(f"{each.name[:60]!r} is there more than once", field=f"{at}.name")
        datatype, shape = _datatype(each.datatype, at), _shape(each.shape, at)
        parameters = each.parameters or {}
        _refuse_shared_memory(parameters, at)
        size = parameters.get("binary_data_size")
        if size is None:
            if each.data is msgspec.UNSET:
                raise TensorError(
                    "is missing, and so is parameters.binary_data_size", field=f"{at}.data"
                )
            found[each.name] = content.from_json(each.data, datatype, shape, at=f"{at}.data")
            continue
        where = f"{at}.parameters.binary_data_size"
        if each.data is not msgspec.UNSET:
            raise TensorError("is there, and so is data: send one of them", field=where)
        if not announced:
            raise TensorError(
                f"is there, but no header {HEADER_LENGTH} to say where its bytes begin",
                field=where,
            )
        if type(size) is not int or not 0 <= size <= len(rest):
            raise TensorError(
                f"{str(size)[:40]!r} is not a number of bytes from 0 to {len(rest)},"
                " which are left of the body",
                field=where,
                limit=f"0..{len(rest)}",
            )
        found[each.name] = content.from_bytes(rest[:size], datatype, shape, at=where)
        rest = rest[size:]
    if rest:
        raise TensorError(f"has {len(rest)} bytes that belong to no input", field="body")
    return found


def _datatype(name: str, at: str) -> Datatype:
    if name not in DATATYPES:
        known = ", ".join(DATATYPES)
        reason = f"{name[:60]!r} is not taken (known: {known})"
        if name == "BF16":
            reason = "BF16 is not taken, as numpy has no such type; send FP32 or FP16"
        raise TensorError(reason, field=f"{at}.datatype", limit=known)
    return DATATYPES[name]


def _shape(sides: list[int], at: str) -> tuple[int, ...]:
    if math.prod(max(side, 1) for side in sides) > _MAX_VALUES:
        raise TensorError(f"{sides} has more values than any model takes", field=f"{at}.shape")
    return tuple(sides)


def _outputs(wanted: list[_Output]) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {}
    for index, each in enumerate(wanted):
        at = f"outputs[{index}]"
        if each.name in found:
            raise TensorError(f"{each.name[:60]!r} is there more than once", field=f"{at}.name")
        parameters = each.parameters or {}
        _refuse_shared_memory(parameters, at)
        if parameters.get("classification"):
            raise TensorError(
                "is not possible here; ask for the tensor itself",
                field=f"{at}.parameters.classification",
            )
        found[each.name] = _flag(parameters, "binary_data", f"{at}.parameters")
    return found


def _refuse_shared_memory(parameters: _Parameters, at: str) -> None:
    if "shared_memory_region" in parameters:
        raise TensorError(
            "is not possible here: no memory is shared; send and take the tensor itself",
            field=f"{at}.parameters.shared_memory_region",
        )


def _flag(parameters: _Parameters, name: str, at: str) -> bool | None:
    value = parameters.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise TensorError("is neither true nor false", field=f"{at}.{name}", limit="true or false")


def _timeout(parameters: _Parameters) -> float | None:
    """Triton's parameter `timeout`: microseconds, and 0 for none."""
    value = parameters.get("timeout")
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= _MAX_TIMEOUT:
        raise TensorError(
            "is not a number of microseconds",
            field="parameters.timeout",
            limit=f"0..{_MAX_TIMEOUT:g}",
        )
    return value / 1e6 or None
