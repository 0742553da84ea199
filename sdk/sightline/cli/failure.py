"""How a command says that it failed: one sentence on stderr and an exit code."""

from __future__ import annotations

from typing import IO, Any

import click

from sightline.cli import exits


class Failure(click.ClickException):
    """Shown as `sightline: SENTENCE`."""

    def __init__(self, sentence: str, *, code: int = exits.FAILED) -> None:
        super().__init__(sentence)
        # click reads it off the instance, and declares it on the class.
        setattr(self, "exit_code", code)  # noqa: B010

    def show(self, file: IO[Any] | None = None) -> None:
        """Say it."""
        click.echo(f"sightline: {self.message}", err=file is None, file=file)


def missing(error: ImportError, extra: str) -> Failure:
    """A package of an extra is not installed."""
    return Failure(
        f"{error.name} is not installed: pip install 'sightline[{extra}]'", code=exits.MISSING
    )
