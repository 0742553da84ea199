"""Whatever is killed, cut off or full: what was acknowledged with 201 reaches every sink, in order.

Each case keeps a set of acknowledged frames; afterwards an independent TAK client must have seen
every detection of them, each camera's in order, and none that nobody sent.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

import psycopg
import pytest

from running import (
    Gateway,
    Postgres,
    TakClient,
    Taky,
    http,
    report,
    started,
    wait_for,
)

CARS = 2


@pytest.fixture
def taky(tmp_path: Path) -> Iterator[Taky]:
    with started(Taky(tmp_path)) as server:
        yield server


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with started(Postgres(tmp_path_factory.mktemp("server"))) as server:
        yield server


@dataclass
class Producers:
    """Cameras that send frame after frame, each to the gateways in turn, until they are stopped.

    A frame that was not acknowledged is sent again, to the next gateway, before the one after it.
    """

    gateways: list[Gateway]
    cameras: int = 3
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    refused: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._stop.clear()
        self._threads = [
            threading.Thread(target=self._run, args=(f"camera-{i}",)) for i in range(self.cameras)
        ]
        for thread in self._threads:
            thread.start()

    def get_on(self, frames: int) -> None:
        """Return once so many more frames are acknowledged."""
        before = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) > before + frames, what=f"{frames} more frames")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, camera: str) -> None:
        sent = sum(name == camera for name, _ in self.acknowledged)
        turn = 0
        while not self._stop.is_set():
            gateway = self.gateways[turn % len(self.gateways)]
            try:
                answer = gateway.post(report(str(sent), camera=camera, cars=CARS))
            except (OSError, HTTPException):
                turn += 1
                time.sleep(0.01)
                continue
            if answer.status == 201:
                self.acknowledged.append((camera, str(sent)))
                sent += 1
            else:
                self.refused += 1
                assert answer.status in (503, 507), answer.body
                turn += 1
                time.sleep(0.01)


def arrived(client: TakClient, acknowledged: list[tuple[str, str]]) -> None:
    """Every detection of every acknowledged frame, each camera's frames in order."""
    expected = {(camera, frame, index) for camera, frame in acknowledged for index in range(CARS)}
    wait_for(
        lambda: expected <= set(client.sightings()), seconds=60,
        what=f"all of {len(expected)} sightings",
    )  # fmt: skip
    seen = client.sightings()
    for camera in {camera for camera, _ in acknowledged}:
        order = list(dict.fromkeys(int(frame) for c, frame, _ in seen if c == camera))
        assert order == sorted(order)
        # One that was committed and whose answer was lost is sent again, and is the same frame.
        assert order == list(range(len(order)))


def delivered(gateway: Gateway) -> None:
    wait_for(lambda: gateway.get("/v1/sinks/tak")["lag_events"] == 0, seconds=60, what="delivery")


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_killed_at_a_hundred_random_points(
    tmp_path: Path, taky: Taky, store: str, request: pytest.FixtureRequest
) -> None:
    """kill -9 in the middle of intake and delivery; fifty times with each store."""
    settings = {"log_level": "warning"}
    if store == "postgres":
        settings["database"] = request.getfixturevalue("postgres").create("crashes")
    rng = random.Random(store)
    gateway = Gateway(tmp_path, sink=taky.url, **settings)
    producers = Producers([gateway])
    client = TakClient(taky.port)
    try:
        producers.start()
        for _ in range(50):
            gateway.start()
            producers.get_on(0)
            time.sleep(rng.uniform(0.0, 0.15))
            gateway.kill()
        producers.stop()
        with started(gateway):
            delivered(gateway)
            arrived(client, producers.acknowledged)
        assert len(producers.acknowledged) >= 50
    finally:
        producers.stop()
        client.close()


