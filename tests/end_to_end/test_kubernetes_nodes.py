"""Nodes that are lost, come back and are drained, while clients are at work."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deployment import Sightline, Traffic
from figures import record_figure
from kubernetes_cluster import Cluster
from placement import WORKLOADS, fewest_ready, node_of_the_database, number, placed, rolled_out
from running import required, wait_for

pytestmark = pytest.mark.e2e

NOTICED_SECONDS = 12.0
"""How long this cluster waits for a word from a node; Kubernetes waits 50 by default."""
PATIENCE = 5.0
"""Of the clients that try nothing twice: they wait no longer for a pod that is gone."""


@pytest.fixture(scope="module")
def keeper(sightline: Sightline) -> Iterator[int]:
    """The number of the node whose volume has the database; TAK is there as well meanwhile.

    Clients are there, too. The others have only what there is several of.
    """
    if sightline.cluster.machine is None:
        required("only nodes of our own are taken away")
    kept = node_of_the_database(sightline)
    move_tak(sightline, {"kubernetes.io/hostname": f"node-{kept}"})
    yield kept
    move_tak(sightline, None)


def move_tak(sightline: Sightline, to: dict[str, str] | None) -> None:
    patch = json.dumps({"spec": {"template": {"spec": {"nodeSelector": to}}}})
    tak = ("--namespace", "tak")
    sightline.cluster.kubectl(*tak, "patch", "deployment", "tak", "--patch", patch)
    sightline.cluster.kubectl(*tak, "rollout", "status", "deployment/tak", "--timeout=60s")


@pytest.fixture(scope="module")
def others(sightline: Sightline, keeper: int) -> list[int]:
    """The numbers of the other nodes."""
    return sorted(number(each) for each in sightline.cluster.nodes if number(each) != keeper)


@contextlib.contextmanager
def powerless(cluster: Cluster, node: int) -> Iterator[None]:
    cluster.kill_node(node)
    try:
        yield
    finally:
        cluster.start_node(node)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A node that lost its power, and what was seen from another one."""

    died: float
    seconds_to_move: float
    where: dict[str, Counter[str]]
    """The ready pods, once there were as many as before."""
    traffic: Traffic
    patient: Traffic
    lost: set[tuple[str, str, int]]


@pytest.fixture(scope="module")
def loss(sightline: Sightline, keeper: int, others: list[int]) -> Loss:
    victim = others[-1]
    cluster = sightline.cluster
    with sightline.tak(node=keeper) as tak:
        with (
            sightline.traffic("loss", node=keeper, patience=PATIENCE) as traffic,
            sightline.traffic("patient", node=keeper, program="patient_traffic.py") as patient,
        ):
            time.sleep(4)
            died = time.time()
            with powerless(cluster, victim):
                wait_for(lambda: f"node-{victim}" not in cluster.ready(), what="it to be missed")
                where = wait_for(lambda: complete(sightline, victim), seconds=120, what="pods")
                moved = time.time() - died
                time.sleep(3)
        lost = traffic.missing(tak) | patient.missing(tak)
    wait_for(lambda: f"node-{victim}" in cluster.ready(), what="the node to be back")
    return Loss(
        died=died,
        seconds_to_move=moved,
        where=where,
        traffic=traffic,
        patient=patient,
        lost=lost,
    )


def complete(sightline: Sightline, without: int) -> dict[str, Counter[str]] | None:
    """Where all pods are, if there are three of each again."""
    where = placed(sightline)
    for on in where.values():
        del on[f"node-{without}"]
    return where if min(on.total() for on in where.values()) >= 3 else None


class TestANodeIsLost:
    def test_every_client_is_answered_again_soon_after_it_was_missed(self, loss: Loss) -> None:
        fresh = loss.traffic.gaps("fresh")
        record_figure("node lost: longest gap of a client that connects anew", max(fresh.values()))
        record_figure("node lost: requests", loss.traffic.requests, "")
        record_figure("node lost: failed requests", len(loss.traffic.failures), "")
        late = [each["at"] - loss.died for each in loss.traffic.failures]
        record_figure("node lost: last failed request", max(late, default=0.0))
        assert max(loss.traffic.gaps().values()) <= NOTICED_SECONDS + PATIENCE + 8.0
        # While pods start elsewhere, those that are left have all the work.
        until = loss.seconds_to_move + PATIENCE
        assert all(0.0 <= each <= until for each in late), loss.traffic.failures

    def test_users_of_the_client_library_see_no_error(self, loss: Loss) -> None:
        record_figure(
            "node lost: longest call of sightline.client", max(loss.patient.gaps().values())
        )
        assert loss.patient.failures == []
        assert loss.patient.requests > 100

    def test_nothing_that_was_acknowledged_is_lost(self, loss: Loss) -> None:
        assert loss.traffic.expected()
        assert loss.lost == set()

    def test_pods_come_up_elsewhere(self, loss: Loss) -> None:
        record_figure("node lost: as many ready pods as before", loss.seconds_to_move)
        assert all(len(on) == 2 for on in loss.where.values()), loss.where


