"""`sightline simulate`: frames with their truth, as files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sightline.cli.failure import missing


class _Moment(click.ParamType[datetime]):
    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if value == "now":
            return datetime.now(UTC)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is neither a time such as 2026-11-25T10:00:00Z nor now", param, ctx
            )
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no time zone: add Z or an offset", param, ctx)
        return moment.astimezone(UTC)


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--frames", type=click.IntRange(1, 1_000_000), default=30, show_default=True)
@click.option("--rate", type=click.FloatRange(0.01, 1000), default=2.0, show_default=True,
              help="Frames a second of simulated time, of all cameras together.")  # fmt: skip
@click.option("--cameras", type=click.IntRange(1, 32), default=3, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, show_default=True)
@click.option("--start", type=_Moment(), metavar="TIME",
              help="When the first frame was taken: RFC 3339, or now.")  # fmt: skip
def simulate(
    directory: Path, *, frames: int, rate: float, cameras: int, seed: int, start: datetime | None
) -> None:
    """Write simulated frames to DIRECTORY: a JPEG each, and beside it the sensor and the truth."""
    try:
        from sightline.simulator import (  # noqa: PLC0415 - an extra
            START,
            Scenario,
            Simulator,
            export,
        )
    except ImportError as error:
        raise missing(error, "simulator") from error
    simulator = Simulator(Scenario.default(seed=seed, cameras=cameras))
    pictures = export(simulator, directory, frames=frames, rate_hz=rate, start=start or START)
    click.echo(f"{len(pictures)} frames in {directory}")
