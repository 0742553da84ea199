"""The gateway against real TAK peers: what it acknowledged arrives, whatever happens between."""

from __future__ import annotations

import asyncio
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from xml.etree import ElementTree as ET

import pytest

from running import Gateway, TakClient, Taky, free_port, report, started, wait_for


@pytest.fixture
def taky(tmp_path):
    with started(Taky(tmp_path)) as server:
        yield server


def expected(frames, cars=2, camera="drone-1"):
    return [(camera, frame, index) for frame in frames for index in range(cars)]


def test_a_frame_arrives_in_taky_and_the_cursor_follows(tmp_path, taky):
    client = TakClient(taky.port)
    with started(Gateway(tmp_path, sink=taky.url)) as gateway:
        answer = gateway.post(report("1"))
        assert answer.status == 201
        wait_for(lambda: len(client.sightings()) == 2, what="both cars in TAK")
        placed = {each["uid"]: each for each in answer.json["results"]}
        for event in client.events:
            root = ET.fromstring(event)
            if root.get("uid") not in placed:
                continue
            told = placed[root.get("uid")]
            point = root.find("point").attrib
            assert root.get("type") == told["cot_type"] == "a-u-G-E-V-C"
            assert root.get("how") == "m-i"
            # taky writes six places, a tenth of a metre; what we send has seven.
            assert float(point["lat"]) == pytest.approx(told["position"]["latitude"], abs=6e-7)
            assert float(point["lon"]) == pytest.approx(told["position"]["longitude"], abs=6e-7)
            assert float(point["hae"]) == pytest.approx(400.0, abs=0.01)
            assert float(point["ce"]) == pytest.approx(told["ce90_m"], abs=0.06)
        wait_for(lambda: gateway.get("/v1/sinks")["sinks"][0]["lag_events"] == 0, what="pong")
        sink = gateway.get("/v1/sinks")["sinks"][0]
        assert sink["state"] == "connected"
        assert sink["acknowledges"] is True
        # Two cars, the drone itself and where it looks.
        assert sink["acknowledged"] == sink["sent"] == 4
    types = {ET.fromstring(event).get("type") for event in client.events}
    assert {"a-u-A-M-H-Q", "b-m-p-s-p-i"} <= types
    client.close()


def test_the_same_frame_again_gets_the_same_answer_and_nothing_twice(tmp_path, taky):
    client = TakClient(taky.port)
    with started(Gateway(tmp_path, sink=taky.url)) as gateway:
        first = report("1")
        once = gateway.post(first)
        with ThreadPoolExecutor(8) as pool:
            again = list(pool.map(lambda _: gateway.post(first), range(16)))
        assert {answer.status for answer in again} == {201}
        assert {answer.body for answer in again} == {once.body}
        assert all(answer.headers["sightline-duplicate"] == "true" for answer in again)
        # And at the very same moment, before any of them is committed.
        second = report("2")
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda _: gateway.post(second), range(16)))
        assert len({answer.body for answer in together}) == 1
        assert sum("sightline-duplicate" not in each.headers for each in together) == 1
        gateway.post(report("3"))
        wait_for(lambda: ("drone-1", "3", 1) in client.sightings(), what="the last frame")
        assert client.sightings() == expected(["1", "2", "3"])
    client.close()


def test_after_a_restart_the_same_frame_is_still_known_and_the_track_keeps_its_uid(tmp_path, taky):
    gateway = Gateway(tmp_path, sink=taky.url)
    with started(gateway):
        first = report("1")
        once = gateway.post(first)
    assert gateway.popen.returncode == 0
    with started(gateway):
        assert gateway.post(first).body == once.body
        later = gateway.post(report("2"))
        assert [each["uid"] for each in later.json["results"]] == [
            each["uid"] for each in once.json["results"]
        ]


def test_while_the_tak_server_is_down_frames_are_taken_and_then_delivered_in_order(tmp_path):
    port = free_port()
    taky = Taky(tmp_path, port)
    gateway = Gateway(
        tmp_path,
        sinks=f'[{{"name": "tak", "url": "{taky.url}", "backoff_max_seconds": 0.5}}]',
    )
    with started(gateway):
        frames = [str(n) for n in range(300)]
        for frame in frames[:150]:
            assert gateway.post(report(frame)).status == 201
        sink = gateway.get("/v1/sinks")["sinks"][0]
        assert sink["state"] in ("backing_off", "connecting")
        assert sink["last_error"]
        assert sink["lag_events"] >= 300
        with started(taky):
            client = TakClient(port)
            for frame in frames[150:]:
                assert gateway.post(report(frame)).status == 201
            wait_for(lambda: gateway.get("/v1/sinks")["sinks"][0]["lag_events"] == 0)
            # The server has read it all; to our client it goes on a moment later.
            wait_for(lambda: client.sightings()[-1:] == expected(frames)[-1:], what="the last one")
            seen = client.sightings()
            client.close()
    # The gateway may have been quicker than our client; what came, came once and in order.
    assert seen == expected(frames)[-len(seen) :]
    assert len(seen) >= 300


