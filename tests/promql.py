"""Reading PromQL, as far as tests need to."""

from __future__ import annotations

import re

_STRINGS = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
_SELECTORS = re.compile(r"\{[^{}]*\}")
_DURATIONS = re.compile(r"\[[^\]]*\]|\boffset\s+\S+")
_GROUPINGS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_NAMES = re.compile(r"(?<![\w:$.])([a-zA-Z_:][\w:]*)(?!\w*\s*\()")
_WORDS = {"and", "or", "unless", "bool", "inf", "nan", "by", "without", "on", "ignoring",
          "group_left", "group_right", "offset"}  # fmt: skip


def metrics_in(query: str) -> set[str]:
    """The names of the metrics that a query reads."""
    bare = _STRINGS.sub('""', query)
    for each in (_SELECTORS, _DURATIONS, _GROUPINGS):
        bare = each.sub(" ", bare)
    return {name for name in _NAMES.findall(bare) if name.lower() not in _WORDS}
