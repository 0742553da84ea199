"""multipart/form-data (RFC 7578) of a body that is in memory already: no copies, no files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header

from detection.errors import FormError

_MAX_PARTS = 8
_MAX_HEAD = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """The parts by name: `image`, and where it was sent `frame`."""

    image: bytes
    frame: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchForm:
    """The parts named `image` in order, and where it was sent `frames`."""

    images: tuple[bytes, ...]
    frames: bytes | None


def is_form(content_type: str | None) -> bool:
    """Whether this header announces a form."""
    return content_type is not None and content_type.lower().lstrip().startswith(
        "multipart/form-data"
    )


def parse(body: bytes, content_type: str) -> Form:
    """Take a form of one image apart. Raises FormError that names the part."""
    images, frame = _sorted(body, content_type, other="frame", most=_MAX_PARTS)
    if len(images) > 1:
        raise FormError("is there more than once", field="image")
    return Form(image=images[0], frame=frame)


def parse_batch(body: bytes, content_type: str, *, most: int) -> BatchForm:
    """Take a form of at most so many images apart. Raises FormError that names the part."""
    images, frames = _sorted(body, content_type, other="frames", most=most + 1)
    if len(images) > most:
        raise FormError(
            f"is there {len(images)} times, at most {most} are taken",
            field="image",
            limit=f"{most} images",
        )
    return BatchForm(images=tuple(images), frames=frames)


def _sorted(
    body: bytes, content_type: str, *, other: str, most: int
) -> tuple[list[bytes], bytes | None]:
    """The images in order, and the one part of the other name."""
    images: list[bytes] = []
    second: bytes | None = None
    for name, content in _named(body, content_type, most=most):
        if name == "image":
            images.append(content)
        elif name != other:
            raise FormError(f"is not a part of this form (known: image, {other})", field=name)
        elif second is not None:
            raise FormError("is there more than once", field=name)
        else:
            second = content
    if not images:
        raise FormError("is missing: the form has no part of this name", field="image")
    return images, second


def _named(body: bytes, content_type: str, *, most: int) -> Iterator[tuple[str, bytes]]:
    """Name and content of each part, in order."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:
        raise FormError("has no boundary of 1..70 characters", field="Content-Type")
    for number, (name, content) in enumerate(_parts(body, b"--" + boundary), start=1):
        if not name:
            raise FormError("has a part without a name", field="body")
        if number > most:
            raise FormError(f"is a form of more than {most} parts", field="body")
        yield name, content


def _parts(body: bytes, delimiter: bytes) -> Iterator[tuple[str, bytes]]:
    if body.startswith(delimiter):
        at = len(delimiter)
    else:
        before = body.find(b"\r\n" + delimiter)
        if before < 0:
            raise FormError("does not contain the boundary that its header names", field="body")
        at = before + 2 + len(delimiter)
    separator = b"\r\n" + delimiter
    while not body.startswith(b"--", at):
        head_from = body.find(b"\r\n", at) + 2
        head_to = body.find(b"\r\n\r\n", at, at + _MAX_HEAD)
        end = body.find(separator, at)
        if head_to < 0 or end < head_to + 2:
            raise FormError("is a form, or has a part, that ends too early", field="body")
        yield _name(body[head_from:head_to]), body[head_to + 4 : end]
        at = end + len(separator)


def _name(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-disposition":
            _, options = parse_options_header(value.strip())
            name = options.get(b"name", b"").decode("utf-8", "replace")[:64]
            # It goes into an error's sentence, which is one line.
            return "".join(each if each.isprintable() else "\ufffd" for each in name)
    return ""
