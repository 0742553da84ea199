"""Foreign bytes out of good ones: the same seed makes the same of them."""

from __future__ import annotations

import copy
import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

_EDGES = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000)
_EDGES += (0xFFFFFFFE, 0xFFFFFFFF)
_HEAD = 160
"""Where headers are: half of all changes go there."""
_PNG = b"\x89PNG\r\n\x1a\n"

Chance = random.Random


def chance(target: str, seed: int, number: int) -> Chance:
    """What decides about one case, and about no other."""
    return random.Random(f"{target}:{seed}:{number}")


def mutated(good: Sequence[bytes], by: Chance) -> bytes:
    """One of these, changed in one to some places."""
    data = bytearray(by.choice(good))
    for _ in range(1 + int(by.expovariate(0.6))):
        by.choice(_CHANGES)(data, by)
    if by.random() < 0.1:
        other = by.choice(good)
        data[_place(data, by) :] = other[_place(other, by) :]
    if data.startswith(_PNG) and by.random() < 0.7:
        # Else nearly every change would end at the checksum.
        return mended(bytes(data))
    return bytes(data)


def mended(png: bytes) -> bytes:
    """The same with right checksums, as far as its chunks can be followed."""
    parts, at = [png[:8]], 8
    while at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        end = at + 8 + length
        if end + 4 > len(png):
            break
        parts.append(png[at:end] + struct.pack(">I", zlib.crc32(png[at + 4 : end])))
        at = end + 4
    return b"".join([*parts, png[at:]])


def restructured(good: Sequence[bytes], by: Chance) -> bytes:
    """The same, with values changed in its first JSON object; bytes around it stay."""
    data = by.choice(good)
    text = data.decode("latin-1")  # so that a place in the text is one in the bytes
    begin = text.find("{")
    if begin < 0:
        return mutated(good, by)
    tree, end = json.JSONDecoder().raw_decode(text, begin)
    for _ in range(1 + int(by.expovariate(1.0))):
        _change_value(tree, by)
    return data[:begin] + json.dumps(tree).encode() + data[end:]


def _change_value(tree: Any, by: Chance) -> None:
    """Somewhere in the tree, put another value, take one away, or say one twice."""
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    if not keys:
        return
    key = by.choice(keys)
    if isinstance(tree[key], dict | list) and by.random() < 0.8:
        _change_value(tree[key], by)
    elif by.random() < 0.15:
        del tree[key]
    elif isinstance(tree, list) and by.random() < 0.2:
        tree.append(copy.deepcopy(tree[key]))
    else:
        # A copy, or what one case changes in it would be in the next.
        tree[key] = copy.deepcopy(by.choice((*_VALUES, *_EDGES, _real(by))))


def _real(by: Chance) -> float:
    return by.uniform(-9, 9) * 10.0 ** by.randrange(-320, 308)


_VALUES: tuple[Any, ...] = (
    None, True, False, -1, 2**53, 2**64, -(2**63) - 1, 10**60, 1.5, -0.0, "", "x", "\u0000\ud800",
    "BYTES", "FP16", "BOOL", "INT8", [], {}, [[]], [[1], [2]], [0], [1, 2**40], "9" * 400,
)  # fmt: skip


def _place(data: bytes | bytearray, by: Chance) -> int:
    return by.randrange(1 + min(len(data), _HEAD if by.random() < 0.5 else len(data)))


def _bits(data: bytearray, by: Chance) -> None:
    at = _place(data, by)
    if at < len(data):
        data[at] ^= 1 << by.randrange(8)


def _byte(data: bytearray, by: Chance) -> None:
    at = _place(data, by)
    data[at : at + 1] = bytes(
        [by.choice(_EDGES) & 0xFF if by.random() < 0.5 else by.randrange(256)]
    )


def _number(data: bytearray, by: Chance) -> None:
    """A number of two or four bytes that tends to break sums."""
    code = by.choice(("<H", ">H", "<I", ">I"))
    width = struct.calcsize(code)
    value = by.choice(_EDGES) & (0xFFFF if width == 2 else 0xFFFFFFFF)
    at = _place(data, by)
    data[at : at + width] = struct.pack(code, value)


def _grown(data: bytearray, by: Chance) -> None:
    at = _place(data, by)
    data[at:at] = by.randbytes(by.choice((1, 2, 4, 16, 300)))


def _repeated(data: bytearray, by: Chance) -> None:
    first = _place(data, by)
    data[first:first] = data[first : first + by.choice((1, 4, 20, 200))] * by.choice((1, 2, 50))


def _shrunk(data: bytearray, by: Chance) -> None:
    at = _place(data, by)
    del data[at : at + by.choice((1, 2, 4, 16, 100))]


def _cut(data: bytearray, by: Chance) -> None:
    if by.random() < 0.4:
        del data[_place(data, by) :]


def _blank(data: bytearray, by: Chance) -> None:
    at, width = _place(data, by), by.choice((4, 16, 64))
    data[at : at + width] = bytes([by.choice((0, 0xFF))]) * width


_CHANGES: tuple[Callable[[bytearray, Chance], None], ...] = (
    _bits, _bits, _byte, _byte, _number, _number, _number, _grown, _repeated, _shrunk, _cut, _blank,
)  # fmt: skip
