"""multipart/form-data (RFC 7578) of a body that is in memory already: no copies, no files."""

from __future__ import annotations

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


def is_form(content_type: str | None) -> bool:
    """Whether this header announces a form."""
    return content_type is not None and content_type.lower().lstrip().startswith(
        "multipart/form-data"
    )


def parse(body: bytes, content_type: str) -> Form:
    """Take a form apart. Raises FormError that names the part."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:
        raise FormError("has no boundary of 1..70 characters", field="Content-Type")
    parts: dict[str, bytes] = {}
    for name, content in _parts(body, b"--" + boundary):
        if not name:
            raise FormError("has a part without a name", field="body")
        if name not in ("image", "frame"):
            raise FormError("is not a part of this form (known: image, frame)", field=name)
        if name in parts:
            raise FormError("is there more than once", field=name)
        parts[name] = content
    if "image" not in parts:
        raise FormError("is missing: the form has no part of this name", field="image")
    return Form(image=parts["image"], frame=parts.get("frame"))


def _parts(body: bytes, delimiter: bytes) -> list[tuple[str, bytes]]:
    if body.startswith(delimiter):
        at = len(delimiter)
    else:
        before = body.find(b"\r\n" + delimiter)
        if before < 0:
            raise FormError("does not contain the boundary that its header names", field="body")
        at = before + 2 + len(delimiter)
    separator = b"\r\n" + delimiter
    found: list[tuple[str, bytes]] = []
    while not body.startswith(b"--", at):
        head_from = body.find(b"\r\n", at) + 2
        head_to = body.find(b"\r\n\r\n", at, at + _MAX_HEAD)
        end = body.find(separator, at)
        if head_to < 0 or end < head_to + 2:
            raise FormError("is a form, or has a part, that ends too early", field="body")
        found.append((_name(body[head_from:head_to]), body[head_to + 4 : end]))
        if len(found) > _MAX_PARTS:
            raise FormError(f"is a form of more than {_MAX_PARTS} parts", field="body")
        at = end + len(separator)
    return found


def _name(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-disposition":
            _, options = parse_options_header(value.strip())
            return options.get(b"name", b"").decode("utf-8", "replace")[:64]
    return ""