def test_of_a_colours_pods_one_may_be_evicted_at_a_time(sightline: Sightline, loss: Loss) -> None:
    idle = "green" if sightline.active() == "blue" else "blue"
    wait_for(lambda: min(on.total() for on in placed(sightline).values()) >= 3, seconds=60)
    answers = []
    for pod in sightline.pods("detection", idle)[:2]:
        name = pod["metadata"]["name"]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": sightline.namespace},
        }
        path = f"/api/v1/namespaces/{sightline.namespace}/pods/{name}/eviction"
        command = ("create", "--raw", path, "--filename", "-")
        answers.append(sightline.kubectl(*command, given=json.dumps(eviction), check=False))
    assert "Success" in answers[0]
    assert "disruption budget" in answers[1]


def test_a_node_is_drained_without_a_failed_request(
    sightline: Sightline, loss: Loss, keeper: int, others: list[int]
) -> None:
    node = f"node-{others[0]}"
    wait_for(lambda: min(on.total() for on in placed(sightline).values()) >= 3, seconds=60)
    assert any(on[node] for on in placed(sightline).values())
    try:
        with sightline.tak(node=keeper) as tak:
            with sightline.traffic("drain", node=keeper) as traffic:
                time.sleep(2)
                with fewest_ready(sightline) as fewest:
                    began = time.monotonic()
                    sightline.cluster.kubectl(
                        "drain", node, "--ignore-daemonsets", "--delete-emptydir-data",
                        "--timeout=150s",
                    )  # fmt: skip
                    record_figure("node drained", time.monotonic() - began)
                left = placed(sightline)
                time.sleep(2)
            traffic.arrived(tak)
    finally:
        sightline.cluster.kubectl("uncordon", node)
    assert traffic.failures == []
    assert min(fewest.values()) >= 2, fewest
    assert not any(on[node] for on in left.values())


def test_a_roll_out_uses_the_nodes_that_are_back(
    sightline: Sightline, loss: Loss, keeper: int
) -> None:
    """Kubernetes moves no pod back by itself: what is spread is what is new."""
    began = time.monotonic()
    with fewest_ready(sightline) as fewest:
        rolled_out(sightline)
    record_figure("four workloads rolled out", time.monotonic() - began)
    where = placed(sightline)
    nodes = set(sightline.cluster.nodes)
    assert min(fewest.values()) >= 3, fewest
    assert all(set(where[name]) == nodes for name in WORKLOADS), where
    assert all(max(on.values()) - min(on.values()) <= 1 for on in where.values()), where


def test_the_databases_node_loses_its_power_and_has_it_back(
    sightline: Sightline, keeper: int, others: list[int]
) -> None:
    """Its volume is on that node: meanwhile nothing can be committed, and nothing is acknowledged.

    A site that cannot wait for a node has a database that does not depend on one.
    """
    host = others[0]
    move_tak(sightline, {"kubernetes.io/hostname": f"node-{host}"})
    before = database(sightline)
    with sightline.tak(node=host) as tak:
        with (
            sightline.traffic("database", node=host, patience=PATIENCE) as traffic,
            sightline.traffic("patient", node=host, program="patient_traffic.py") as patient,
        ):
            time.sleep(3)
            died = time.time()
            with powerless(sightline.cluster, keeper):
                time.sleep(3)
            wait_for(lambda: database(sightline) not in (None, before), seconds=90, what="it")
            time.sleep(8)
        lost = traffic.missing(tak) | patient.missing(tak)
    gaps = traffic.gaps("report")
    record_figure("database's node without power for 3 s: longest gap", max(gaps.values()))
    assert lost == set()
    assert patient.failures == []
    assert max(gaps.values()) <= 45.0
    assert all(each["at"] >= died for each in traffic.failures)
    wait_for(lambda: complete(sightline, 0), seconds=90, what="all pods")


def database(sightline: Sightline) -> str | None:
    """Its container, if it is ready."""
    pod = sightline.get("pod", "sightline-database-0")
    (status,) = pod["status"]["containerStatuses"]
    return str(status["containerID"]) if status["ready"] else None
