"""What commands that change something have in common: plan first, ask, show progress, one document.

stdout has the result alone: lines for people, or with --json one document. Everything else goes to
stderr: on a terminal with a spinner, elsewhere (CI, a pipe) a plain line for each step.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sightline.cli import exits
from sightline.cli.failure import Failure

if TYPE_CHECKING:
    from rich.status import Status

    from sightline.journal import Watch
    from sightline.steps import Step

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Say what would be done, and do nothing."
)
yes_option = click.option("--yes", "-y", is_flag=True, help="Ask nothing.")


def effect_options(command: Callable[..., None]) -> Callable[..., None]:
    """--dry-run, --yes and --json."""
    return json_option(yes_option(dry_run_option(command)))


def document(value: Any) -> None:
    """The one document on stdout."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def show_plan(steps: Sequence[Step], *, as_json: bool, **also: Any) -> None:
    """What --dry-run shows: a numbered line for each step, or {"plan": [...], ...}."""
    if as_json:
        planned = [{**msgspec.to_builtins(each), "sentence": each.sentence} for each in steps]
        document({"plan": planned, **also})
        return
    if not steps:
        click.echo("nothing to do")
    for number, each in enumerate(steps, 1):
        click.echo(f"{number:>3}. {each.sentence}")


def confirm(question: str, *, yes: bool, typed: str | None = None) -> None:
    """Have it confirmed, by typing a certain word where `typed` says so. Raises Failure, Abort.

    `typed` guards what cannot be undone: --yes does not stand for it, the command's own --confirm
    with the same word does.
    """
    if yes and typed is None:
        return
    if not sys.stdin.isatty():
        how = "say --yes" if typed is None else f"say --confirm {typed}"
        raise Failure(f"{question} Nobody is here to answer: {how}", code=exits.USAGE)
    if typed is None:
        click.confirm(question, abort=True, err=True)
        return
    answer = click.prompt(f"{question} Type {typed!r} to go on", err=True)
    if answer != typed:
        raise Failure(f"{answer!r} is not {typed!r}: nothing was done", code=exits.FAILED)


def _done(seconds: float, problem: str | None) -> str:
    return f"{seconds:.1f} s" if problem is None else problem


class Lines:
    """A line when a step begins, and one when it is over."""

    def __init__(self) -> None:
        self._sentence = ""

    def begin(self, sentence: str) -> None:
        """A step is begun."""
        self._sentence = sentence
        click.echo(f"… {sentence}", err=True)

    def note(self, sentence: str) -> None:
        """Something happened meanwhile."""
        click.echo(f"  {sentence}", err=True)

    def end(self, seconds: float, problem: str | None) -> None:
        """The step is over."""
        mark = "✓" if problem is None else "✗"
        click.echo(f"{mark} {self._sentence}: {_done(seconds, problem)}", err=True)


class Spinner:
    """A spinner for the step that is being taken; a line for each that is over."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._sentence = ""

    def begin(self, sentence: str) -> None:
        """A step is begun."""
        from rich.markup import escape  # noqa: PLC0415 - after --help

        self._sentence = escape(sentence)
        self._status.update(self._sentence)
        self._status.start()

    def note(self, sentence: str) -> None:
        """Something happened meanwhile."""
        from rich.markup import escape  # noqa: PLC0415

        self._status.console.print(f"  [dim]{escape(sentence)}[/]", highlight=False)

    def end(self, seconds: float, problem: str | None) -> None:
        """The step is over."""
        from rich.markup import escape  # noqa: PLC0415

        mark = "[green]✓[/]" if problem is None else "[red]✗[/]"
        told = escape(_done(seconds, problem))
        # At rest between steps: a question may be asked there.
        self._status.stop()
        self._status.console.print(f"{mark} {self._sentence} [dim]{told}[/]", highlight=False)


@contextlib.contextmanager
def progress() -> Iterator[Watch]:
    """For people who look on: a spinner on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty() or "CI" in os.environ:
        yield Lines()
        return
    from rich.console import Console  # noqa: PLC0415 - after --help

    status = Console(stderr=True).status("")
    try:
        yield Spinner(status)
    finally:
        status.stop()
