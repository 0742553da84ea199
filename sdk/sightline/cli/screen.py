"""What `sightline detect` shows: tables on stdout; on a terminal, how far it has come on stderr."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sightline.cli.looking import Seen, Tally
from sightline.messages import Placement


class Screen:
    """Shows each picture as it is told of it. Without `bar`, there are lines and nothing moves."""

    def __init__(self, total: int, *, bar: bool) -> None:
        self._bar: Progress | None = None
        if bar:
            self._bar = Progress(
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]:.1f} images/s, {task.fields[failed]} failed"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
                # rich would send what is meant for a pipe to the terminal instead.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._bar.add_task("", total=total, rate=0.0, failed=0)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def table(self, seen: Seen) -> None:
        """What was seen in a picture."""
        if seen.result is not None:
            # Where both are one terminal, what is printed must go above the bar.
            above = self._bar is not None and sys.stdout.isatty()
            console = self._bar.console if above and self._bar is not None else Console()
            console.print(_table(seen))

    def say(self, sentence: str) -> None:
        """A line on stderr."""
        if self._bar is not None:
            self._bar.console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(sentence, err=True)

    def advance(self, tally: Tally, *, seconds: float) -> None:
        """So many are done."""
        if self._bar is not None:
            rate = tally.images / seconds if seconds > 0 else 0.0
            self._bar.update(self._task, completed=tally.images, rate=rate, failed=tally.failed)


def is_watched() -> bool:
    """Whether somebody looks at stderr."""
    return sys.stderr.isatty() and not os.environ.get("CI")


def _table(seen: Seen) -> Table:
    result = seen.result
    assert result is not None
    table = Table(
        title=f"{seen.path} ({result.image.width}x{result.image.height})", title_justify="left"
    )
    for name in ("class", "confidence", "x1", "y1", "x2", "y2", "where"):
        table.add_column(name, justify="left" if name in ("class", "where") else "right")
    for each in result.detections:
        box = each.box
        table.add_row(
            each.class_name,
            f"{each.confidence:.2f}",
            *(f"{value:.0f}" for value in (box.x1, box.y1, box.x2, box.y2)),
            f"{each.event.position.latitude:.6f}, {each.event.position.longitude:.6f}"
            if isinstance(each.event, Placement)
            else "",
        )
    return table
