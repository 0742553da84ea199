"""values.yaml as people read it: each key with its default and the comment over it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

CHART = Path(__file__).parents[1] / "sightline"

_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z_]+):(?P<rest>.*)")
_COMMENT = re.compile(r" *# ?(?P<text>.*)")

WHOLE = frozenset({"annotations", "labels", "resources"})
"""Maps that are one thing to whoever sets them."""


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One thing that can be set."""

    path: tuple[str, ...]
    default: Any
    comment: str


def load(path: Path) -> Any:
    """A YAML file as plain values."""
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def leaves(values: Mapping[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of what can be set, in the file's order."""
    for key, value in values.items():
        path = (*at, key)
        if isinstance(value, dict) and value and key not in WHOLE:
            yield from leaves(value, path)
        else:
            yield path


def comments(text: str) -> dict[tuple[str, ...], str]:
    """The comment right over each key, by the key's path."""
    found: dict[tuple[str, ...], str] = {}
    path: list[str] = []
    waiting: list[str] = []
    for line in text.splitlines():
        if comment := _COMMENT.fullmatch(line):
            waiting.append(comment["text"])
        elif key := _KEY.fullmatch(line):
            depth = len(key["indent"]) // 2
            path = [*path[:depth], key["key"]]
            if waiting:
                found[tuple(path)] = " ".join(waiting)
            waiting = []
        else:
            waiting = []
    return found


def table() -> list[Leaf]:
    """Every leaf of values.yaml, with its default and its comment."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    said = comments(text)
    values = load(CHART / "values.yaml")
    found = []
    for path in leaves(values):
        default = values
        for key in path:
            default = default[key]
        found.append(Leaf(path=path, default=default, comment=said.get(path, "")))
    return found
