"""Who may reach whom: the chart's own policies, enforced, for every pair of pods and every port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cluster import reachability
from cluster.plan import CONTROL, FIRST_SERVICE, NAME_SERVER
from cluster.reachability import StandIn
from deployment import CHART, MANIFESTS
from kubernetes_cluster import Cluster
from running import wait_for

pytestmark = pytest.mark.e2e

OURS = "networks"
PORTS = {"detection": 8000, "gateway": 8001, "database": 5432, "tak": 8087, "other": 9000}
"""Every stand-in listens on all of them."""

INSIDE: dict[str, dict[str, str]] = {
    **{
        f"{component}-{colour}": {"app.kubernetes.io/component": component, "colour": colour}
        for component in ("detection", "cop-gateway")
        for colour in ("blue", "green")
    },
    "database": {"app.kubernetes.io/component": "database"},
    "backups": {"app.kubernetes.io/component": "backups"},
    "migration": {"app.kubernetes.io/component": "migration"},
    "client": {"sightline.io/client": "true"},
    "stranger": {"app": "stranger"},
}
OUTSIDE = ("tak", "monitoring", "ingress", "elsewhere")
"""Each a pod in a namespace of its own."""

BOTH_SERVICES = (
    "detection-blue:detection detection-green:detection"
    " cop-gateway-blue:gateway cop-gateway-green:gateway"
)
MAY_REACH = {
    "detection-blue": "cop-gateway-blue:gateway names:53",
    "detection-green": "cop-gateway-green:gateway names:53",
    "cop-gateway-blue": "database:database tak:tak names:53",
    "cop-gateway-green": "database:database tak:tak names:53",
    "database": "",
    "backups": "database:database names:53",
    "migration": "database:database names:53",
    "client": f"{BOTH_SERVICES} names:53",
    "stranger": "",
    "tak": "",
    "monitoring": BOTH_SERVICES,
    "ingress": BOTH_SERVICES,
    "elsewhere": "",
}
"""All that is allowed into our namespace, out of it and within it. Everything else is forbidden."""

PLACES = {
    ("names", "53"): f"{NAME_SERVER}:53",
    ("API server", "443"): f"{FIRST_SERVICE}:443",
    ("control plane", "6443"): f"{CONTROL}:6443",
    ("registry", "5000"): f"{CONTROL}:5000",
}
"""What is there besides pods. The last three are as far outside as this cluster goes."""


def stand_ins() -> list[StandIn]:
    ours = [
        StandIn(
            name=name,
            namespace=OURS,
            labels={"app.kubernetes.io/name": "sightline", **labels}
            if "app.kubernetes.io/component" in labels
            else labels,
            ports=PORTS,
        )
        for name, labels in INSIDE.items()
    ]
    others = [
        StandIn(name=name, namespace=f"{OURS}-{name}", labels={"app": name}, ports=PORTS)
        for name in OUTSIDE
    ]
    return ours + others


def of(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": f"{OURS}-{name}"}}}


VALUES = {
    "exposure": {"kind": "ingress", "hosts": {"gateway": "cop.test", "detection": "eye.test"}},
    "networkPolicies": {
        "ingress": [of("ingress")],
        "prometheus": [of("monitoring")],
        "tak": [{"to": [of("tak")], "ports": [{"port": PORTS["tak"], "protocol": "TCP"}]}],
    },
}


@pytest.fixture(scope="module")
def pods(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[StandIn]]:
    """Stand-ins with the labels of the real pods, under the policies of the chart."""
    pods = stand_ins()
    namespaces = sorted({pod.namespace for pod in pods})
    values = tmp_path_factory.mktemp("networks") / "values.yaml"
    values.write_text(yaml.safe_dump(VALUES))
    text = cluster.helm(
        "template", "sightline", str(CHART), "--namespace", OURS,
        "--values", str(MANIFESTS / "values.yaml"), "--values", str(values),
    )  # fmt: skip
    policies = [each for each in yaml.safe_load_all(text) if each["kind"] == "NetworkPolicy"]
    for each in policies:
        # Helm takes hooks away again once they have run.
        each["metadata"].pop("annotations", None)
    assert {each["metadata"]["namespace"] for each in policies} == {OURS}
    try:
        for name in namespaces:
            cluster.kubectl("create", "namespace", name)
        reachability.start(cluster, pods)
        before = reachability.table(cluster, pods[:1], {("names", "53"): PLACES["names", "53"]})
        assert all(before.values()), before
        applied = "\n---\n".join(map(json.dumps, policies))
        cluster.kubectl("apply", "--filename", "-", input=applied)
        yield pods
    finally:
        cluster.kubectl("delete", "namespace", *namespaces, "--wait=false", check=False)


def allowed() -> set[tuple[str, str, str]]:
    return {
        (who, *target.rsplit(":", 1))  # type: ignore[misc]
        for who, targets in MAY_REACH.items()
        for target in targets.split()
    }


def test_only_what_is_allowed_is_possible(cluster: Cluster, pods: list[StandIn]) -> None:
    expected = allowed()
    asked = 0

    def possible() -> set[tuple[str, str, str]]:
        nonlocal asked
        table = reachability.table(cluster, pods, PLACES)
        # A pod always reaches itself; what two others do is none of our policies' business.
        ours = {key: is_open for key, is_open in table.items() if key[0] != key[1]}
        ours = {key: value for key, value in ours.items() if key[0] in INSIDE or key[1] in INSIDE}
        asked = len(ours)
        return {key for key, is_open in ours.items() if is_open}

    def as_expected() -> bool:
        nonlocal found
        found = possible()
        return found == expected

    found: set[tuple[str, str, str]] = set()
    try:
        wait_for(as_expected, seconds=40, what="the policies to be what they should be")
    except AssertionError:
        assert sorted(found - expected) == [], "possible, and not allowed"
        assert sorted(expected - found) == [], "allowed, and not possible"
    pairs = len(INSIDE) * (len(MAY_REACH) - 1) + len(OUTSIDE) * len(INSIDE)
    assert asked == pairs * len(PORTS) + len(INSIDE) * len(PLACES)


def test_what_no_policy_selects_reaches_everything_that_is_not_ours(
    cluster: Cluster, pods: list[StandIn]
) -> None:
    """So that the table above shows what policies refuse, and not what nobody would answer."""
    outside = [pod for pod in pods if pod.name in OUTSIDE]
    table = reachability.table(cluster, outside, PLACES)
    assert all(table.values()), [key for key, is_open in table.items() if not is_open]
