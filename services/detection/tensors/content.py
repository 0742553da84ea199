"""What is in a tensor, in its two forms: JSON, and the bytes of the binary extension."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detection.errors import TensorError
from detection.tensors.datatype import Datatype, Kind

_LENGTH = 4
"""Bytes before each text: how many it has, little-endian."""

_JSON: Mapping[Kind, frozenset[type[object]]] = {
    "flag": frozenset({bool}),
    "whole": frozenset({int}),
    "real": frozenset({int, float}),
    "text": frozenset({str}),
}
_WORDS: Mapping[Kind, str] = {
    "flag": "true and false",
    "whole": "whole numbers",
    "real": "numbers",
    "text": "strings",
}
_SHOWN, _SHOWN_BITS = 40, 128


def from_json(
    data: bytes | memoryview | msgspec.Raw, datatype: Datatype, shape: tuple[int, ...], *, at: str
) -> NDArray[Any]:
    """A tensor out of a JSON list, flat in row-major order or nested like its shape.

    `at` names it in errors. Raises TensorError.
    """
    try:
        value = msgspec.json.decode(data)
    except RecursionError:
        raise TensorError("is nested too deeply", field=at) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error).removeprefix("JSON is malformed: ").partition(" - at `")[0]
        raise TensorError(f"cannot be read: {reason}", field=at) from None
    if not isinstance(value, list):
        raise TensorError(f"is {_shown(value)}, expected a list", field=at)
    flat = _flat(value, shape, at)
    kinds = set(map(type, flat))
    if not kinds <= _JSON[datatype.kind]:
        index = next(i for i, each in enumerate(flat) if type(each) not in _JSON[datatype.kind])
        raise TensorError(
            f"value {index} is {_shown(flat[index])}; {datatype.name} takes"
            f" {_WORDS[datatype.kind]}",
            field=at,
        )
    if datatype.kind == "real":
        array = _reals(flat, datatype, at)
    elif datatype.kind == "whole":
        array = _wholes(flat, datatype, at)
    else:
        array = np.array(flat, dtype=datatype.dtype)
    return array.reshape(shape)


def _flat(value: list[Any], shape: tuple[int, ...], at: str) -> list[Any]:
    if value and isinstance(value[0], list) and shape:
        level = [value]
        for depth, side in enumerate(shape):
            if not all(type(each) is list and len(each) == side for each in level):
                raise TensorError(
                    f"is nested, and not like its shape {list(shape)}:"
                    f" expected lists of {side} at depth {depth + 1}",
                    field=at,
                )
            level = list(chain.from_iterable(level))
        return level
    if len(value) != math.prod(shape):
        raise TensorError(
            f"has {len(value)} values; its shape {list(shape)} has {math.prod(shape)}", field=at
        )
    return value


def _wholes(flat: list[int], datatype: Datatype, at: str) -> NDArray[Any]:
    try:
        return np.array(flat, dtype=datatype.dtype)
    except OverflowError:
        range_ = np.iinfo(datatype.dtype)
        limit = f"{range_.min}..{range_.max}"
        index = next(i for i, each in enumerate(flat) if not range_.min <= each <= range_.max)
        raise TensorError(
            f"value {index} is {_shown(flat[index])}, outside {limit}", field=at, limit=limit
        ) from None


def _reals(flat: list[float], datatype: Datatype, at: str) -> NDArray[Any]:
    # JSON has no infinity: one that is here now was a number too large for its type.
    with np.errstate(over="ignore"):
        try:
            array = np.array(flat, dtype=np.float64).astype(datatype.dtype, copy=False)
        except OverflowError:
            raise TensorError(f"has a number beyond {datatype.name}", field=at) from None
    beyond = np.flatnonzero(~np.isfinite(array))
    if beyond.size:
        index = int(beyond[0])
        raise TensorError(
            f"value {index} is {_shown(flat[index])}, beyond {datatype.name}",
            field=at,
            limit=f"±{float(np.finfo(datatype.dtype).max):g}",
        )
    return array


def from_bytes(
    data: memoryview, datatype: Datatype, shape: tuple[int, ...], *, at: str
) -> NDArray[Any]:
    """A tensor out of its bytes: a view of them, and a copy only where they lie unaligned.

    `at` names it in errors. Raises TensorError.
    """
    count = math.prod(shape)
    if datatype.size is None:
        return _texts(data, count, at).reshape(shape)
    if len(data) != count * datatype.size:
        raise TensorError(
            f"is {len(data)} bytes; {datatype.name} of shape {list(shape)} has"
            f" {count * datatype.size}",
            field=at,
            limit=f"{count * datatype.size} bytes",
        )
    if datatype.kind == "flag" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise TensorError("has a byte that is neither 0 nor 1, and BOOL", field=at, limit="0 or 1")
    array = np.frombuffer(data, dtype=datatype.dtype).reshape(shape)
    # Some processors cannot, and no compiler must, read a number across its alignment.
    return np.require(array, requirements="A")


def _texts(data: memoryview, count: int, at: str) -> NDArray[Any]:
    if count * _LENGTH > len(data):
        raise TensorError(
            f"is {len(data)} bytes, too few for {count} strings with their lengths", field=at
        )
    array: NDArray[Any] = np.empty(count, dtype=object)
    begin = 0
    for index in range(count):
        length = int.from_bytes(data[begin : begin + _LENGTH], "little")
        end = begin + _LENGTH + length
        if end > len(data) or begin + _LENGTH > len(data):
            raise TensorError(f"ends within string {index}", field=at)
        try:
            array[index] = str(data[begin + _LENGTH : end], "utf-8")
        except UnicodeDecodeError:
            raise TensorError(
                f"string {index} is not UTF-8, as the strings of ONNX are", field=at
            ) from None
        begin = end
    if begin != len(data):
        raise TensorError(
            f"has {len(data) - begin} bytes after the last of {count} strings", field=at
        )
    return array


def to_json(array: NDArray[Any]) -> list[Any]:
    """Its values in row-major order. JSON has no word for NaN and infinity: they become null."""
    values: list[Any] = array.ravel().tolist()
    return values


def to_bytes(array: NDArray[Any], datatype: Datatype) -> bytes | memoryview:
    """Its bytes in row-major order: a view of them wherever they lie so already."""
    if datatype.size is None:
        texts = [str(each).encode() for each in array.ravel()]
        return b"".join(
            part for text in texts for part in (len(text).to_bytes(_LENGTH, "little"), text)
        )
    lying = np.ascontiguousarray(array, dtype=datatype.dtype)
    return lying.reshape(-1).view(np.uint8).data


def _shown(value: Any) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > _SHOWN_BITS:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
