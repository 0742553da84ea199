"""Colours on a live cluster: a release, its preflight, switches under load, and the way back."""

from __future__ import annotations

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from cluster_images import CONTRACTING, FIRST, SECOND, UNREADY
from deployment import COMPONENTS, Sightline, Traffic
from engine import ROOT
from figures import record_figure
from running import wait_for

pytestmark = pytest.mark.e2e

SWITCHES = 20


def other(colour: str) -> str:
    return "green" if colour == "blue" else "blue"


def ready(sightline: Sightline, component: str, colour: str) -> int:
    status = sightline.get("deployment", f"{component}-{colour}")["status"]
    return int(status.get("readyReplicas", 0))


def replica_sets(sightline: Sightline, colour: str) -> set[str]:
    """Whose pods they are: an autoscaler may take one away, a release replaces them all."""
    return {
        owner["uid"]
        for component in COMPONENTS
        for pod in sightline.pods(component, colour)
        for owner in pod["metadata"]["ownerReferences"]
    }


def versions(sightline: Sightline, colour: str) -> set[str]:
    return {
        container["image"].rpartition(":")[2]
        for component in COMPONENTS
        for pod in sightline.pods(component, colour)
        for container in pod["spec"]["containers"]
    }


def test_what_helm_installed_from_nothing_serves(sightline: Sightline) -> None:
    said = sightline.colours("status").said
    assert set(said["active"].values()) == {"blue"}
    for component in COMPONENTS:
        assert sightline.active(component) == "blue"
        assert len(sightline.pods(component, "blue")) >= 3
    assert "test" in sightline.helm_test()


def test_frames_in_and_events_out(sightline: Sightline) -> None:
    with sightline.tak() as client:
        with sightline.traffic("first") as traffic:
            time.sleep(8)
        assert traffic.failures == []
        assert any("picture" in camera for camera, _, _ in traffic.acknowledged)
        traffic.arrived(client)


def test_a_release_goes_into_the_idle_colour_and_the_active_one_is_left_alone(
    sightline: Sightline,
) -> None:
    before = {pod["metadata"]["uid"] for each in COMPONENTS for pod in sightline.pods(each, "blue")}
    tag = {"image": {"tag": SECOND}}
    sightline.release("green", {"detection": tag, "gateway": tag})
    assert versions(sightline, "green") == {SECOND}
    assert versions(sightline, "blue") == {FIRST}
    after = {pod["metadata"]["uid"] for each in COMPONENTS for pod in sightline.pods(each, "blue")}
    assert after == before
    assert sightline.active() == "blue"


def test_preflight_finds_it_good_and_a_smoke_frame_reaches_tak(sightline: Sightline) -> None:
    done = sightline.colours("preflight", "--to", "green", "--smoke")
    assert all(each["outcome"] != "failed" for each in done.said["findings"]), done.said


@pytest.fixture(scope="module")
def flight(sightline: Sightline) -> tuple[list[dict[str, Any]], Traffic, int]:
    """Twenty switches with clients at work all the time: receipts, what clients saw, lost."""
    receipts = []
    with sightline.tak() as client:
        with sightline.traffic("switching") as traffic:
            time.sleep(3)
            for _ in range(SWITCHES):
                to = other(sightline.active())
                done = sightline.colours("switch", "--to", to, "--no-smoke")
                receipts.append(done.said)
                time.sleep(1.5)
        traffic.arrived(client)
    # What `make e2e` leaves to be looked at.
    (ROOT / ".cache/switch-receipts.json").write_text(json.dumps(receipts, indent=1))
    return receipts, traffic, SWITCHES


