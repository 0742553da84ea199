"""Class names: of a manifest, or of what exporters write into a model's metadata.

Metadata is plain text that must be read, never run.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from detection.errors import ModelError
from detection.literal import literal

MAX_LENGTH = 262_144
MAX_LABELS = 10_000
USUAL_STRIDE = 32
MAX_LABEL_LENGTH = 64
"""As the wire contract has it for a class name."""

_NO_LETTERS = ("Cc", "Cs")
"""Control characters, and halves of characters: no log, no database and no encoding has them."""
_EXPECTED = f"have 1..{MAX_LABEL_LENGTH} letters"


def labels_of(metadata: Mapping[str, str]) -> tuple[str, ...] | str:
    """The class names in order, or the reason why they cannot be read.

    `names` is a Python dict (or list) as text, as Ultralytics writes it: {0: 'person', 1: 'boat'}.
    """
    text = metadata.get("names")
    if text is None:
        return (
            "expected `names` in its metadata (as Ultralytics writes it), or `labels` in the"
            " manifest, found none"
        )
    value = literal(text, longest=MAX_LENGTH)
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not value:
        return f"expected `names` in its metadata to be {{0: 'name', …}}, found {text[:60]!r}"
    if len(value) > MAX_LABELS:
        return f"expected at most {MAX_LABELS} `names` in its metadata, found {len(value)}"
    if set(value) != set(range(len(value))):
        return f"expected `names` in its metadata to be numbered 0..{len(value) - 1} without gaps"
    for number, name in value.items():
        wrong = "no text" if not isinstance(name, str) else _wrong(name)
        if wrong is not None:
            return f"expected name {number} in its metadata to {_EXPECTED}, found {wrong}"
    return tuple(value[number] for number in range(len(value)))


def stated(names: tuple[str, ...] | Mapping[str, str], field: str) -> tuple[str, ...]:
    """A manifest's: in order, or by number, where numbers between may be left out.

    Raises ModelError that names the field.
    """
    numbered: Mapping[int, str]
    if isinstance(names, tuple):
        numbered = dict(enumerate(names))
    else:
        for key in names:
            if not re.fullmatch(r"0|[1-9]\d{0,4}", key, re.ASCII):
                raise ModelError(f"{field}: expected numbers of classes, found {key[:40]!r}")
        numbered = {int(key): name for key, name in names.items()}
    count = max(numbered, default=-1) + 1
    if not 0 < count <= MAX_LABELS:
        raise ModelError(f"{field}: expected 1..{MAX_LABELS} names, found {count}")
    for number, name in numbered.items():
        wrong = _wrong(name)
        if wrong is not None:
            raise ModelError(f"{field}: expected name {number} to {_EXPECTED}, found {wrong}")
    return tuple(numbered.get(number, f"class-{number}") for number in range(count))


def _wrong(name: str) -> str | None:
    """Why this cannot be a class name: each detection would be refused for it, one by one."""
    if not 0 < len(name) <= MAX_LABEL_LENGTH:
        return str(len(name))
    if any(unicodedata.category(letter) in _NO_LETTERS for letter in name):
        return ascii(name)
    return None


def input_size_of(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Height and width from `imgsz`, where it is stated: [640, 640] or 640."""
    value = literal(metadata.get("imgsz", ""), longest=MAX_LENGTH)
    if type(value) is int:
        value = [value, value]
    if isinstance(value, list | tuple) and len(value) == 2:
        height, width = value
        # True is an int, and no size.
        if type(height) is int and type(width) is int:
            return height, width
    return None


def stride_of(metadata: Mapping[str, str]) -> int:
    """The input's sides must be multiples of this; the usual one where it is not stated."""
    text = metadata.get("stride", "")
    return int(text) if re.fullmatch(r"[1-9]\d{0,3}", text, re.ASCII) else USUAL_STRIDE
