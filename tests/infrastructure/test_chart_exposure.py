"""What is reached from outside, and what others pick up: routes, monitors, rules, dashboards."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

import manifests
from manifests import COMPONENTS, ROOT, rendered

PORTS = {"detection": 8000, "cop-gateway": 8001}
WITHIN: dict[str, Any] = {"networkPolicies": {"ingress": [{"podSelector": {}}]}}
HOSTS = {"gateway": "cop.example.org", "detection": "detect.example.org"}
SELECTED = {"app.kubernetes.io/name": "sightline"}


@pytest.mark.parametrize(("section", "component"), COMPONENTS.items())
def test_a_route_leads_to_the_active_colour_and_not_to_probes_or_metrics(section, component):
    route = rendered(environment="prod").one("HTTPRoute", component)
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert route["spec"]["hostnames"] == [HOSTS[section]]
    assert route["spec"]["parentRefs"] == [
        {"name": "public", "namespace": "gateway-system", "sectionName": "https"}
    ]
    (rule,) = route["spec"]["rules"]
    paths = {(match["path"]["type"], match["path"]["value"]) for match in rule["matches"]}
    assert paths == {("Exact", "/"), ("PathPrefix", "/v1"), ("PathPrefix", "/v2")}
    (backend,) = rule["backendRefs"]
    assert (backend["name"], backend["port"]) == (f"{component}-active", PORTS[component])


@pytest.mark.parametrize(("section", "component"), COMPONENTS.items())
def test_an_ingress_has_tls_and_leads_to_the_active_colour_and_not_to_probes(section, component):
    ingress = rendered(environment="edge").one("Ingress", component)["spec"]
    (rule,) = ingress["rules"]
    assert ingress["tls"] == [{"hosts": [rule["host"]], "secretName": "sightline-tls"}]
    assert {(p["path"], p["pathType"]) for p in rule["http"]["paths"]} == {
        ("/", "Exact"),
        ("/v1", "Prefix"),
        ("/v2", "Prefix"),
    }
    services = {p["backend"]["service"]["name"] for p in rule["http"]["paths"]}
    assert services == {f"{component}-active"}


def test_the_two_ways_in_exclude_each_other_and_none_is_the_default():
    assert not rendered().kind("Ingress")
    assert not rendered().kind("HTTPRoute")
    assert not rendered(environment="prod").kind("Ingress")
    assert not rendered(environment="edge").kind("HTTPRoute")


def test_a_service_without_a_host_is_not_exposed():
    values = {**WITHIN, "exposure": {"kind": "ingress", "hosts": {"gateway": "cop.example.org"}}}
    assert set(rendered(values).kind("Ingress")) == {"cop-gateway"}


def test_a_gateway_of_our_own_ends_tls_for_each_host():
    values = {
        **WITHIN,
        "exposure": {
            "kind": "httpRoute",
            "hosts": HOSTS,
            "tlsSecret": "certificate",
            "httpRoute": {"gatewayClassName": "cilium"},
        },
    }
    all_ = rendered(values)
    spec = all_.one("Gateway", "sightline")["spec"]
    assert spec["gatewayClassName"] == "cilium"
    assert {each["hostname"] for each in spec["listeners"]} == set(HOSTS.values())
    for each in spec["listeners"]:
        assert (each["port"], each["protocol"], each["tls"]["mode"]) == (443, "HTTPS", "Terminate")
        assert each["tls"]["certificateRefs"] == [{"kind": "Secret", "name": "certificate"}]
    for section, component in COMPONENTS.items():
        parents = all_.one("HTTPRoute", component)["spec"]["parentRefs"]
        assert parents == [{"name": "sightline", "sectionName": section}]


@pytest.mark.parametrize("component", COMPONENTS.values())
def test_prometheus_reads_each_pod_once_and_calls_the_job_as_the_rules_do(component):
    all_ = rendered(environment="prod")
    spec = all_.one("ServiceMonitor", component)["spec"]
    read = {
        name
        for name, each in all_.kind("Service").items()
        if manifests.selects(spec["selector"]["matchLabels"], each["metadata"]["labels"])
        and all(
            each["metadata"]["labels"].get(expression["key"]) in expression["values"]
            for expression in spec["selector"]["matchExpressions"]
        )
    }
    assert read == {f"{component}-blue", f"{component}-green"}
    service = all_.one("Service", f"{component}-blue")["metadata"]["labels"]
    assert service[spec["jobLabel"]] == component
    (endpoint,) = spec["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    rules = "".join(p.read_text() for p in (ROOT / "observability/prometheus/rules").glob("*.yaml"))
    assert re.search(rf'job[=~!]+"[^"]*\b{component}\b', rules)


def test_rules_are_those_of_the_repository():
    found = rendered(environment="prod").kind("PrometheusRule")
    sources = {
        f"sightline-{path.stem}": yaml.safe_load(path.read_text())
        for path in (ROOT / "observability/prometheus/rules").glob("*.yaml")
    }
    assert {name: each["spec"] for name, each in found.items()} == sources


def test_dashboards_are_those_of_the_repository_and_marked_for_grafanas_sidecar():
    all_ = rendered(environment="prod")
    boards = {
        name: each
        for name, each in all_.kind("ConfigMap").items()
        if each["metadata"]["labels"].get("grafana_dashboard") == "1"
    }
    sources = {p.name: p for p in (ROOT / "observability/grafana/generated").glob("*/*.json")}
    found = {
        file: json.loads(text) for each in boards.values() for file, text in each["data"].items()
    }
    assert found == {name: json.loads(path.read_text()) for name, path in sources.items()}
    for each in boards.values():
        assert each["metadata"]["annotations"] == {"grafana_folder": "Sightline"}


def test_nothing_of_prometheus_operator_is_there_unless_asked():
    kinds = {each["kind"] for each in rendered().objects}
    assert not kinds & {"ServiceMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute", "Gateway"}


@pytest.mark.parametrize("component", COMPONENTS.values())
def test_helm_test_asks_the_active_colour_as_a_client_would(component):
    all_ = rendered()
    pod = all_.pod(f"Pod/{component}-test")
    assert pod.labels["sightline.io/client"] == "true", "policies let nobody else"
    assert all_.one("Pod", f"{component}-test")["metadata"]["annotations"]["helm.sh/hook"] == "test"
    command = pod.main["command"]
    assert command[:2] == ["python", "-c"]
    compile(command[2], "reach.py", "exec")
    assert command[4].startswith("/v1/"), "what nobody may ask without a key"
    assert command[3] == f"http://{component}-active:{PORTS[component]}"
    assert pod.main["image"] == all_.pod(f"Deployment/{component}-blue").main["image"]
    for services in all_.kind("Service").values():
        assert not manifests.selects(services["spec"]["selector"], pod.labels)
    assert not rendered(manifests.at("tests.enabled", False)).kind("Pod")
    assert SELECTED.items() <= pod.labels.items()