class TestSwitchingUnderLoad:
    def test_no_request_fails_and_nothing_that_was_acknowledged_is_lost(
        self, flight: tuple[list[dict[str, Any]], Traffic, int]
    ) -> None:
        _, traffic, _ = flight
        assert traffic.failures == []
        record_figure("switches without a failed request", SWITCHES, "switches")
        record_figure("switches, requests meanwhile", traffic.requests, "requests")
        assert traffic.requests > 2_000

    @pytest.mark.parametrize("component", ["cop-gateway", "detection"])
    def test_the_first_answer_of_the_new_colour_comes_at_once(
        self, flight: tuple[list[dict[str, Any]], Traffic, int], component: str
    ) -> None:
        receipts, traffic, count = flight
        firsts = [
            each for receipt in receipts for each in first_answers(receipt, traffic, component)
        ]
        assert len(firsts) >= count
        what = f"switch, first answer of the new colour, {component}"
        record_figure(f"{what}, median", statistics.median(firsts))
        record_figure(f"{what}, longest", max(firsts))
        # The gateways' Service is changed first. The other one's change meets a kube-proxy that has
        # just written its rules, and does so once a second at most.
        assert statistics.median(firsts) <= {"cop-gateway": 0.6, "detection": 2.0}[component]
        assert max(firsts) <= 3.0, sorted(firsts)

    def test_the_sinks_change_hands_within_seconds(
        self, flight: tuple[list[dict[str, Any]], Traffic, int]
    ) -> None:
        receipts, _, _ = flight
        assert [each["outcome"] for each in receipts] == ["done"] * len(receipts)
        handovers = [each["sinks"]["seconds"] for each in receipts]
        record_figure("switch, sinks in other hands, median", statistics.median(handovers))
        record_figure("switch, sinks in other hands, longest", max(handovers))
        record_figure("switch, longest", max(each["seconds"] for each in receipts))
        assert max(handovers) < 5.0

    def test_the_way_back_takes_no_arguments_and_three_seconds(self, sightline: Sightline) -> None:
        before = sightline.active()
        with sightline.traffic("back") as traffic:
            time.sleep(2)
            done = sightline.colours("rollback")
            time.sleep(1)
        assert sightline.active() == other(before)
        assert traffic.failures == []
        record_figure("rollback, whole command", done.seconds)
        record_figure("rollback, of that the switch itself", done.said["seconds"])
        assert done.said["seconds"] <= 3.0


def first_answers(receipt: dict[str, Any], traffic: Traffic, component: str) -> list[float]:
    """Of each client that makes new connections, by the receipt's time of the patch."""
    began = datetime.fromisoformat(receipt["began"]).timestamp()
    (since,) = (
        began + step["at"]
        for step in receipt["steps"]
        if step["step"] == "point" and f"{component}-active" in step["sentence"]
    )
    return traffic.first_answers(component, receipt["to"], since=since, until=since + 5.0)


def test_the_idle_colour_first_grows_as_large_as_the_one_that_serves(sightline: Sightline) -> None:
    active = sightline.active()
    idle = other(active)
    four, three = ({"gateway": {"autoscaling": {"minReplicas": count}}} for count in (4, 3))
    sightline.release(active, four, wait=False)
    try:
        wait_for(
            lambda: ready(sightline, "cop-gateway", active) == 4, seconds=90, what="a fourth pod"
        )
        done = sightline.colours("switch", "--to", idle, "--no-smoke")
        steps = {step["step"]: step["sentence"] for step in done.said["steps"]}
        assert "raise" in steps
        # The autoscaler may take the fourth away as soon as the switch is over.
        assert f"4 of cop-gateway-{idle}" in steps["await-ready"]
        assert ready(sightline, "cop-gateway", idle) >= 3
        assert sightline.get("hpa", f"cop-gateway-{idle}")["spec"]["minReplicas"] == 3
        # The chart's value is the chart's again: its next release can change it.
        sightline.release(idle, {"gateway": {"autoscaling": {"minReplicas": 2}}}, wait=False)
        assert sightline.get("hpa", f"cop-gateway-{idle}")["spec"]["minReplicas"] == 2
    finally:
        for colour in (active, idle):
            sightline.release(colour, three, wait=False)


