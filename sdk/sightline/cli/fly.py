"""`sightline fly`: simulated drones over services that run already."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from sightline.cli import exits
from sightline.cli.duration import Duration
from sightline.cli.failure import Failure, missing
from sightline.cli.keys import key_of, key_option

if TYPE_CHECKING:
    from sightline.demo.flight import Count


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True,
              help="The detection service, which has a gateway.")  # fmt: skip
@key_option
@click.option("--for", "seconds", type=Duration(), help="Stop after 30s, 2m, 1h.")
@click.option("--frames", type=click.IntRange(1, 10_000_000), help="Stop after so many frames.")
@click.option("--rate", type=click.FloatRange(0.1, 1000), default=2.0, show_default=True,
              help="Frames a second, of all cameras together.")  # fmt: skip
@click.option("--cameras", type=click.IntRange(1, 32), default=3, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, show_default=True)
def fly(
    *,
    url: str,
    key_file: Path | None,
    seconds: float | None,
    frames: int | None,
    rate: float,
    cameras: int,
    seed: int,
) -> None:
    """Fly simulated drones, and post what they see, until ended; a JSON line now and then."""
    try:
        from sightline.client import AsyncClient  # noqa: PLC0415 - after --help
        from sightline.demo import flight  # noqa: PLC0415
        from sightline.demo.plan import Plan  # noqa: PLC0415
        from sightline.simulator import Scenario, Simulator  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing(error, "simulator") from error
    plan = Plan(seed=seed, cameras=cameras, rate_hz=rate, frames=frames, seconds=seconds)
    simulator = Simulator(Scenario.default(seed=seed, cameras=cameras))
    key = key_of(key_file)

    async def run() -> tuple[Count, bool]:
        client = AsyncClient(url, key=key)
        try:
            return await flight.fly(plan, simulator, client, tell=_line)
        finally:
            await client.close()

    count, ended = asyncio.run(run())
    if count.failed and not ended:
        raise Failure(f"{count.failed} frames failed, the last one: {count.problem}")
    if ended:
        raise click.exceptions.Exit(exits.INTERRUPTED)


def _line(count: Count) -> None:
    line = {
        "time": datetime.now(UTC).isoformat(),
        "level": "warning" if count.fresh else "info",
        "event": "flight",
        "service": "simulator",
        "frames": count.frames,
        "detections": count.detections,
        "committed": count.committed,
        "failed": count.failed,
        **({"problem": count.problem} if count.fresh else {}),
    }
    click.echo(msgspec.json.encode(line).decode())