class TestReplicas:
    @pytest.fixture
    def two(
        self, tmp_path: Path, taky: Taky, postgres: Postgres
    ) -> Iterator[tuple[Gateway, Gateway]]:
        url = postgres.create(f"replicas-{tmp_path.name}")
        gateways = [
            Gateway(tmp_path / name, sink=taky.url, database=url, log_level="warning")
            for name in ("blue", "green")
        ]
        with started(gateways[0]), started(gateways[1]):
            yield gateways[0], gateways[1]

    @staticmethod
    def state(gateway: Gateway) -> str:
        state: str = gateway.get("/v1/sinks/tak")["state"]
        return state

    def test_one_delivers_and_the_other_takes_over_when_it_is_killed(
        self, two: tuple[Gateway, Gateway], taky: Taky
    ) -> None:
        wait_for(
            lambda: {self.state(g) for g in two} == {"connected", "standby"}, what="one holder"
        )
        client = TakClient(taky.port)
        producers = Producers(list(two))
        producers.start()
        try:
            wait_for(lambda: len(producers.acknowledged) > 40, what="frames")
            holder, other = two if self.state(two[0]) == "connected" else two[::-1]
            holder.kill()
            began = time.monotonic()
            wait_for(lambda: self.state(other) == "connected", what="the takeover")
            assert time.monotonic() - began < 5.0
            producers.get_on(20)
        finally:
            producers.stop()
        delivered(other)
        arrived(client, producers.acknowledged)
        client.close()

    def test_one_object_has_one_uid_whichever_gateway_saw_it(
        self, two: tuple[Gateway, Gateway]
    ) -> None:
        uids = set()
        for number in range(10):
            receipt = two[number % 2].post(report(str(number), cars=1)).json
            uids.add(receipt["results"][0]["uid"])
        assert len(uids) == 1

    def test_the_same_frame_to_both_is_one_frame(self, two: tuple[Gateway, Gateway]) -> None:
        answers = [gateway.post(report("f-1")) for gateway in (*two, *two)]
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
        for gateway in two:
            assert len(gateway.get("/v1/events")["events"]) == CARS

    def test_a_holder_that_hangs_is_fenced_off(
        self, two: tuple[Gateway, Gateway], taky: Taky, postgres: Postgres
    ) -> None:
        """Its session is ended by the server, as after a partition; it does not know yet."""
        wait_for(
            lambda: {self.state(g) for g in two} == {"connected", "standby"}, what="one holder"
        )
        holder, other = two if self.state(two[0]) == "connected" else two[::-1]
        client = TakClient(taky.port)
        producers = Producers([other])
        producers.start()
        try:
            wait_for(lambda: len(producers.acknowledged) > 20, what="frames")
            holder.popen.send_signal(signal.SIGSTOP)
            with psycopg.connect(postgres.url, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(l.pid) FROM pg_locks AS l JOIN pg_database AS d"
                    " ON d.oid = l.database WHERE l.locktype = 'advisory'"
                    " AND d.datname LIKE 'replicas-%'"
                )
            wait_for(lambda: self.state(other) == "connected", what="the takeover")
            holder.popen.send_signal(signal.SIGCONT)
            producers.get_on(20)
            wait_for(
                lambda: sorted(map(self.state, two)) == ["connected", "standby"],
                what="one holder again",
            )
        finally:
            holder.popen.send_signal(signal.SIGCONT)
            producers.stop()
        delivered(other)
        arrived(client, producers.acknowledged)
        client.close()


def test_postgres_restarts_under_load_and_nobody_has_to_do_anything(
    tmp_path: Path, taky: Taky
) -> None:
    (tmp_path / "db").mkdir()
    server = Postgres(tmp_path / "db")
    client = TakClient(taky.port)
    with started(server):
        gateway = Gateway(tmp_path, sink=taky.url, database=server.url, log_level="warning")
        with started(gateway):
            producers = Producers([gateway])
            producers.start()
            try:
                for crash in (True, False):
                    producers.get_on(20)
                    if crash:
                        # As if the power had failed: the server recovers from its log.
                        server.popen.send_signal(signal.SIGQUIT)
                        server.popen.wait()
                    else:
                        server.stop()
                    down = producers.refused
                    wait_for(lambda n=down: producers.refused > n, what="a refusal")
                    assert http(f"{gateway.url}/health").status == 200
                    server.start()
                producers.get_on(20)
            finally:
                producers.stop()
            delivered(gateway)
            arrived(client, producers.acknowledged)
    client.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of sixteen megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_refuses_clearly_and_goes_on_once_there_is_room(
    tmp_path: Path, taky: Taky, small_disk: Path
) -> None:
    client = TakClient(taky.port)
    gateway = Gateway(
        tmp_path, sink=taky.url, database=f"sqlite:///{small_disk / 'gateway.db'}",
        log_level="error", min_free_megabytes="1",
    )  # fmt: skip
    with started(gateway):
        producers = Producers([gateway])
        producers.start()
        try:
            wait_for(lambda: len(producers.acknowledged) > 5, what="frames")
            ballast = small_disk / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb") as file:
                while True:
                    file.write(b"\0" * 4096)
                    file.flush()
            wait_for(lambda: producers.refused > 5, what="refusals")
            answer = gateway.post(report("late", camera="another"))
            assert answer.status in (503, 507)
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Traceback" not in answer.body.decode()
            ballast.unlink()
            producers.get_on(5)
        finally:
            producers.stop()
        delivered(gateway)
        arrived(client, producers.acknowledged)
    client.close()
