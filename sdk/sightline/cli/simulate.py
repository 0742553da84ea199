"""`sightline simulate`: frames with their truth, as files."""

from __future__ import annotations

from pathlib import Path

import click

from sightline.cli.failure import missing


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--frames", type=click.IntRange(1, 1_000_000), default=30, show_default=True)
@click.option("--rate", type=click.FloatRange(0.01, 1000), default=2.0, show_default=True,
              help="Frames a second of simulated time, of all cameras together.")  # fmt: skip
@click.option("--cameras", type=click.IntRange(1, 32), default=3, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, show_default=True)
def simulate(directory: Path, frames: int, rate: float, cameras: int, seed: int) -> None:
    """Write simulated frames to DIRECTORY: a JPEG each, and beside it the sensor and the truth."""
    try:
        from sightline.simulator import Scenario, Simulator, export  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing(error, "simulator") from error
    simulator = Simulator(Scenario.default(seed=seed, cameras=cameras))
    pictures = export(simulator, directory, frames=frames, rate_hz=rate)
    click.echo(f"{len(pictures)} frames in {directory}")
