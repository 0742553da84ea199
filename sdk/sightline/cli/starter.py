"""A first models.toml for a folder: what is found is written, what is not is left open."""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from detection.errors import ModelError
from detection.models import manifest
from detection.models.loading import load
from detection.models.model import Model, Options

_HEAD = """\
# Written by `sightline models manifest`; docs/reference/models.md says what else can be said.
"""
_LONGEST_NAME = 64
_WIDTH = 100


def written(files: Sequence[Path], options: Options) -> tuple[str, list[str]]:
    """The text, and why some of the models would not be served yet."""
    names: dict[str, Path] = {}
    for file in files:
        names[_name(file.stem, taken=names)] = file
    parts: list[str] = []
    refused: list[str] = []
    default: str | None = None
    for name, file in names.items():
        try:
            listed = manifest.listed({"name": name, "file": file.name}, file.parent)
        except ModelError as error:
            # An entry that cannot be read would keep all others from being read.
            refused.append(f"{file}: {error}")
            parts.append(textwrap.indent(_open(name, file, str(error)), "# "))
            continue
        try:
            model = load(listed, options)
        except ModelError as error:
            refused.append(str(error))
            parts.append(_open(name, file, str(error).removeprefix(f"{file}: ")))
        else:
            default = default or name
            parts.append(_entry(name, file, model))
    first = "" if default is None else f"default = {_text(default)}\n"
    return "\n".join([_HEAD + first, *parts]), refused


def _name(stem: str, *, taken: dict[str, Path]) -> str:
    """As a request can call it; a number makes two of the same different."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:_LONGEST_NAME] or "model"
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain[: _LONGEST_NAME - len(str(number)) - 1]}-{number}"
    return name


def _head(name: str, file: Path) -> str:
    lines = ["[[models]]", f"name = {_text(name)}", f"file = {_text(file.name)}"]
    try:
        with file.open("rb") as opened:
            lines.append(f'sha256 = "{hashlib.file_digest(opened, "sha256").hexdigest()}"')
    except OSError:
        pass  # the reason why it is refused says so
    return "\n".join(lines) + "\n"


def _entry(name: str, file: Path, model: Model) -> str:
    labels = "\n".join(_lines([f"{_text(label)}," for label in model.info.labels]))
    return f"{_head(name, file)}layout = {_text(model.info.layout)}\nlabels = [\n{labels}\n]\n"


def _lines(words: Sequence[str]) -> list[str]:
    """As many on a line as fit, each whole: within quotes, nothing may be broken."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= _WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f"    {word}")
    return lines


def _open(name: str, file: Path, reason: str) -> str:
    words = textwrap.fill(reason, _WIDTH, initial_indent="# ", subsequent_indent="# ")
    return (
        f"{_head(name, file)}# It would not be served yet:\n{words}\n"
        '# layout = ""\n# labels_file = ""\n'
    )


def _text(value: str) -> str:
    """A basic string of TOML: JSON's, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
