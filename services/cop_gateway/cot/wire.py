"""The protocol-buffer wire format, as far as TAK's messages need it. Pure.

Source: protobuf.dev, "Encoding"; fields are written in ascending order, and defaults left out, as
proto3 has it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from cop_gateway.cot.errors import FramingError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10

_SINGLE = tuple(bytes((number,)) for number in range(0x80))

Value = int | float | bytes
"""A varint, a double, or the bytes of a string or message."""


def varint(number: int) -> bytes:
    """An unsigned number, seven bits a byte, the lowest first."""
    if number < 0x80:
        return _SINGLE[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def unsigned(field: int, number: int) -> bytes:
    """A uint32 or uint64 field."""
    return varint(field << 3 | _VARINT) + varint(number) if number else b""


def double(field: int, number: float) -> bytes:
    """A double field."""
    return varint(field << 3 | _FIXED64) + struct.pack("<d", number) if number else b""


def text(field: int, value: str) -> bytes:
    """A string field."""
    return message(field, value.encode()) if value else b""


def message(field: int, body: bytes) -> bytes:
    """A message field; an empty message is still there."""
    return varint(field << 3 | _BYTES) + varint(len(body)) + body


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The number at a place, and the place after it. Raises FramingError; IndexError at the end."""
    value = 0
    for shift in range(0, 7 * _MOST_VARINT_BYTES, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise FramingError("a number of more than 64 bits")


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field of a message; unknown ones are for the caller to skip."""
    at = 0
    try:
        while at < len(data):
            key, at = read_varint(data, at)
            field, kind = key >> 3, key & 7
            if field == 0:
                raise FramingError("a field without a number")
            if kind == _VARINT:
                value, at = read_varint(data, at)
                yield field, value
            elif kind == _FIXED64:
                (real,) = struct.unpack_from("<d", data, at)
                at += 8
                yield field, float(real)
            elif kind == _BYTES:
                length, at = read_varint(data, at)
                if at + length > len(data):
                    raise FramingError("a message that ends too early")
                yield field, data[at : at + length]
                at += length
            elif kind == _FIXED32:
                if at + 4 > len(data):
                    raise FramingError("a message that ends too early")
                at += 4
            else:
                raise FramingError("bytes that are no protocol buffer")
    except (IndexError, struct.error) as error:
        raise FramingError("a message that ends too early") from error
