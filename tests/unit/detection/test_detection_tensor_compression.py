"""Bodies in gzip and deflate: unpacked as they were, never to more than is taken."""

from __future__ import annotations

import gzip
import zlib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from detection.errors import TensorEncodingError, TensorError, TensorSizeError
from detection.tensors import compression


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@given(body=st.binary(max_size=2000))
def test_what_is_packed_unpacks(encoding: str, body: bytes) -> None:
    packed = compression.packed(body, encoding)
    assert compression.unpacked(packed, encoding, limit=len(body)) == body
    with pytest.raises(TensorError, match="truncated"):
        compression.unpacked(packed[:-1], encoding, limit=len(body))
    with pytest.raises(TensorError, match="bytes after the end"):
        compression.unpacked(packed + b"\0", encoding, limit=len(body))


def test_no_more_is_unpacked_than_is_taken() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    with pytest.raises(TensorSizeError, match="more than 1000 bytes"):
        compression.unpacked(bomb, "gzip", limit=1000)
    with pytest.raises(TensorError, match="is not deflate"):
        compression.unpacked(b"neither", "deflate", limit=1000)
    with pytest.raises(TensorEncodingError, match="'br' is not taken"):
        compression.unpacked(b"", "br", limit=1000)
    assert compression.unpacked(b"as it is", None, limit=1000) == b"as it is"
    assert zlib.decompress(compression.packed(b"x", "deflate")) == b"x"


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        (None, None),
        ("", None),
        ("br", None),
        ("gzip", "gzip"),
        ("deflate;q=0.5, identity;q=0.1", "deflate"),
        ("gzip;q=0, deflate ; q=1.0", "deflate"),
        # What requests and httpx send unasked, and curl and browsers.
        ("gzip, deflate", None),
        ("br, deflate;q=0.5, gzip", None),
        ("gzip, *", None),
        ("*", None),
        ("gzip;q=0.000", None),
    ],
)
def test_answers_are_packed_only_where_that_is_asked(
    header: str | None, encoding: str | None
) -> None:
    assert compression.wanted(header) == encoding
