"""`sightline demo`: watch frames become tracks in a real TAK server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table

from sightline.cli import exits
from sightline.cli.duration import Duration
from sightline.cli.failure import Failure, missing

if TYPE_CHECKING:
    from sightline.demo.plan import Plan
    from sightline.demo.report import Report
    from sightline.demo.run import Outcome
    from sightline.demo.stream import Show

_LINE_SECONDS = 5.0


def _tak(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    from sightline.demo.errors import DemoError  # noqa: PLC0415 - after --help
    from sightline.demo.plan import tak_address  # noqa: PLC0415

    if value is not None:
        try:
            tak_address(value)
        except DemoError as error:
            raise click.BadParameter(str(error).removeprefix("--tak: "), ctx, param) from error
    return value


@click.command()
@click.option("--for", "seconds", type=Duration(), help="Stop after 30s, 2m, 1h.")
@click.option("--frames", type=click.IntRange(1, 10_000_000), help="Stop after so many frames.")
@click.option("--rate", type=click.FloatRange(0.1, 1000), default=10.0, show_default=True,
              help="Frames a second, of all cameras together.")  # fmt: skip
@click.option("--cameras", type=click.IntRange(1, 32), default=3, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, show_default=True,
              help="The same seed is the same scene, flight and noise.")  # fmt: skip
@click.option("--headless", is_flag=True, help="Plain lines instead of the live view.")
@click.option("--report", "report_file", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the report here, as JSON.")  # fmt: skip
@click.option("--tak", metavar="tcp://HOST:PORT", callback=_tak,
              help="Send to this TAK server instead of starting one.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Keep the folder with logs and database.")
@click.pass_obj
def demo(began: float | None, /, report_file: Path | None, headless: bool, **asked: Any) -> None:
    """Start a TAK server, the gateway, the detection service and a simulator, and measure them."""
    try:
        from sightline.demo.plan import Plan  # noqa: PLC0415 - after --help
    except ImportError as error:
        raise missing(error, "demo") from error
    if report_file is not None and not report_file.absolute().parent.is_dir():
        raise Failure(f"--report: the folder {report_file.parent} does not exist", code=exits.USAGE)
    console = Console(stderr=True)
    plan = Plan(rate_hz=asked.pop("rate"), **asked)
    live = not headless and sys.stdout.isatty()
    outcome = _run(plan, console, live=live, began=began or time.monotonic())
    if report_file is not None:
        text = msgspec.json.format(msgspec.json.encode(outcome.report), indent=2) + b"\n"
        _write_whole(report_file, text)
    _summary(console, outcome.report)
    if outcome.folder is not None:
        console.print(f"kept: {outcome.folder}")
    if outcome.interrupted:
        raise click.exceptions.Exit(exits.INTERRUPTED)
    if outcome.report.lost or outcome.report.failed or not outcome.report.frames:
        raise click.exceptions.Exit(exits.FAILED)


def _run(plan: Plan, console: Console, *, live: bool, began: float) -> Outcome:
    """Run it; whatever goes wrong is one sentence and an exit code."""
    try:
        from sightline.demo.errors import (  # noqa: PLC0415 - after --help
            DeadChildError,
            DemoError,
            MissingPieceError,
        )
        from sightline.demo.run import run  # noqa: PLC0415
    except ImportError as error:
        raise missing(error, "demo") from error
    try:
        with _display(live) as show:
            return asyncio.run(run(plan, show=show, say=console.print, began=began))
    except MissingPieceError as error:
        raise Failure(str(error), code=exits.MISSING) from error
    except DeadChildError as error:
        raise Failure(str(error), code=exits.CHILD_DIED) from error
    except DemoError as error:
        raise Failure(str(error)) from error


@contextlib.contextmanager
def _display(live: bool) -> Iterator[Show]:
    """How snapshots are shown: drawn in place, or a plain line every few seconds."""
    from sightline.demo.view import Snapshot, draw, line  # noqa: PLC0415 - after --help

    if live:
        with Live(console=Console(), auto_refresh=False, transient=False) as screen:
            yield lambda shot: screen.update(draw(shot), refresh=True)
        return
    last = -_LINE_SECONDS

    def show(shot: Snapshot) -> None:
        nonlocal last
        if shot.seconds - last >= _LINE_SECONDS:
            last = shot.seconds
            click.echo(line(shot), err=True)

    yield show


def _summary(console: Console, report: Report) -> None:
    """What to remember of it."""
    table = Table.grid(padding=(0, 2))

    def number(value: float | None, unit: str = "") -> str:
        return "–" if value is None else f"{value:g}{unit}"

    tak, commit = report.latency_ms.frame_to_tak, report.latency_ms.frame_to_commit
    rows = (
        ("frames", f"{report.frames} in {report.duration_s:g} s, {report.failed} failed"),
        (
            "detections",
            f"{report.detections}: {report.placed} placed,"
            f" {sum(report.unplaced.values())} unplaced",
        ),
        (
            "delivery",
            f"{report.committed} committed, {report.acknowledged} acknowledged,"
            f" {report.received} seen by an independent TAK client, {report.lost} lost",
        ),
        (
            "latency",
            f"frame → commit p50 {number(commit.p50)} p95 {number(commit.p95)} ms;"
            f" frame → TAK p50 {number(tak.p50)} p95 {number(tak.p95)} ms",
        ),
        (
            "ground error",
            f"median {number(report.ground_error_m.p50, ' m')}"
            f" (predicted {number(report.expected_error_m, ' m')}),"
            f" {number(report.inside_ce90)} of {report.scored_fixes} inside CE90",
        ),
        ("detector", f"recall {number(report.recall)}, precision {number(report.precision)}"),
        ("first CoT", f"{number(report.first_cot_s, ' s')} after the command started"),
    )
    for name, value in rows:
        table.add_row(f"[dim]{name}[/dim]", value)
    console.print(table)


def _write_whole(path: Path, data: bytes) -> None:
    """All of it or nothing."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)
