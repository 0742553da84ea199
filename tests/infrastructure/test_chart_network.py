"""Who can reach whom, worked out from the rendered policies as Kubernetes defines them."""

from __future__ import annotations

from typing import Any

import pytest

import manifests
from manifests import COLOURS, NAMESPACE, ROOT, Manifests, rendered

DNS = (53, "UDP")
OUTSIDE = {"namespace": "somewhere", "labels": {}}
MONITORING = {"namespace": "monitoring", "labels": {"app": "prometheus"}}
CONTROLLER = {"namespace": "gateway-system", "labels": {}}
KUBE_DNS = {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
CLIENT = {"namespace": NAMESPACE, "labels": {"sightline.io/client": "true"}}
STRANGER = {"namespace": NAMESPACE, "labels": {"app": "something"}}


def of(component: str, colour: str | None = None) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "sightline", "app.kubernetes.io/component": component}
    return {"namespace": NAMESPACE, "labels": labels | ({"colour": colour} if colour else {})}


def named(namespace: str) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, "nothing else is used here"
    return manifests.selects(selector.get("matchLabels", {}), labels)


def is_peer(peer: dict[str, Any], pod: dict[str, Any]) -> bool:
    if "ipBlock" in peer:
        return pod.get("address") == peer["ipBlock"]["cidr"]
    if "address" in pod:
        return False
    if "namespaceSelector" in peer:
        name = {"kubernetes.io/metadata.name": pod["namespace"]}
        if not matches(peer["namespaceSelector"], name):
            return False
    elif pod["namespace"] != NAMESPACE:
        return False
    return matches(peer.get("podSelector", {}), pod["labels"])


def allowed(
    all_: Manifests, way: str, pod: dict[str, Any], other: dict[str, Any], port: Any
) -> bool:
    """Whether policies let a pod of ours send to (or be sent to by) the other."""
    if pod.get("namespace") != NAMESPACE or "address" in pod:
        return True
    side = "from" if way == "Ingress" else "to"
    chosen = [
        policy["spec"]
        for policy in all_.kind("NetworkPolicy").values()
        if way in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], pod["labels"])
    ]
    if not chosen:
        return True
    number, protocol = port
    return any(
        any(p["port"] == number and p.get("protocol", "TCP") == protocol for p in rule["ports"])
        and any(is_peer(peer, other) for peer in rule[side])
        for spec in chosen
        for rule in spec.get(way.lower()) or ()
    )


def reaches(all_: Manifests, source: Any, target: Any, port: int, protocol: str = "TCP") -> bool:
    asked = (port, protocol)
    return allowed(all_, "Egress", source, target, asked) and allowed(
        all_, "Ingress", target, source, asked
    )


BLUE, GREEN = (of("detection", colour) for colour in COLOURS)
GATEWAY, GREEN_GATEWAY = (of("cop-gateway", colour) for colour in COLOURS)
DATABASE, BACKUPS, MIGRATION = of("database"), of("backups"), of("migration")
TAK = {"address": "198.51.100.16/28"}


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        (BLUE, GATEWAY, 8001),
        (GREEN, GREEN_GATEWAY, 8001),
        (CLIENT, BLUE, 8000),
        (CLIENT, GREEN, 8000),
        (CLIENT, GATEWAY, 8001),
        (MONITORING, BLUE, 8000),
        (MONITORING, GREEN_GATEWAY, 8001),
        (GATEWAY, DATABASE, 5432),
        (GREEN_GATEWAY, DATABASE, 5432),
        (BACKUPS, DATABASE, 5432),
        (MIGRATION, DATABASE, 5432),
    ],
)
def test_who_must_talk_can(source, target, port):
    assert reaches(rendered(), source, target, port)


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        (BLUE, GREEN_GATEWAY, 8001),
        (GREEN, GATEWAY, 8001),
        (BLUE, GREEN, 8000),
        (GATEWAY, BLUE, 8000),
        (BLUE, DATABASE, 5432),
        (CLIENT, DATABASE, 5432),
        (MONITORING, DATABASE, 5432),
        (STRANGER, DATABASE, 5432),
        (STRANGER, GATEWAY, 8001),
        (STRANGER, BLUE, 8000),
        (OUTSIDE, GATEWAY, 8001),
        (OUTSIDE, BLUE, 8000),
        (GATEWAY, DATABASE, 22),
        (GATEWAY, TAK, 8089),
        (GATEWAY, {"address": "0.0.0.0/0"}, 443),
        (BLUE, {"address": "0.0.0.0/0"}, 443),
        (DATABASE, {"address": "0.0.0.0/0"}, 443),
        (DATABASE, GATEWAY, 8001),
        (BACKUPS, GATEWAY, 8001),
        (MIGRATION, GATEWAY, 8001),
        (BACKUPS, {"address": "0.0.0.0/0"}, 443),
        (STRANGER, {"address": "0.0.0.0/0"}, 443),
    ],
)
def test_nobody_else_can(source, target, port):
    assert not reaches(rendered(), source, target, port)


