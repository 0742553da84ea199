"""A small site: SQLite, a volume for each colour, and a switch while the old one cannot deliver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from cluster_backups import Ended, ask, by_hand, claims, restored, small, volume
from cluster_images import SECOND
from deployment import Ran, Sightline, Traffic
from figures import record_figure
from kubernetes_cluster import Cluster
from running import TakClient, report, wait_for
from tak_outage import outage

pytestmark = pytest.mark.e2e

EDGE = "sightline-edge"


@pytest.fixture(scope="module")
def edge(published: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sightline]:
    """Both colours, one pod of each service, in a namespace of its own."""
    site = Sightline(published, tmp_path_factory.mktemp("edge"), namespace=EDGE)
    site.values = small(published, {"database": {"mode": "sqlite"}})
    try:
        site.prepare(database="sqlite")
        began = time.monotonic()
        site.helm("install", "--wait", "--timeout", "240s")
        record_figure("install of a small site from nothing, until ready", time.monotonic() - began)
        yield site
    finally:
        published.kubectl("delete", "namespace", EDGE, "--wait=false")


def test_each_colour_has_a_volume_and_one_gateway(edge: Sightline) -> None:
    assert {"cop-gateway-blue", "cop-gateway-green"} <= claims(edge)
    for colour in ("blue", "green"):
        (pod,) = edge.pods("cop-gateway", colour)
        mounted = [
            each["persistentVolumeClaim"]["claimName"]
            for each in pod["spec"]["volumes"]
            if "persistentVolumeClaim" in each
        ]
        assert mounted == [f"cop-gateway-{colour}"]
    assert edge.get("hpa")["items"] == []


@dataclass
class Switched:
    """Users were led to green while the TAK server was away; it is, still."""

    client: TakClient
    over: Callable[[], None]
    receipt: dict[str, Any]
    traffic: list[Traffic] = field(default_factory=list)

    def expected(self) -> set[tuple[str, str, int]]:
        return {each for traffic in self.traffic for each in traffic.expected()}


class TestASwitchDuringAnOutage:
    @pytest.fixture(scope="class")
    @classmethod
    def switched(cls, edge: Sightline) -> Iterator[Switched]:
        with outage(edge.cluster) as (client, over):
            with edge.traffic("switched", clients=1) as traffic:
                time.sleep(3)
                done = edge.colours("switch", "--to", "green", "--no-smoke")
                time.sleep(2)
            yield Switched(client, over, done.said, [traffic])

    def test_takes_place_and_the_receipt_tells_what_the_old_colour_must_still_deliver(
        self, edge: Sightline, switched: Switched
    ) -> None:
        (traffic,) = switched.traffic
        assert traffic.failures == []
        assert switched.receipt["outcome"] == "done"
        assert edge.active("cop-gateway") == "green"
        waiting = waiting_in(edge, "blue")
        # Requests that were under way have added theirs since it was counted.
        assert 0 < switched.receipt["undelivered"] <= waiting
        (warned,) = [
            each for each in switched.receipt["findings"] if each["check"] == "undelivered events"
            and each["outcome"] == "warning"
        ]  # fmt: skip
        assert "must not be scaled down" in warned["sentence"]

    def test_the_old_colour_may_not_be_released_into(
        self, edge: Sightline, switched: Switched
    ) -> None:
        refused = release_check(edge)
        assert refused.code != 0
        (failed,) = [each for each in refused.said["findings"] if each["outcome"] == "failed"]
        assert f"{waiting_in(edge, 'blue')} undelivered" in failed["sentence"]
        status = edge.colours("status").said
        assert any("undelivered" in each["sentence"] for each in status["findings"])

    def test_a_backup_is_made_of_each_colour_meanwhile(
        self, edge: Sightline, switched: Switched
    ) -> None:
        made = {
            colour: by_hand(edge, f"sightline-backups-{colour}").document
            for colour in ("blue", "green")
        }
        with volume(edge) as its:
            for colour, document in made.items():
                assert document["id"] in its.names(f"/backups/{colour}")
                manifest = its.manifest(document["id"], f"/backups/{colour}")
                assert manifest["tables"] == document["tables"]
        assert made["blue"]["head"] == waiting_in(edge, "blue")

    def test_it_delivers_although_drained_and_nothing_is_lost(
        self, edge: Sightline, switched: Switched
    ) -> None:
        began = time.monotonic()
        switched.over()
        expected = switched.expected()
        wait_for(
            lambda: expected <= set(switched.client.sightings()),
            seconds=90, what="what either colour acknowledged",
        )  # fmt: skip
        record_figure("SQLite: both colours' backlog after an outage", time.monotonic() - began)
        wait_for(lambda: waiting_in(edge, "blue") == 0, what="an empty outbox")

    def test_then_it_may_be_released_into(self, edge: Sightline, switched: Switched) -> None:
        assert release_check(edge).code == 0
        tag = {"image": {"tag": SECOND}}
        edge.release("blue", {"detection": tag, "gateway": tag})
        assert edge.active("cop-gateway") == "green"
        assert ask(edge, "/v1/events?limit=1", service="cop-gateway-blue").json["events"]


def waiting_in(site: Sightline, colour: str) -> int:
    """What a colour's gateway has yet to deliver."""
    found = ask(site, "/v1/drain", service=f"cop-gateway-{colour}").json
    return int(found["details"]["undelivered"])


def newest(site: Sightline) -> list[Any]:
    """The last events that the active colour knows."""
    return list(ask(site, "/v1/events?limit=20").json["events"])


def release_check(site: Sightline) -> Ran:
    return site.colours("preflight", "--release", "blue", check=False)


def test_helm_rollback_is_refused_after_a_switch(edge: Sightline) -> None:
    assert edge.active("cop-gateway") == "green"
    said = edge.cluster.helm("rollback", "sightline", "1", "-n", EDGE, check=False)
    assert "conflict" in said
    assert edge.active("cop-gateway") == "green"


class TestRestoringAFile:
    @pytest.fixture(scope="class")
    @classmethod
    def brought_back(cls, edge: Sightline) -> tuple[dict[str, Any], Ended, list[Any]]:
        """Green's file is lost; its newest backup comes into a new volume."""
        assert edge.active("cop-gateway") == "green"
        before = newest(edge)
        made = by_hand(edge, "sightline-backups-green").document
        edge.kubectl("delete", "deployment", "cop-gateway-green", "--cascade=foreground")
        edge.kubectl("delete", "pvc", "cop-gateway-green")
        edge.helm("upgrade", "--set", "restore.enabled=true,restore.colour=green")
        return made, restored(edge), before

    def test_has_as_many_rows_and_serves_them(
        self, edge: Sightline, brought_back: tuple[dict[str, Any], Ended, list[Any]]
    ) -> None:
        made, ended, before = brought_back
        assert ended.document["tables"] == made["tables"]
        edge.helm("upgrade", "--wait", "--timeout", "240s")
        assert edge.active("cop-gateway") == "green"
        assert newest(edge) == before != []
        with edge.tak() as client:
            assert ask(edge, "/v1/detections", body=report("new", camera="after")).status == 201
            wait_for(lambda: ("after", "new", 1) in client.sightings(), seconds=60)
