"""Frames through the running system, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from msgspec import structs

from sightline.client import AsyncClient, ClientError
from sightline.demo.plan import Plan
from sightline.demo.scoring import score
from sightline.demo.stage import Stage
from sightline.demo.tally import Tally
from sightline.demo.view import Snapshot, snapshot
from sightline.messages import Event

if TYPE_CHECKING:
    from sightline.simulator import SimulatedFrame, Simulator

_IN_FLIGHT = 4
_LOOK_SECONDS = 0.5
_SETTLE_SECONDS = 30.0
_PAGE = 1_000
_SHOWN = 8

Show = Callable[[Snapshot], None]


@dataclass(frozen=True, kw_only=True)
class Services:
    """Both services of a stage, as their clients see them."""

    detection: AsyncClient
    gateway: AsyncClient

    @classmethod
    def of(cls, stage: Stage) -> Self:
        """Those that run on this stage."""
        return cls(
            detection=AsyncClient(stage.detection_url),
            # It is looked at twice a second anyway, and whether it lives is asked in between.
            gateway=AsyncClient(stage.gateway_url, attempts=1),
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self.detection.close()
        await self.gateway.close()


async def send(
    plan: Plan,
    simulator: Simulator,
    post: Callable[[SimulatedFrame], Coroutine[None, None, None]],
    *,
    stop: asyncio.Event,
    watching: asyncio.Task[None],
) -> bool:
    """Render and post frames at the plan's rate; whether it was stopped before it was done."""
    loop = asyncio.get_running_loop()
    free = asyncio.Semaphore(_IN_FLIGHT)
    cameras = [camera.camera_id for camera in simulator.scenario.cameras]
    start, clock_start = datetime.now(UTC), loop.time()
    limit = plan.frames if plan.frames is not None else 1 << 60
    deadline = clock_start + plan.seconds if plan.seconds is not None else float("inf")
    # A TAK server may still hold the same seed's events of an earlier run.
    run = secrets.token_hex(3)
    index = 0
    under_way: set[asyncio.Task[None]] = set()

    def give_up(_watching: asyncio.Task[None]) -> None:
        # Clients ask again for a while; what asks a child that is dead asks in vain.
        for task in under_way:
            task.cancel()

    def ended(task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        free.release()

    watching.add_done_callback(give_up)
    async with asyncio.TaskGroup() as posts:
        while index < limit and loop.time() < deadline and not stop.is_set():
            seconds = index / plan.rate_hz
            shot = await asyncio.to_thread(
                simulator.frame, cameras[index % len(cameras)], seconds, index=index, start=start
            )
            shot = replace(
                shot, frame=structs.replace(shot.frame, frame_id=f"{run}-{shot.frame.frame_id}")
            )
            await _wait(stop, clock_start + seconds - loop.time())
            await free.acquire()
            if watching.done():
                break
            task = posts.create_task(post(shot))
            under_way.add(task)
            task.add_done_callback(ended)
            index += 1
    if watching.done():
        watching.result()
    return stop.is_set() and (plan.frames is not None or plan.seconds is not None)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()


async def post(services: Services, shot: SimulatedFrame, tally: Tally) -> None:
    """One frame in, its answer into the tally."""
    began = time.monotonic()
    try:
        result = await services.detection.detect(shot.jpeg, frame=shot.frame)
    except ClientError as error:
        tally.failure(str(error))
        return
    ended = time.monotonic()
    if not result.committed:
        tally.failure("a frame was answered without being committed")
        return
    tally.answer(result, score(result.detections, shot.truth), began=began, ended=ended)


async def settle(stage: Stage, services: Services, tally: Tally) -> tuple[int, int]:
    """Wait for what is under way; how many sightings were sent, and how many acknowledged."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _SETTLE_SECONDS
    while True:
        sink = (await services.gateway.sinks()).sinks[0]
        if sink.lag_events == 0 and tally.received == tally.placed:
            break
        if loop.time() > deadline:
            break
        for child in stage.children:
            child.check()
        await asyncio.sleep(0.1)
    waiting = await events_after(services.gateway, sink.cursor)
    unsent = sum(event.sequence > sink.sent_cursor for event in waiting)
    return tally.placed - unsent, tally.placed - len(waiting)


async def events_after(gateway: AsyncClient, since: int) -> list[Event]:
    """Every event after a sequence, oldest first."""
    events: list[Event] = []
    after: int | None = since
    while after is not None:
        page = await gateway.events(since=after, limit=_PAGE)
        events.extend(page.events)
        after = page.next
    return events


class Watch:
    """Looks at the children and the gateway twice a second and shows what it sees."""

    def __init__(
        self, stage: Stage, services: Services, tally: Tally, *, show: Show, began: float
    ) -> None:
        self._stage = stage
        self._services = services
        self._tally = tally
        self._show = show
        self._began = began

    async def run(self) -> None:
        """Until cancelled; raises DeadChildError when a child has ended."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for child in self._stage.children:
                child.check()
            with contextlib.suppress(ClientError):
                await self.look()

    async def look(self) -> None:
        """Show the present state."""
        gateway = self._services.gateway
        sinks = (await gateway.sinks()).sinks
        events = (await gateway.events(limit=_SHOWN)).events
        self._show(
            snapshot(
                self._tally,
                now=time.monotonic(),
                began=self._began,
                sinks=sinks,
                events=events,
                map_url=self._stage.map_url,
            )
        )