async def test_connections_that_break_at_random_bytes_lose_nothing_and_keep_the_order(tmp_path):
    """A peer that reads some bytes, perhaps pongs, and resets: over and over."""
    rng = random.Random(11)
    lives: list[bytearray] = []

    async def fickle(reader, writer):
        life = bytearray()
        lives.append(life)
        patience = rng.randrange(2_000, 60_000) if len(lives) < 30 else 1 << 40
        while len(life) < patience and (data := await reader.read(rng.randrange(1, 4_096))):
            pings = len(re.findall(rb'type="t-x-c-t"', life))
            life += data
            for _ in range(len(re.findall(rb'type="t-x-c-t"', life)) - pings):
                writer.write(b'<event uid="takPong" type="t-x-c-t-r"></event>')
        if rng.random() < 0.7:
            await writer.drain()
            await asyncio.sleep(0.02)  # its pongs get through before it goes
        writer.transport.abort()

    server = await asyncio.start_server(fickle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway = Gateway(
        tmp_path,
        sinks=f'[{{"name": "tak", "url": "tcp://127.0.0.1:{port}", "backoff_max_seconds": 0.1}}]',
    )
    with started(gateway):
        frames = [str(n) for n in range(300)]
        for frame in frames:
            await asyncio.to_thread(gateway.post, report(frame))

        async def sink():
            return (await asyncio.to_thread(gateway.get, "/v1/sinks"))["sinks"][0]

        deadline = asyncio.get_running_loop().time() + 60
        while (await sink())["lag_events"] and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.1)
        assert (await sink())["lag_events"] == 0
        assert (await sink())["reconnects"] >= 5
    server.close()
    sighting = re.compile(rb'frame="(\d+)" detection="(\d)"[^>]*/>.*?</event>', re.DOTALL)
    whole = [
        [(int(frame), int(index)) for frame, index in sighting.findall(life)] for life in lives
    ]
    for life in whole:
        assert life == sorted(life)
    first_seen = list(dict.fromkeys(each for life in whole for each in life))
    assert first_seen == [(frame, index) for frame in range(300) for index in range(2)]


def test_killed_at_random_moments_everything_acknowledged_reaches_tak(tmp_path, taky):
    """Twenty-five rounds of kill -9 during intake: every 201 arrives after the restart."""
    rng = random.Random(4)
    client = TakClient(taky.port)
    gateway = Gateway(tmp_path, sink=taky.url, log_level="warning")
    acknowledged: list[tuple[str, str]] = []
    rounds = 25
    for number in range(rounds):
        gateway.start()
        stop = threading.Event()

        def pump(camera: str, first: int, stop: threading.Event = stop) -> None:
            frame = first
            while not stop.is_set():
                try:
                    answer = gateway.post(report(str(frame), camera=camera))
                except (OSError, HTTPException):
                    return
                if answer.status == 201:
                    acknowledged.append((camera, str(frame)))
                frame += 1

        threads = [
            threading.Thread(target=pump, args=(f"camera-{i}", number * 100_000)) for i in range(4)
        ]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.02, 0.35))
        gateway.kill()
        stop.set()
        for thread in threads:
            thread.join()
    assert len(acknowledged) > rounds
    with started(gateway):
        wait_for(lambda: gateway.get("/v1/sinks")["sinks"][0]["lag_events"] == 0, what="delivery")
        wait_for(
            lambda: (
                {(camera, frame) for camera, frame, _ in client.sightings()} >= set(acknowledged)
            ),
            what="every acknowledged frame in TAK",
        )
        seen = set(client.sightings())
        missing = [
            (camera, frame, index)
            for camera, frame in acknowledged
            for index in range(2)
            if (camera, frame, index) not in seen
        ]
        assert missing == []
        # Each camera's first sightings are in order: repeats may follow, gaps and swaps may not.
        for camera in {camera for camera, _ in acknowledged}:
            order = list(dict.fromkeys(int(f) for c, f, _ in client.sightings() if c == camera))
            assert order == sorted(order)
    client.close()


async def test_a_peer_that_never_pongs_is_reconnected_to_and_nothing_counts_as_delivered(tmp_path):
    connections = 0

    async def silent(reader, writer):
        nonlocal connections
        connections += 1
        while await reader.read(65_536):
            pass
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gateway = Gateway(
        tmp_path,
        sinks=f'[{{"name": "mute", "url": "tcp://127.0.0.1:{port}", "pong_seconds": 0.3,'
        ' "backoff_max_seconds": 0.2}, {"name": "trusting", "acknowledge": "send",'
        f' "url": "tcp://127.0.0.1:{port}"}}]',
    )
    with started(gateway):
        await asyncio.to_thread(gateway.post, report("1"))
        deadline = asyncio.get_running_loop().time() + 10
        while connections < 4 and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        sinks = (await asyncio.to_thread(gateway.get, "/v1/sinks"))["sinks"]
        assert connections >= 4
        mute, trusting = sinks
        assert "pong" in (mute["last_error"] or "")
        assert mute["acknowledged"] == 0
        assert mute["lag_events"] == 4
        assert trusting["acknowledges"] is False
        assert trusting["lag_events"] == 0
    server.close()