@pytest.mark.parametrize("source", [BLUE, GATEWAY, BACKUPS, MIGRATION, CLIENT])
def test_names_are_resolved_by_those_who_use_names(source):
    assert reaches(rendered(), source, KUBE_DNS, *DNS)
    assert reaches(rendered(), source, KUBE_DNS, 53, "TCP")


def test_the_database_needs_nobody():
    assert not reaches(rendered(), DATABASE, KUBE_DNS, *DNS)


def test_production_reaches_tak_its_database_and_its_collector_and_is_reached_from_outside():
    all_ = rendered(environment="prod")
    assert reaches(all_, GATEWAY, TAK, 8089)
    assert not reaches(all_, GATEWAY, TAK, 443)
    assert not reaches(all_, BLUE, TAK, 8089), "only the gateway speaks to TAK"
    collector = {"namespace": "observability", "labels": {}}
    for source in (BLUE, GREEN_GATEWAY):
        assert reaches(all_, source, collector, 4318)
    for target, port in ((BLUE, 8000), (GREEN, 8000), (GATEWAY, 8001), (GREEN_GATEWAY, 8001)):
        assert reaches(all_, CONTROLLER, target, port)


def test_with_the_example_of_cloudnativepg_the_database_is_reached_by_who_needs_it():
    example = (ROOT / "deploy/helm/examples/cloudnativepg.yaml").read_text()
    all_ = Manifests(f"{rendered(environment='prod').text}\n---\n{example}")
    instance = {"namespace": NAMESPACE, "labels": {"cnpg.io/cluster": "sightline"}}
    for source in (GATEWAY, GREEN_GATEWAY, BACKUPS, MIGRATION, instance):
        assert reaches(all_, source, instance, 5432)
    for source in (BLUE, CLIENT, STRANGER, MONITORING, OUTSIDE):
        assert not reaches(all_, source, instance, 5432)
    operator = {"namespace": "cnpg-system", "labels": {}}
    assert reaches(all_, operator, instance, 8000)
    assert reaches(all_, MONITORING, instance, 9187)


def test_datagrams_reach_the_mesh_at_the_edge():
    all_ = rendered(environment="edge")
    assert reaches(all_, GATEWAY, {"address": "239.2.3.1/32"}, 6969, "UDP")
    assert not reaches(all_, GATEWAY, {"address": "239.2.3.1/32"}, 6969, "TCP")


def test_without_exposure_the_controller_gets_nowhere():
    all_ = rendered(
        {
            "exposure": {"kind": "none"},
            "networkPolicies": {"ingress": [{"namespaceSelector": named("gateway-system")}]},
        }
    )
    assert not reaches(all_, CONTROLLER, GATEWAY, 8001)


def test_everything_is_denied_both_ways_to_begin_with():
    spec = rendered().one("NetworkPolicy", "default-deny")["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert not rendered(manifests.at("networkPolicies.enabled", False)).kind("NetworkPolicy")
