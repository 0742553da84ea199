"""Six bad days on the running stack: the right alert fires in time, a board shows it, it resolves.

How long each took is printed at the end, for the record.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from drilling import Drill, Outcome, run
from running import http, report, wait_for
from sightline.demo.model import demo_model
from stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(1800)]


@contextmanager
def tak_is_down(stack: Stack) -> Iterator[None]:
    stack.compose("stop", "--timeout", "5", "tak")
    try:
        yield
    finally:
        stack.compose("start", "tak")


@contextmanager
def database_is_down(stack: Stack) -> Iterator[None]:
    stack.compose("stop", "--timeout", "10", "postgres")
    try:
        yield
    finally:
        stack.compose("start", "postgres")


@contextmanager
def disk_fills(stack: Stack) -> Iterator[None]:
    """Of a small site's gateway, on SQLite."""
    stack.up("edge")
    target = stack.targets / "cop-gateway-edge.yaml"
    target.write_text('- targets: ["edge:8001"]\n')
    edge = stack.container("edge")
    wait_for(
        lambda: stack.value('sightline_gateway_disk_free_bytes{instance="edge:8001"}'),
        seconds=60,
        what="the edge's disk in Prometheus",
    )
    fill = "open('/var/lib/sightline/filler', 'wb').write(bytes(400 << 20))"
    stack.engine.docker("exec", edge, "python", "-c", fill)
    try:
        yield
    finally:
        free = "import os; os.remove('/var/lib/sightline/filler')"
        stack.engine.docker("exec", edge, "python", "-c", free)


