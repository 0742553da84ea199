"""What Ultralytics writes into a model's metadata: plain text that must be read, never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

MAX_LENGTH = 262_144
MAX_LABELS = 10_000
MAX_LABEL_LENGTH = 64
"""As the wire contract has it for a class name."""


def labels_of(metadata: Mapping[str, str]) -> tuple[str, ...] | str:
    """The class names in order, or the reason why they cannot be read.

    `names` is a Python dict (or list) as text: {0: 'person', 1: 'boat'}.
    """
    text = metadata.get("names")
    if text is None:
        return "expected `names` in its metadata (as Ultralytics writes it), found none"
    value = _literal(text)
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or not value:
        return f"expected `names` in its metadata to be {{0: 'name', …}}, found {text[:60]!r}"
    if len(value) > MAX_LABELS:
        return f"expected at most {MAX_LABELS} `names` in its metadata, found {len(value)}"
    if set(value) != set(range(len(value))):
        return f"expected `names` in its metadata to be numbered 0..{len(value) - 1} without gaps"
    for number, name in value.items():
        if not (isinstance(name, str) and 0 < len(name) <= MAX_LABEL_LENGTH):
            return f"expected name {number} in its metadata to have 1..{MAX_LABEL_LENGTH} letters"
    return tuple(value[number] for number in range(len(value)))


def input_size_of(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Height and width from `imgsz`, where it is stated: [640, 640] or 640."""
    value = _literal(metadata.get("imgsz", ""))
    if isinstance(value, int):
        value = [value, value]
    if isinstance(value, list | tuple) and len(value) == 2:
        height, width = value
        if isinstance(height, int) and isinstance(width, int):
            return height, width
    return None


def stride_of(metadata: Mapping[str, str]) -> int:
    """The input's sides must be multiples of this; 32 where it is not stated."""
    text = metadata.get("stride", "")
    return int(text) if re.fullmatch(r"[1-9]\d{0,3}", text, re.ASCII) else 32


def _literal(text: str) -> object:
    """The value of a Python literal, or None where the text is none."""
    if len(text) > MAX_LENGTH:
        return None
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return value
