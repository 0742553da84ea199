"""Read an environment's file, and say in a sentence what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sightline.environments.environment import Environment, objections
from sightline.environments.errors import EnvironmentFileError

FOLDER = "environments"
_AT = re.compile(r"(?P<what>.*) - at `\$\.?(?P<path>[^`]*)`$", re.DOTALL)


def known(root: Path) -> tuple[str, ...]:
    """The names of a checkout's environments."""
    return tuple(sorted(each.stem for each in (root / FOLDER).glob("*.yaml")))


def load(name: str, *, root: Path) -> Environment:
    """`environments/NAME.yaml` of a checkout, checked. Raises EnvironmentFileError.

    `name` may also be the path of a file, which then is relative to nothing else.
    """
    file = Path(name) if name.endswith((".yaml", ".yml")) else root / FOLDER / f"{name}.yaml"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        there = ", ".join(known(root)) or "none"
        raise EnvironmentFileError(
            f"there is no environment {name!r} ({file} does not exist; there: {there}):"
            " `sightline init` writes one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentFileError(f"{file} cannot be read: {error}") from error
    found = parse(text, where=str(file))
    if found.name != file.stem:
        raise EnvironmentFileError(
            f"{file}: name is {found.name!r}, and the file's is {file.stem!r}"
        )
    for each in missing(found, root):
        raise EnvironmentFileError(f"{file}: {each}")
    return found


def parse(text: str, *, where: str) -> Environment:
    """From YAML. Raises EnvironmentFileError."""
    try:
        document: Any = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise EnvironmentFileError(
            f"{where} is not YAML: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(document, dict):
        raise EnvironmentFileError(f"{where}: expected a map with name, cluster, chart …")
    try:
        found = msgspec.convert(document, Environment)
    except msgspec.ValidationError as error:
        raise EnvironmentFileError(f"{where}: {_told(str(error))}") from error
    for each in objections(found):
        raise EnvironmentFileError(f"{where}: {each}")
    return found


def missing(environment: Environment, root: Path) -> tuple[str, ...]:
    """What helm needs of the checkout, and is not there."""
    named = {"chart.path": environment.chart.path}
    named |= {f"chart.values[{n}]": each for n, each in enumerate(environment.chart.values)}
    return tuple(
        f"{path} is {value}, which does not exist"
        for path, value in named.items()
        if not (root / value).exists()
    )


def _told(sentence: str) -> str:
    found = _AT.match(sentence)
    if found is None:
        return sentence
    what = found["what"][:1].lower() + found["what"][1:]
    return f"{found['path'] or 'the file'}: {what}"
