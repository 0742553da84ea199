"""Services, and the colour that they select: what a switch changes, and no upgrade may."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

import manifests
from fakes import kubernetes_api
from manifests import CHART, COLOURS, COMPONENTS, ENVIRONMENTS, NAMESPACE, Manifests, rendered

PORTS = {"detection": 8000, "cop-gateway": 8001}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("component", COMPONENTS.values())
def test_each_service_is_there_four_times_and_differs_in_the_colour_alone(environment, component):
    services = rendered(environment=environment).kind("Service")
    chosen = {}
    for which in ("active", "preview", "blue", "green"):
        spec = services[f"{component}-{which}"]["spec"]
        colour = spec["selector"].pop("colour")
        chosen[which] = colour
        assert spec["selector"] == {
            "app.kubernetes.io/name": "sightline",
            "app.kubernetes.io/component": component,
        }
        spec["selector"]["colour"] = colour
        (port,) = spec["ports"]
        assert (port["name"], port["port"], port["targetPort"]) == (
            "http",
            PORTS[component],
            "http",
        )
    assert chosen == {"active": "blue", "preview": "green", "blue": "blue", "green": "green"}


def test_values_say_the_colour_of_the_first_install():
    services = rendered(manifests.at("activeColour", "green")).kind("Service")
    for component in COMPONENTS.values():
        assert services[f"{component}-active"]["spec"]["selector"]["colour"] == "green"
        assert services[f"{component}-preview"]["spec"]["selector"]["colour"] == "blue"


def service(component: str, colour: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": f"{component}-active",
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {
                "meta.helm.sh/release-name": "sightline",
                "meta.helm.sh/release-namespace": NAMESPACE,
            },
        },
        "spec": {"selector": {"colour": colour}},
    }


def secret(name: str, content: str) -> dict[str, Any]:
    data = {"keys.toml": base64.b64encode(content.encode()).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": data,
    }


def against(
    objects: list[dict[str, Any]],
    folder: Path,
    values: dict[str, Any] | None = None,
    version: int = 4,
    verb: str = "template",
) -> Any:
    """What helm renders where these objects are in the cluster."""
    with kubernetes_api.serving(objects) as url:
        config = kubernetes_api.kubeconfig(url, folder)
        return manifests.run_helm(
            *(verb, "sightline", CHART, "--namespace", NAMESPACE, "--dry-run=server"),
            *("--kubeconfig", config, "--disable-openapi-validation"),
            version=version,
            values=manifests.merged(manifests.LEAST, values or {}),
        )


@pytest.mark.parametrize("version", [4, 3])
def test_an_upgrade_never_moves_traffic(tmp_path, version):
    done = against(
        [service(c, "green") for c in COMPONENTS.values()],
        tmp_path,
        {"activeColour": "blue"},
        version,
    )
    assert done.returncode == 0, done.stderr
    services = Manifests(done.stdout).kind("Service")
    for component in COMPONENTS.values():
        assert services[f"{component}-active"]["spec"]["selector"]["colour"] == "green"
        assert services[f"{component}-preview"]["spec"]["selector"]["colour"] == "blue"


def test_in_the_middle_of_a_switch_each_service_keeps_its_own_colour(tmp_path):
    done = against([service("cop-gateway", "green"), service("detection", "blue")], tmp_path)
    services = Manifests(done.stdout).kind("Service")
    active = {c: services[f"{c}-active"]["spec"]["selector"]["colour"] for c in COMPONENTS.values()}
    assert active == {"detection": "blue", "cop-gateway": "green"}


def test_the_colour_that_serves_cannot_be_taken_away(tmp_path):
    done = against(
        [service(c, "green") for c in COMPONENTS.values()],
        tmp_path,
        {"colours": {"green": {"enabled": False}}},
    )
    assert done.returncode != 0
    assert "detection-active serves green: switch colours first" in done.stderr


def test_notes_say_which_secrets_are_missing_and_who_makes_them(tmp_path):
    there = {
        "sightline-detection": ["gateway-key", "keys.toml", "token-secret"],
        "sightline-cop-gateway": ["keys.toml", "token-secret"],
        "sightline-database": ["password"],
    }
    objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}]
    for name, keys in there.items():
        objects.append(secret(name, "") | {"data": dict.fromkeys(keys, "eA==")})
    done = against(objects, tmp_path, verb="install")
    assert done.returncode == 0, done.stderr
    notes = " ".join(done.stdout.partition("NOTES:")[2].split())
    missing = "sightline-cop-gateway/database-url, sightline-deployer/key"
    assert f"pods wait for what Secrets lack: {missing}. Make it with" in notes
    assert "deploy/helm/entrust.py --folder FOLDER" in notes
    assert (manifests.ROOT / "deploy/helm/entrust.py").exists()


def test_a_changed_secret_starts_the_pods_anew(tmp_path):
    def sums(*objects: dict[str, Any]) -> dict[str, str | None]:
        all_ = Manifests(against(list(objects), tmp_path).stdout)
        owners = [f"Deployment/{c}-{colour}" for c in COMPONENTS.values() for colour in COLOURS]
        return {o: all_.pod(o).annotations.get("checksum/secret") for o in owners}

    assert set(sums().values()) == {None}
    first, second = (sums(secret("sightline-detection", text)) for text in ("one", "two"))
    changed = {owner for owner in first if first[owner] != second[owner]}
    assert changed == {"Deployment/detection-blue", "Deployment/detection-green"}
