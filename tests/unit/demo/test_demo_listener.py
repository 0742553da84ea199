"""The independent TAK client, against a real TAK server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from running import Taky, started
from sightline.demo.listener import Arrivals, Sighting, listen, sighting_of

SECONDS = 10.0


def event(detection: int, *, frame: str = "f-1", own: str | None = None) -> bytes:
    now = datetime.now(UTC)
    time_, stale = (
        f"{moment:%Y-%m-%dT%H:%M:%S}.000Z" for moment in (now, now + timedelta(seconds=60))
    )
    if own is None:
        own = f'<__sightline camera="drone-1" frame="{frame}" detection="{detection}" class="car"/>'
    return (
        f'<event version="2.0" uid="track-{detection}" type="a-u-G" how="m-s" time="{time_}"'
        f' start="{time_}" stale="{stale}"><point lat="47.1" lon="8.1" hae="455.0" ce="5.0"'
        f' le="1.0"/><detail>{own}</detail></event>'
    ).encode()


def sighting(detection: int, frame: str = "f-1") -> Sighting:
    return Sighting(camera_id="drone-1", frame_id=frame, detection=detection)


@pytest.fixture
def taky(tmp_path: Path) -> Iterator[Taky]:
    with started(Taky(tmp_path)) as server:
        yield server


@contextlib.asynccontextmanager
async def listening(port: int) -> AsyncIterator[Arrivals]:
    arrivals, up = Arrivals(), asyncio.Event()
    task = asyncio.create_task(listen("127.0.0.1", port, arrivals, time.monotonic, up))
    try:
        async with asyncio.timeout(SECONDS):
            await up.wait()
        # The server has the connection; it also needs to have taken it in before we send.
        await asyncio.sleep(0.3)
        yield arrivals
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def test_every_event_that_another_client_sends_is_noted_once(taky: Taky) -> None:
    async with listening(taky.port) as arrivals:
        before = time.monotonic()
        with socket.create_connection(("127.0.0.1", taky.port)) as sender:
            sender.sendall(b"".join(event(number) for number in range(300)))
            await until(lambda: len(arrivals.first) == 300)
        assert set(arrivals.first) == {sighting(number) for number in range(300)}
        assert arrivals.repeated == 0
        assert all(before <= moment <= time.monotonic() for moment in arrivals.first.values())


async def test_an_event_that_comes_again_keeps_its_first_moment(taky: Taky) -> None:
    async with listening(taky.port) as arrivals:
        with socket.create_connection(("127.0.0.1", taky.port)) as sender:
            sender.sendall(event(1))
            await until(lambda: sighting(1) in arrivals.first)
            moment = arrivals.first[sighting(1)]
            sender.sendall(event(1))
            await until(lambda: arrivals.repeated == 1)
        assert arrivals.first == {sighting(1): moment}


async def test_an_event_in_pieces_is_one_event() -> None:
    """Byte by byte, as no server would, and every server may."""
    data = event(1) + event(2)

    async def dribble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for i in range(len(data)):
            writer.write(data[i : i + 1])
            await writer.drain()
        await asyncio.sleep(SECONDS)

    server = await asyncio.start_server(dribble, "127.0.0.1", 0)
    async with server, listening(server.sockets[0].getsockname()[1]) as arrivals:
        await until(lambda: len(arrivals.first) == 2)
        server.close()


async def test_it_connects_again_when_the_server_was_away(taky: Taky) -> None:
    async with listening(taky.port) as arrivals:
        taky.kill()
        taky.start()

        def sent_and_arrived() -> bool:
            with socket.create_connection(("127.0.0.1", taky.port)) as sender:
                sender.sendall(event(7))
                time.sleep(0.2)
            return sighting(7) in arrivals.first

        async with asyncio.timeout(SECONDS):
            while not await asyncio.to_thread(sent_and_arrived):
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "own",
    [
        pytest.param("", id="somebody else's"),
        pytest.param('<__sightline camera="drone-1" frame="f-1"/>', id="the camera itself"),
        pytest.param('<__sightline camera="a" frame="b" detection="x"/>', id="no number"),
        pytest.param('<__sightlines camera="a" frame="b" detection="1"/>', id="another element"),
    ],
)
def test_what_is_no_sighting_of_ours_is_none(own: str) -> None:
    assert sighting_of(event(1, own=own)) is None


def test_a_sighting_is_camera_frame_and_detection() -> None:
    own = '<__sightline version="1" detection="12" frame="a/b:c" camera="mast+3"></__sightline>'
    assert sighting_of(event(0, own=own)) == Sighting(
        camera_id="mast+3", frame_id="a/b:c", detection=12
    )
