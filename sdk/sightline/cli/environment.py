"""`--env NAME`: the environment that a command acts on, from the checkout around us."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli import exits
from sightline.cli.failure import Failure, missing

if TYPE_CHECKING:
    from sightline.environments import Environment


def _complete(_context: click.Context, _option: click.Parameter, begun: str) -> list[str]:
    """The names that there are."""
    folder = checkout() / "environments"
    return sorted(each.stem for each in folder.glob("*.yaml") if each.stem.startswith(begun))


env_option = click.option(
    "--env", "env", metavar="NAME", envvar="SIGHTLINE_ENV", shell_complete=_complete,
    help="environments/NAME.yaml of this checkout, or a file (or SIGHTLINE_ENV).",
)  # fmt: skip
required_env_option = click.option(
    "--env", "env", metavar="NAME", envvar="SIGHTLINE_ENV", shell_complete=_complete, required=True,
    help="environments/NAME.yaml of this checkout, or a file (or SIGHTLINE_ENV).",
)  # fmt: skip


def checkout(start: Path | None = None) -> Path:
    """The folder with environments/, here or above; here, where there is none."""
    here = (start or Path.cwd()).absolute()
    for each in (here, *here.parents):
        if (each / "environments").is_dir():
            return each
    return here


def environment(name: str) -> Environment:
    """Read and checked. Raises Failure."""
    try:
        from sightline.environments import EnvironmentFileError, load  # noqa: PLC0415 - after --help
    except ImportError as error:
        raise missing(error, "deploy") from error
    try:
        return load(name, root=checkout())
    except EnvironmentFileError as error:
        raise Failure(str(error), code=exits.USAGE) from error


def chosen(name: str | None) -> Environment | None:
    """The same, where one is named."""
    return None if name is None else environment(name)