@contextmanager
def model_is_corrupted(stack: Stack) -> Iterator[None]:
    file = stack.models / "demo.onnx"
    whole = file.read_bytes()

    def reload() -> int:
        return http(
            f"{stack.url('detection')}/v1/models/demo/reload",
            body=b"",
            headers={"Authorization": f"Bearer {stack.key()}"},
        ).status

    file.write_bytes(whole[: len(whole) // 2])
    assert reload() == 422
    try:
        yield
    finally:
        file.write_bytes(whole)
        assert reload() == 200


@contextmanager
def detection_is_overloaded(stack: Stack) -> Iterator[None]:
    """Forty clients that do not wait to be told twice."""
    from sightline.simulator import Scenario, Simulator  # noqa: PLC0415 - slow to import

    scenario = Scenario.default(seed=3, cameras=1)
    jpeg = Simulator(scenario).frame(
        scenario.cameras[0].camera_id, 1.0, index=1, start=datetime.now(UTC)
    ).jpeg  # fmt: skip
    stop = threading.Event()
    headers = {"Authorization": f"Bearer {stack.key()}", "Content-Type": "image/jpeg",
               "X-Request-Timeout": "1"}  # fmt: skip

    def flood() -> None:
        while not stop.is_set():
            status = http(f"{stack.url('detection')}/v1/detect", body=jpeg, headers=headers).status
            if status != 200:
                stop.wait(0.05)

    with ThreadPoolExecutor(40) as clients:
        for _ in range(40):
            clients.submit(flood)
        try:
            yield
        finally:
            stop.set()


@contextmanager
def clock_is_skewed(stack: Stack) -> Iterator[None]:
    """A camera whose clock is twenty seconds ahead, a frame a second."""
    stop = threading.Event()
    headers = {"Authorization": f"Bearer {stack.key()}", "Content-Type": "application/json"}

    def send() -> None:
        index = 0
        while not stop.is_set():
            ahead = datetime.now(UTC) + timedelta(seconds=20)
            frame = report(f"skewed-{index}", camera="skewed", cars=1, at=ahead)
            body = json.dumps(frame).encode()
            http(f"{stack.url('gateway')}/v1/detections", body=body, headers=headers)
            index += 1
            stop.wait(1.0)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        stop.set()
        sender.join()


SIDE_BY_SIDE = (
    Drill(
        name="TAK is down", fault=tak_is_down, alert="SightlineSinkDisconnected",
        fires_within=180, resolves_within=60,
        panel=("sightline-fleet", "Sinks without connection"), shows=lambda value: value == 1,
    ),
    Drill(
        name="a disk fills", fault=disk_fills, alert="SightlineDiskAlmostFull",
        fires_within=240, resolves_within=60,
        panel=("sightline-database", "Disk left"), shows=lambda value: value < 512 << 20,
    ),
    Drill(
        name="a model is corrupted", fault=model_is_corrupted, alert="SightlineModelRefused",
        fires_within=60, resolves_within=60,
        panel=("sightline-detection", "Loads refused"), shows=lambda value: value > 0,
    ),
    Drill(
        name="detection is overloaded", fault=detection_is_overloaded, alert="SightlineShedding",
        fires_within=420, resolves_within=360,
        panel=("sightline-detection", "Images by outcome"), shows=lambda value: value > 0,
    ),
    Drill(
        name="a clock is skewed", fault=clock_is_skewed, alert="SightlineClockSkew",
        fires_within=420, resolves_within=420,
        panel=("sightline-gateway", "Frames from the future"), shows=lambda value: value > 0,
    ),
)  # fmt: skip
ALONE = (
    Drill(
        name="the database is down", fault=database_is_down, alert="SightlineStoreDown",
        fires_within=120, resolves_within=60,
        panel=("sightline-database", "Store answers"), shows=lambda value: value == 0,
    ),
)  # fmt: skip
DRILLS = (*SIDE_BY_SIDE, *ALONE)


@pytest.fixture(scope="module")
def outcomes(stack: Stack) -> dict[str, Outcome]:
    """All drills, one after another where one would hide the other."""
    found = run(stack, SIDE_BY_SIDE)
    # The small site's gateway has a store of its own, which the next drill leaves alone.
    (stack.targets / "cop-gateway-edge.yaml").unlink(missing_ok=True)
    stack.compose("rm", "--stop", "--force", "edge")
    wait_for(
        lambda: not stack.query('up{instance="edge:8001"}'), seconds=60, what="the edge forgotten"
    )
    found |= run(stack, ALONE)
    for name, outcome in found.items():
        print(f"{name:26} {outcome}")
    return found


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_its_alert_fires_in_time_a_board_shows_it_and_it_resolves(outcomes, drill):
    outcome = outcomes[drill.name]
    assert outcome.error is None
    assert outcome.fired is not None, f"{drill.alert} not within {drill.fires_within} s"
    assert outcome.shown is not None
    assert drill.shows(outcome.shown), outcome.shown
    assert outcome.resolved is not None, f"{drill.alert} not over in {drill.resolves_within} s"
    assert outcome.receivers


def test_after_all_of_it_nothing_is_lost(outcomes, stack):
    """What was acknowledged to whoever posted it has reached the TAK server."""
    sink = wait_for(
        lambda: (
            sinks[0]
            if (sinks := stack.get("gateway", "/v1/sinks").json["sinks"])[0]["lag_seconds"] < 5
            else None
        ),
        seconds=120,
        what="the sink to have caught up",
    )
    assert sink["dead_letters"] == 0
    assert (stack.value("max(sink:sightline_lost:events)") or 0) == 0
    assert demo_model().read_bytes() == (stack.models / "demo.onnx").read_bytes()


def test_an_outage_wakes_people_once(outcomes):
    """Not for each thing that follows from it, and not again for what it has cost."""
    assert "SightlineSinkDisconnected" in outcomes["TAK is down"].paged
    assert "SightlineStoreDown" in outcomes["the database is down"].paged
    paged = {name for outcome in outcomes.values() for name in outcome.paged}
    # Side by side with it a disk filled, and detection turned so much away that it was not ready.
    assert paged <= {
        "SightlineAvailabilityBurnsFast", "SightlineDiskAlmostFull", "SightlineServiceNotReady",
        "SightlineSinkDisconnected", "SightlineStoreDown",
    }  # fmt: skip
