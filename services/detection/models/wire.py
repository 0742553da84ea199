"""The wire format of protocol buffers, as far as ONNX files need it.

Model files are untrusted input, and a walk over their bytes is enough to see what they hold and to
change the little that we change: no runtime and no generated code has to see them first.
Source: protobuf.dev, Encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_FIELD_NUMBER = (1 << 29) - 1
_MAX_VARINT = (1 << 64) - 1


class NotWhole(Exception):  # noqa: N818 - always turned into a ModelError
    """The bytes are no protocol buffer, or end too early."""


class Field(NamedTuple):
    """One field of a message."""

    number: int
    value: int | memoryview
    """An integer, or the bytes of a nested message, a text or a fixed-size number."""
    span: memoryview
    """The whole field, its key included: for copying it as it is."""


def fields(message: memoryview) -> Iterator[Field]:
    """Each field of a message, in order. Raises NotWhole."""
    at, end = 0, len(message)
    while at < end:
        begin = at
        # Nearly all keys and lengths are one byte: of a large model, there are many thousands.
        key, at = (message[at], at + 1) if message[at] < 0x80 else _varint(message, at)
        number, wire = key >> 3, key & 7
        # Readers cut a key to 32 bits, so that a larger number would be another field to them.
        if not 0 < number <= _MAX_FIELD_NUMBER:
            raise NotWhole("it has a field without a number")
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield Field(number, value, message[begin:at])
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise NotWhole("it is no protocol buffer")
        if at + length > end:
            raise NotWhole("it ends too early")
        at += length
        yield Field(number, message[at - length : at], message[begin:at])


def messages(message: memoryview, number: int) -> Iterator[memoryview]:
    """The nested messages (or texts) of one number."""
    for field in fields(message):
        if field.number == number and isinstance(field.value, memoryview):
            yield field.value


def number_of(message: memoryview, number: int, default: int = 0) -> int:
    """An integer field; of several the last counts, as readers have it."""
    found = default
    for field in fields(message):
        if field.number == number and isinstance(field.value, int):
            found = field.value
    return found


def numbers(message: memoryview, number: int) -> Iterator[int]:
    """The integers of a repeated field, packed into one or each by itself."""
    for field in fields(message):
        if field.number != number:
            continue
        if isinstance(field.value, int):
            yield field.value
            continue
        at = 0
        while at < len(field.value):
            value, at = _varint(field.value, at)
            yield value


def text_of(message: memoryview, number: int) -> str:
    """A text field, empty where it is not there. Raises NotWhole where it is not UTF-8."""
    found = memoryview(b"")
    for value in messages(message, number):
        found = value
    return text(found)


def text(value: memoryview) -> str:
    """The bytes of a text field. Raises NotWhole where they are not UTF-8."""
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise NotWhole("it has a text that is not UTF-8") from None


def integer(number: int, value: int) -> bytes:
    """An integer field, of 0..2^64-1."""
    return _encoded(number << 3 | _VARINT) + _encoded(value)


def nested(number: int, *content: bytes | memoryview | str) -> bytes:
    """A nested message, or a text: its parts one after the other."""
    parts = [part.encode() if isinstance(part, str) else part for part in content]
    return b"".join([heading(number, sum(len(part) for part in parts)), *parts])


def heading(number: int, length: int) -> bytes:
    """What stands before the content of a nested message that is so many bytes long."""
    return _encoded(number << 3 | _BYTES) + _encoded(length)


def _encoded(value: int) -> bytes:
    assert 0 <= value <= _MAX_VARINT
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise NotWhole("it ends too early")
        if shift > 63:
            raise NotWhole("it is no protocol buffer")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            # Ten bytes have room for 70 bits; readers drop those beyond 64.
            return value & _MAX_VARINT, at
        shift += 7
