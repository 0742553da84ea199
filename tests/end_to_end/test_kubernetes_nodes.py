"""Nodes that are lost, come back and are drained, while clients are at work."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from deployment import COMPONENTS, Sightline, Traffic
from figures import record_figure
from placement import WORKLOADS, fewest_ready, node_of_the_database, number, placed
from running import wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def keeper(sightline: Sightline) -> Iterator[int]:
    """The number of the node whose volume has the database; TAK is there as well meanwhile.

    Clients are there, too. What is on the others is only what there is several of.
    """
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
    """The other nodes."""
    return sorted(number(each) for each in sightline.cluster.nodes if number(each) != keeper)


@dataclass(kw_only=True)
class Loss:
    """A node that was lost, and what clients on another one saw."""

    node: str
    died: float = 0.0
    noticed: float = 0.0
    moved: float = 0.0
    traffic: Traffic
    patient: Traffic
    where: dict[str, set[str]] = field(default_factory=dict)
