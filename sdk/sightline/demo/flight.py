"""Simulated drones that fly until they are ended, over services that run already."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.client import AsyncClient, ClientError
from sightline.demo.plan import Plan
from sightline.demo.stream import send

if TYPE_CHECKING:
    from sightline.simulator import SimulatedFrame, Simulator

_TELL_SECONDS = 10.0


@dataclass(kw_only=True)
class Count:
    """What became of the frames so far."""

    frames: int = 0
    detections: int = 0
    committed: int = 0
    """Frames that the gateway has on its disk."""
    failed: int = 0
    fresh: int = 0
    """Of those, since it was last told."""
    problem: str | None = None
    """Of the last one that failed."""


async def fly(
    plan: Plan, simulator: Simulator, client: AsyncClient, *, tell: Callable[[Count], None]
) -> tuple[Count, bool]:
    """Post frames at the plan's rate; the count, and whether it was ended before it was done.

    A frame that fails is counted, and the flight goes on: services come and go. `tell` gets the
    count every ten seconds and at the end.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    count = Count()

    async def post(shot: SimulatedFrame) -> None:
        try:
            result = await client.detect(shot.jpeg, frame=shot.frame)
        except ClientError as error:
            count.failed += 1
            count.fresh += 1
            count.problem = str(error)
        else:
            count.frames += 1
            count.detections += len(result.detections)
            count.committed += result.committed

    def told() -> None:
        tell(count)
        count.fresh = 0

    async def telling() -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            told()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    teller = asyncio.create_task(telling())
    try:
        ended = await send(plan, simulator, post, stop=stop, watching=teller)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        teller.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await teller
    told()
    return count, ended
