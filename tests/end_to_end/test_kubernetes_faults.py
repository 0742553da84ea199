"""Pods that die, and pods that come and go with the load, while clients are at work."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass
from typing import Any

import pytest

from deployment import Sightline, Traffic, merged
from figures import record_figure
from placement import is_ready
from running import required, wait_for

pytestmark = pytest.mark.e2e

KILLS = 6
"""Half of them of pods, half of processes."""
MOST = 5
"""Pods that the autoscaler may have."""


@dataclass(frozen=True, kw_only=True)
class Killing:
    """What both kinds of clients saw of it."""

    kills: list[float]
    traffic: Traffic
    patient: Traffic
    lost: set[tuple[str, str, int]]


@pytest.fixture(scope="module")
def killing(sightline: Sightline) -> Killing:
    """Gateways of the active colour are killed at random."""
    draw = random.Random(7)
    kills: list[float] = []
    with sightline.tak() as tak:
        with (
            sightline.traffic("kills") as traffic,
            sightline.traffic("patient", program="patient_traffic.py") as patient,
        ):
            time.sleep(3)
            for number in range(KILLS):
                ready = wait_for(lambda: gateways(sightline), seconds=60, what="two gateways")
                pod = draw.choice(ready)
                kills.append(time.time())
                if number % 2:
                    kill_processes(sightline, pod)
                else:
                    sightline.kubectl(
                        "delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0",
                        "--wait=false",
                    )  # fmt: skip
                time.sleep(draw.uniform(2.0, 4.0))
            wait_for(lambda: len(gateways(sightline)) >= 3, seconds=60, what="three gateways")
        lost = traffic.missing(tak) | patient.missing(tak)
    return Killing(kills=kills, traffic=traffic, patient=patient, lost=lost)


class TestGatewaysAreKilled:
    def test_nothing_that_was_acknowledged_is_lost(self, killing: Killing) -> None:
        assert len(killing.traffic.expected()) > 200
        assert killing.lost == set()

    def test_only_what_was_under_way_to_the_killed_pod_fails(self, killing: Killing) -> None:
        failures = killing.traffic.failures
        since = [min(since_each(killing.kills, each)) for each in failures]
        record_figure("gateways killed", len(killing.kills), "")
        record_figure("gateways killed: requests", killing.traffic.requests, "")
        record_figure("gateways killed: failed requests", len(failures), "")
        record_figure("gateways killed: last failed request of a kill", max(since, default=0.0))
        # New connections are refused until the endpoint is withdrawn, which takes a moment.
        assert max(since, default=0.0) <= 6.0, failures
        assert len(failures) <= killing.traffic.requests * 0.05
        # Detection asks another gateway, so that its own clients see nothing of it.
        assert not [each for each in failures if "picture" in each["client"]]

    def test_users_of_the_client_library_see_no_error(self, killing: Killing) -> None:
        assert killing.patient.failures == []
        assert killing.patient.requests > 100


def since_each(kills: list[float], failure: dict[str, Any]) -> list[float]:
    """Seconds from each kill that came before it."""
    return [failure["at"] - kill for kill in kills if kill <= failure["at"]]


def gateways(sightline: Sightline) -> list[dict[str, Any]]:
    """Those of the active colour that are ready; none, if that is only one."""
    pods = sightline.pods("cop-gateway", sightline.active("cop-gateway"))
    ready = [pod for pod in pods if is_ready(pod)]
    return ready if len(ready) > 1 else []


def kill_processes(sightline: Sightline, pod: dict[str, Any]) -> None:
    """As the kernel does where memory is short."""
    if sightline.cluster.machine is None:
        required("processes can be killed on nodes of our own only")
    killed = 0
    for pid in sightline.cluster.machine.of_pod(pod["metadata"]["uid"], b"sightline-cop-gateway"):
        os.kill(pid, signal.SIGKILL)
        killed += 1
    assert killed


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How many pods there were at most, when what happened, and what clients saw."""

    most: int
    decided: float
    ready: float
    fewer: float
    users: Traffic
    load: Traffic


@pytest.fixture(scope="module")
def scaling(sightline: Sightline) -> Scaling:
    """Real pictures until the autoscaler has added pods, and none until it takes one away."""
    kept = dict(sightline.values)
    active = sightline.active()
    name = f"detection-{active}"
    # 40 instead of 70 percent: others work on this machine, too, and leave pods little to burn.
    quickly = {"autoscaling": {"maxReplicas": MOST, "scaleDownSeconds": 5, "cpuPercent": 40}}
    try:
        sightline.values = merged(kept, {"colours": {active: {"detection": quickly}}})
        sightline.helm("upgrade", "--wait", "--timeout", "240s")
        wait_for(lambda: replicas(sightline, name) == 3, seconds=180, what="three pods")
        with sightline.traffic("users", rate=1.0) as users:
            began = time.monotonic()
            with sightline.traffic(
                "load", rate=8.0, clients=8, kinds=("picture",), program="patient_traffic.py"
            ) as load:
                wait_for(lambda: replicas(sightline, name) > 3, seconds=120, what="more pods")
                decided = time.monotonic() - began
                wait_for(lambda: serving(sightline, name) > 3, seconds=120, what="a new pod")
                ready = time.monotonic() - began
                time.sleep(5)
                most = replicas(sightline, name)
            began = time.monotonic()
            wait_for(lambda: replicas(sightline, name) < most, seconds=180, what="fewer pods")
            fewer = time.monotonic() - began
            # Until the pod that goes is gone.
            time.sleep(15)
    finally:
        sightline.kubectl("scale", f"deployment/{name}", "--replicas=3")
        sightline.values = kept
        sightline.helm("upgrade", "--wait", "--timeout", "240s")
    return Scaling(most=most, decided=decided, ready=ready, fewer=fewer, users=users, load=load)


class TestTheLoadGrows:
    def test_pods_are_added(self, scaling: Scaling) -> None:
        record_figure("load grows: the autoscaler decided", scaling.decided)
        record_figure("load grows: a new pod is ready", scaling.ready)
        record_figure("load is gone: one pod fewer", scaling.fewer)
        assert 3 < scaling.most <= MOST

    def test_no_request_fails_as_pods_come_and_go(self, scaling: Scaling) -> None:
        assert scaling.users.failures == []
        assert scaling.load.failures == []
        assert scaling.users.requests > 200
        assert scaling.load.requests > 50


def replicas(sightline: Sightline, name: str) -> int:
    """How many the autoscaler wants."""
    return int(sightline.get("deployment", name)["spec"]["replicas"])


def serving(sightline: Sightline, name: str) -> int:
    return int(sightline.get("deployment", name)["status"].get("readyReplicas", 0))
