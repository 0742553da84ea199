"""Bodies in gzip or deflate (RFC 9110, 8.4.1), unpacked within a bound, and packed where asked."""

from __future__ import annotations

import zlib

from detection.errors import TensorEncodingError, TensorError, TensorSizeError

TAKEN = "gzip, deflate or identity"

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""As zlib is told of the wrapping: gzip's (RFC 1952), or zlib's own (RFC 1950)."""

_LEVEL = 1
"""Tensors hardly shrink, whatever is spent on them."""

_FIELD = "body"


def unpacked(body: bytes, encoding: str | None, *, limit: int) -> bytes:
    """The body as it was before its sender packed it: at most `limit` bytes.

    No more than that is ever unpacked. Raises TensorError.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name not in _WINDOW:
        raise TensorEncodingError(
            f"{name[:60]!r} is not taken; send {TAKEN}", field="Content-Encoding", limit=TAKEN
        )
    engine = zlib.decompressobj(_WINDOW[name])
    try:
        # With one byte more, what is too long differs from what just fits.
        plain = engine.decompress(body, limit + 1)
    except zlib.error as error:
        raise TensorError(f"is not {name}: {error}", field=_FIELD) from None
    if len(plain) > limit:
        raise TensorSizeError(
            f"unpacks to more than {limit} bytes, which are taken at most",
            field=_FIELD,
            limit=f"{limit} bytes",
        )
    if not engine.eof:
        raise TensorError(f"is truncated: its {name} data ends too early", field=_FIELD)
    if engine.unused_data:
        raise TensorError(
            f"has {len(engine.unused_data)} bytes after the end of its {name} data", field=_FIELD
        )
    return plain


def wanted(accepted: str | None) -> str | None:
    """Gzip or deflate, where Accept-Encoding names this one coding and no other.

    Whoever wants packed tensors says so. Libraries that list all that they could unpack would only
    wait for it: tensors hardly shrink, and packing takes longer than most networks do.
    """
    named = []
    for each in (accepted or "").lower().split(","):
        name, _, weight = each.replace(" ", "").partition(";q=")
        if name not in ("", "identity") and (not weight or weight.strip("0.")):
            named.append(name)
    return named[0] if named in (["gzip"], ["deflate"]) else None


def packed(body: bytes, encoding: str) -> bytes:
    """The body in gzip or deflate."""
    engine = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW[encoding])
    return engine.compress(body) + engine.flush()
