"""Python literals in a model's metadata: plain text that must be read, never run."""

from __future__ import annotations

import ast


def literal(text: str, *, longest: int) -> object:
    """Its value, or None where the text is none, or longer than that."""
    if len(text) > longest:
        return None
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return value
