"""Terraform files as their readers see them: blocks with what is described in them.

Reads what `terraform fmt` has laid out: a block begins in the first column, and its own arguments
are two blanks in. Whether it is right otherwise is Terraform's to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

_BLOCK = re.compile(r'^(?P<kind>[a-z]+)(?P<labels>(?: "[^"]+")*) \{$')
_ARGUMENT = re.compile(r"^  (?P<name>[a-z_]+) += (?P<value>.*)$")
_SENTENCE = re.compile(r'error_message = "(?P<sentence>(?:\$\{[^}]*\}|[^"\\]|\\.)*)"')


@dataclass(frozen=True, kw_only=True)
class Block:
    """`kind "label" … { … }` with its lines."""

    kind: str
    labels: tuple[str, ...]
    lines: tuple[str, ...]
    file: Path

    @property
    def name(self) -> str:
        """As one refers to it."""
        return ".".join(self.labels)

    def argument(self, name: str) -> str | None:
        """What is given for it, on one line."""
        found: list[str] = []
        for line in self.lines:
            given = _ARGUMENT.match(line)
            if given is not None and given["name"] == name:
                found = [given["value"]]
            elif found and (given is not None or line == "" or _closed(found)):
                break
            elif found:
                found.append(line)
        return " ".join(" ".join(each.split()) for each in found) or None

    def text(self, name: str) -> str:
        """A quoted argument, without the quotes."""
        given = self.argument(name) or ""
        return given[1:-1].replace('\\"', '"') if given.startswith('"') else given

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it says when it refuses something."""
        return tuple(each["sentence"] for each in _SENTENCE.finditer("\n".join(self.lines)))


def _closed(lines: list[str]) -> bool:
    said = "".join(lines)
    return all(said.count(a) == said.count(b) for a, b in ("{}", "[]", "()"))


def blocks(folder: Path) -> Iterator[Block]:
    """Of all files of a module, in their order."""
    for file in sorted(folder.glob("*.tf")):
        kind, labels, lines = "", (), list[str]()
        for line in file.read_text(encoding="utf-8").splitlines():
            if kind and line == "}":
                yield Block(kind=kind, labels=labels, lines=tuple(lines), file=file)
                kind = ""
            elif kind:
                lines.append(line)
            elif head := _BLOCK.match(line):
                kind, lines = head["kind"], []
                labels = tuple(re.findall(r'"([^"]+)"', head["labels"]))


def keys(block: Block) -> tuple[str, ...]:
    """The dotted names of what an output's map has."""
    found: list[str] = []
    path: list[str] = []
    for line in block.lines:
        depth = (len(line) - len(line.lstrip())) // 2 - 2
        given = re.match(r"^ +([a-z_]+) += (.*)$", line)
        if depth < 0 or given is None:
            continue
        path = [*path[:depth], given[1]]
        if given[2] != "{":
            found.append(".".join(path))
    return tuple(found)
