"""NaCl's secretbox (XSalsa20-Poly1305), since cosign's private keys lie in one.

For a few hundred bytes: it is Python, and slow. The cipher is D. J. Bernstein's "Extending the
Salsa20 nonce"; the box is the first 32 bytes of the key stream as Poly1305's key, then the rest.
"""

from __future__ import annotations

import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.poly1305 import Poly1305

KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 24, 16

_CONSTANT = struct.unpack("<4I", b"expand 32-byte k")
_COLUMNS = (
    (4, 0, 12, 7), (8, 4, 0, 9), (12, 8, 4, 13), (0, 12, 8, 18),
    (9, 5, 1, 7), (13, 9, 5, 9), (1, 13, 9, 13), (5, 1, 13, 18),
    (14, 10, 6, 7), (2, 14, 10, 9), (6, 2, 14, 13), (10, 6, 2, 18),
    (3, 15, 11, 7), (7, 3, 15, 9), (11, 7, 3, 13), (15, 11, 7, 18),
)  # fmt: skip
"""Of a column round: each word is mixed with the sum of two, turned by so many bits."""
_ROWS = tuple((*(word % 4 * 4 + word // 4 for word in words), bits) for *words, bits in _COLUMNS)
_MASK = 0xFFFFFFFF


def _rounds(words: list[int]) -> list[int]:
    mixed = list(words)
    for _ in range(10):
        for to, one, two, bits in (*_COLUMNS, *_ROWS):
            total = (mixed[one] + mixed[two]) & _MASK
            mixed[to] ^= ((total << bits) | (total >> (32 - bits))) & _MASK
    return mixed


def _state(key: bytes, middle: bytes) -> list[int]:
    k, m = struct.unpack("<8I", key), struct.unpack("<4I", middle)
    return [
        _CONSTANT[0], *k[:4], _CONSTANT[1], *m, _CONSTANT[2], *k[4:], _CONSTANT[3],
    ]  # fmt: skip


def _stream(key: bytes, nonce: bytes, size: int) -> bytes:
    hashed = _rounds(_state(key, nonce[:16]))
    inner = struct.pack("<8I", *(hashed[each] for each in (0, 5, 10, 15, 6, 7, 8, 9)))
    blocks = bytearray()
    while len(blocks) < size:
        begun = _state(inner, nonce[16:] + struct.pack("<Q", len(blocks) // 64))
        ended = zip(_rounds(begun), begun, strict=True)
        blocks += struct.pack("<16I", *((one + two) & _MASK for one, two in ended))
    return bytes(blocks[:size])


def seal(content: bytes, *, key: bytes, nonce: bytes) -> bytes:
    """The tag, and the content that only the key opens."""
    stream = _stream(key, nonce, 32 + len(content))
    closed = bytes(one ^ two for one, two in zip(content, stream[32:], strict=True))
    return Poly1305.generate_tag(stream[:32], closed) + closed


def unseal(box: bytes, *, key: bytes, nonce: bytes) -> bytes | None:
    """The content; None where the key is another, or the box was changed."""
    tag, closed = box[:TAG_BYTES], box[TAG_BYTES:]
    stream = _stream(key, nonce, 32 + len(closed))
    try:
        Poly1305.verify_tag(stream[:32], closed, tag)
    except (InvalidSignature, ValueError):
        return None
    return bytes(one ^ two for one, two in zip(closed, stream[32:], strict=True))
