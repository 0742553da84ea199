"""Frames through the running system, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
from msgspec import structs

from sightline import client
from sightline.demo.plan import Plan
from sightline.demo.scoring import score
from sightline.demo.stage import Stage
from sightline.demo.tally import Tally
from sightline.demo.view import Snapshot, snapshot
from sightline.messages import DetectResult, Event, EventList, SinkList, SinkState

if TYPE_CHECKING:
    from sightline.simulator import SimulatedFrame, Simulator

_IN_FLIGHT = 4
_LOOK_SECONDS = 0.5
_SETTLE_SECONDS = 30.0

Show = Callable[[Snapshot], None]


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
    async with asyncio.TaskGroup() as posts:
        while index < limit and loop.time() < deadline and not stop.is_set():
            if watching.done():
                break
            seconds = index / plan.rate_hz
            shot = await asyncio.to_thread(
                simulator.frame, cameras[index % len(cameras)], seconds, index=index, start=start
            )
            shot = replace(
                shot, frame=structs.replace(shot.frame, frame_id=f"{run}-{shot.frame.frame_id}")
            )
            await _wait(stop, clock_start + seconds - loop.time())
            await free.acquire()
            posts.create_task(post(shot)).add_done_callback(lambda _: free.release())
            index += 1
    if watching.done():
        watching.result()
    return stop.is_set() and (plan.frames is not None or plan.seconds is not None)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    if seconds > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()


async def post(stage: Stage, http: httpx.AsyncClient, shot: SimulatedFrame, tally: Tally) -> None:
    """One frame in, its answer into the tally."""
    began = time.monotonic()
    try:
        answer = await http.post(
            f"{stage.detection_url}/v1/detect", files=client.parts(shot.jpeg, shot.frame)
        )
        result = client.read(answer, DetectResult)
    except (httpx.HTTPError, client.ClientError) as error:
        tally.failure(str(error) or type(error).__name__)
        return
    ended = time.monotonic()
    if not result.committed:
        tally.failure("a frame was answered without being committed")
        return
    tally.answer(result, score(result.detections, shot.truth), began=began, ended=ended)


async def settle(stage: Stage, http: httpx.AsyncClient, tally: Tally) -> tuple[int, int]:
    """Wait for what is under way; how many sightings were sent, and how many acknowledged."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _SETTLE_SECONDS
    while True:
        sink = (await sinks_of(stage, http))[0]
        if sink.lag_events == 0 and tally.received == tally.placed:
            break
        if loop.time() > deadline:
            break
        for child in stage.children:
            child.check()
        await asyncio.sleep(0.1)
    waiting = await events_after(stage, http, sink.cursor)
    unsent = sum(event.sequence > sink.sent_cursor for event in waiting)
    return tally.placed - unsent, tally.placed - len(waiting)


async def sinks_of(stage: Stage, http: httpx.AsyncClient) -> tuple[SinkState, ...]:
    """What the gateway says of its sinks."""
    answer = await http.get(f"{stage.gateway_url}/v1/sinks")
    return client.read(answer, SinkList).sinks


async def events_after(stage: Stage, http: httpx.AsyncClient, since: int) -> list[Event]:
    """Every event after a sequence, oldest first."""
    events: list[Event] = []
    after: int | None = since
    while after is not None:
        answer = await http.get(
            f"{stage.gateway_url}/v1/events", params={"since": after, "limit": 1000}
        )
        page = client.read(answer, EventList)
        events.extend(page.events)
        after = page.next
    return events


class Watch:
    """Looks at the children and the gateway twice a second and shows what it sees."""

    def __init__(
        self, stage: Stage, http: httpx.AsyncClient, tally: Tally, *, show: Show, began: float
    ) -> None:
        self._stage = stage
        self._http = http
        self._tally = tally
        self._show = show
        self._began = began

    async def run(self) -> None:
        """Until cancelled; raises DeadChildError when a child has ended."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for child in self._stage.children:
                child.check()
            with contextlib.suppress(httpx.HTTPError, client.ClientError):
                await self.look()

    async def look(self) -> None:
        """Show the present state."""
        sinks = await sinks_of(self._stage, self._http)
        answer = await self._http.get(f"{self._stage.gateway_url}/v1/events", params={"limit": 8})
        events = client.read(answer, EventList).events
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
