"""Forms: whatever bytes are in them come out again, and what is no form is named."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from detecting import form
from detection.errors import FormError
from detection.web import multipart

TYPE = "multipart/form-data; boundary=xyz"
BYTES = st.binary(max_size=200) | st.lists(
    st.sampled_from([b"\r\n", b"--", b"-", b"\r", b"\n", b"\0", b"xyz", b"\r\n--xy"]), max_size=12
).map(b"".join)


def part(name: str, content: bytes, *, more: bytes = b"") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"'.encode()
    return b"--xyz\r\n" + head + b"\r\n" + more + b"\r\n" + content + b"\r\n"


def closed(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xyz--\r\n"


IMAGE = part("image", b"abc")


def refused(body: bytes, content_type: str = TYPE) -> FormError:
    with pytest.raises(FormError) as caught:
        multipart.parse(body, content_type)
    assert str(caught.value).startswith(f"{caught.value.field}: ")
    return caught.value


@given(BYTES, BYTES, st.booleans())
def test_any_bytes_survive(image, frame, frame_first):
    # By definition a boundary is what is in no part; RFC 2046, 5.1.1.
    assume(b"\r\n--xyz" not in b"\r\n" + image)
    assume(b"\r\n--xyz" not in b"\r\n" + frame)
    parts = [part("image", image), part("frame", frame)]
    read = multipart.parse(closed(*(parts[::-1] if frame_first else parts)), TYPE)
    assert (read.image, read.frame) == (image, frame)


@given(st.binary(max_size=500))
def test_a_clients_own_form_is_read(image):
    body, content_type = form({"image": image})
    read = multipart.parse(body, content_type)
    assert (read.image, read.frame) == (image, None)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (closed(IMAGE), 'multipart/form-data; boundary="xyz"'),
        (closed(IMAGE), "Multipart/Form-Data; charset=utf-8; BOUNDARY=xyz"),
        (b"for old readers\r\n" + closed(IMAGE), TYPE),
        (closed(IMAGE) + b"and after it", TYPE),
        (closed(IMAGE)[:-2], TYPE),
        (closed(IMAGE.replace(b"--xyz\r\n", b"--xyz \t\r\n")), TYPE),
        (closed(IMAGE.replace(b"Content-Disposition", b"content-disposition")), TYPE),
        (closed(IMAGE.replace(b'"image"', b"image")), TYPE),
        (closed(part("image", b"abc", more=b"Content-Type: image/png\r\n")), TYPE),
        (closed(IMAGE.replace(b"--xyz\r\n", b"--xyz\r\nContent-Type: image/png\r\n")), TYPE),
    ],
)
def test_other_ways_to_write_the_same(body, content_type):
    assert multipart.is_form(content_type)
    assert multipart.parse(body, content_type).image == b"abc"


def test_a_part_may_be_empty():
    assert multipart.parse(closed(part("image", b"")), TYPE).image == b""


@pytest.mark.parametrize("content_type", [None, "", "image/jpeg", "multipart/mixed; boundary=xyz"])
def test_other_types_are_no_forms(content_type):
    assert not multipart.is_form(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 71,
        "multipart/form-data; boundary*=x; boundary*0=y",
    ],
)
def test_a_header_without_a_boundary_is_named(content_type):
    assert refused(closed(IMAGE), content_type).field == "Content-Type"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (b"", "body", "boundary"),
        (b"abc", "body", "boundary"),
        (b"--abc\r\n\r\n\r\n--abc--", "body", "boundary"),
        (b"--xyz", "body", "too early"),
        (b"--xyz\r\n", "body", "too early"),
        (IMAGE, "body", "too early"),  # its last boundary is missing
        (closed(IMAGE)[:-5], "body", "too early"),
        (b"--xyz--", "image", "missing"),
        (closed(part("frame", b"{}")), "image", "missing"),
        (closed(IMAGE, part("extra", b"")), "extra", "image, frame"),
        (closed(IMAGE, IMAGE), "image", "more than once"),
        (closed(IMAGE, part("", b"")), "body", "without a name"),
        (closed(IMAGE, b"--xyz\r\n\r\nabc\r\n"), "body", "without a name"),
        (closed(IMAGE, b"--xyz\r\nContent-Type: a/b\r\n\r\n\r\n"), "body", "without a name"),
        # A head that never ends must not take its content from the part after it.
        (closed(IMAGE.replace(b"\r\n\r\nabc", b""), part("frame", b"{}")), "body", "too early"),
        (closed(part("image", b"", more=b"X: " + b"x" * 5000 + b"\r\n")), "body", "too early"),
        (closed(*(part("frame", b"{}") for _ in range(9))), "frame", "more than once"),
        (closed(*(part("image", b"{}") for _ in range(9))), "body", "8 parts"),
    ],
)
def test_what_is_no_form_of_ours_is_named(body, field, words):
    error = refused(body)
    assert error.field == field
    assert words in str(error)


@given(st.data())
def test_a_form_with_wrong_bytes_is_a_form_or_a_form_error(data):
    body = bytearray(closed(IMAGE, part("frame", b"{}")))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(body) - 1))
        wrong = data.draw(st.binary(max_size=3) | st.sampled_from([b"\r\n", b'"', b";", b"*"]))
        body[at : at + data.draw(st.integers(0, 4))] = wrong
    with contextlib.suppress(FormError):
        multipart.parse(bytes(body), TYPE)


@given(
    st.text(st.sampled_from("boundary=*0123'\"; \t/xyz%ff\\é"), max_size=40)
    | st.text(max_size=40).filter(lambda text: text.isprintable())
)
def test_any_header_is_read_or_refused(parameters):
    content_type = "multipart/form-data;" + parameters
    assert multipart.is_form(content_type)
    # As a server hands it on: bytes of a header are latin-1.
    assume(all(ord(letter) < 256 for letter in content_type))
    with contextlib.suppress(FormError):
        assert multipart.parse(closed(IMAGE), content_type).image == b"abc"