def test_of_two_who_switch_at_once_one_wins_and_the_other_is_told(sightline: Sightline) -> None:
    to = other(sightline.active())
    with ThreadPoolExecutor(2) as pool:
        ran = list(
            pool.map(
                lambda _: sightline.colours("switch", "--to", to, "--no-smoke", check=False),
                range(2),
            )
        )
    assert min(each.code for each in ran) == 0
    assert sightline.active("detection") == sightline.active("cop-gateway") == to
    loser = max(ran, key=lambda each: each.code)
    assert loser.code != 0, "both say that they switched"
    assert loser.told


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "a setting that is refused": (
        {"gateway": {"settings": {"classes_file": "/etc/sightline/absent.yaml"}}},
        "classes_file",
    ),
    "pods that never come up": ({"gateway": {"nodeSelector": {"nowhere": "true"}}}, "newest"),
    "a service that is never ready": (
        {"gateway": {"image": {"tag": UNREADY}}},
        "probe failed with statuscode: 503",
    ),
    "a model that is no model": (
        {"detection": {"models": {"image": {"repository": "sightline-models-broken"}}}},
        "ONNX",
    ),
    "code that the other colour's schema cannot bear": (
        {"gateway": {"image": {"tag": CONTRACTING}}},
        "on duty",
    ),
    "an image that is not there": ({"detection": {"image": {"tag": "9.9.9"}}}, "9.9.9"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_release_is_stopped_with_its_reason(sightline: Sightline, name: str) -> None:
    overlay, reason = BROKEN[name]
    active = sightline.active()
    idle = other(active)
    kept = dict(sightline.values)
    running = replica_sets(sightline, active)
    try:
        # Where the migration comes first, helm itself stops a schema that cannot be: see below.
        sightline.release(idle, overlay, wait=False, migrate=False)

        def stopped() -> Any:
            done = sightline.colours("preflight", "--to", idle, "--no-smoke", check=False)
            failed = [each for each in done.said["findings"] if each["outcome"] == "failed"]
            assert done.code != 0, done.said
            return any(reason in each["sentence"] for each in failed) and failed

        wait_for(stopped, seconds=120, what=f"a reason with {reason!r}")
        refused = sightline.colours("switch", "--to", idle, "--no-smoke", check=False)
        assert refused.code != 0
        assert sightline.active("detection") == sightline.active("cop-gateway") == active
        with sightline.traffic(f"broken-{len(name)}") as traffic:
            time.sleep(2)
        assert traffic.failures == []
        assert replica_sets(sightline, active) == running
    finally:
        sightline.values = kept
        sightline.helm("upgrade", "--wait", "--timeout", "240s")


def test_a_migration_that_the_active_colour_cannot_bear_stops_the_release_before_it_begins(
    sightline: Sightline,
) -> None:
    active = sightline.active()
    kept = dict(sightline.values)
    deployment = f"cop-gateway-{other(active)}"
    before = sightline.get("deployment", deployment)["spec"]["template"]
    try:
        with pytest.raises(AssertionError, match="pre-upgrade"):
            sightline.release(
                other(active), {"gateway": {"image": {"tag": CONTRACTING}}}, wait=False
            )
        said = sightline.kubectl("logs", "job/sightline-migration")
        assert f"{active}, which is on duty" in said
        assert sightline.get("deployment", deployment)["spec"]["template"] == before
    finally:
        sightline.values = kept
        sightline.helm("upgrade", "--wait", "--timeout", "240s")


def test_a_setting_beyond_its_limit_is_refused_before_anything_is_sent(
    sightline: Sightline,
) -> None:
    kept = dict(sightline.values)
    try:
        with pytest.raises(AssertionError, match="range_limit_m"):
            sightline.release("green", {"gateway": {"settings": {"range_limit_m": -1}}})
    finally:
        sightline.values = kept
