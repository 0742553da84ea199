"""What the cluster refuses, even of somebody who is in: Pod Security, and the deployer's Role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.reachability import RESTRICTED
from deployment import COMPONENTS, Sightline

pytestmark = pytest.mark.e2e

GOOD = {"name": "main", "image": "none", "securityContext": RESTRICTED}


def container(**security: Any) -> dict[str, Any]:
    return {"containers": [{**GOOD, "securityContext": {**RESTRICTED, **security}}]}


def host_port() -> dict[str, Any]:
    return {"containers": [{**GOOD, "ports": [{"containerPort": 80, "hostPort": 80}]}]}


UNSAFE: dict[str, tuple[dict[str, Any], str]] = {
    "privileged": (container(privileged=True, allowPrivilegeEscalation=True), "privileged"),
    "root": (container(runAsUser=0, runAsNonRoot=False), "runAsNonRoot"),
    "more capabilities": (
        container(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
        "capabilities",
    ),
    "capabilities that are kept": (container(capabilities={}), "capabilities"),
    "more privileges later": (container(allowPrivilegeEscalation=True), "allowPrivilegeEscalation"),
    "no seccomp": (container(seccompProfile={"type": "Unconfined"}), "seccompProfile"),
    "the node's files": (
        {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]},
        "hostPath",
    ),
    "the node's network": ({"hostNetwork": True}, "host namespaces"),
    "the node's processes": ({"hostPID": True}, "host namespaces"),
    "the node's port": (host_port(), "hostPort"),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_pod_is_refused(sightline: Sightline, name: str) -> None:
    spec, reason = UNSAFE[name]
    said = submitted(sightline, spec)
    assert 'violates PodSecurity "restricted' in said
    assert reason in said


def test_a_safe_pod_is_not(sightline: Sightline) -> None:
    assert "created (server dry run)" in submitted(sightline, {})


def submitted(sightline: Sightline, spec: dict[str, Any]) -> str:
    """What the API server says of such a pod, which never runs."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "intruder"},
        "spec": {"containers": [GOOD], **spec},
    }
    command = ("create", "--dry-run=server", "--filename", "-")
    return sightline.kubectl(*command, given=json.dumps(pod), check=False)


def test_no_pod_has_a_token_of_the_clusters(sightline: Sightline) -> None:
    pods = sightline.get("pods")["items"]
    assert len(pods) >= 13
    for pod in pods:
        sources = [
            source
            for volume in pod["spec"].get("volumes", ())
            for source in volume.get("projected", {}).get("sources", ())
        ]
        assert not any("serviceAccountToken" in each for each in sources), pod["metadata"]["name"]
        assert pod["spec"]["serviceAccountName"] != "default", pod["metadata"]["name"]
    for component in COMPONENTS:
        path = "/var/run/secrets/kubernetes.io/serviceaccount/token"
        look = f"import os; print(os.path.exists({path!r}), os.listdir('/run/secrets') != [])"
        said = sightline.kubectl("exec", f"deploy/{component}-blue", "--", "python", "-c", look)
        assert said.split() == ["False", "True"]


@pytest.fixture(scope="module")
def deployer(sightline: Sightline) -> Iterator[Path]:
    """A kubeconfig that has the deployer's token, and nothing else."""
    token = sightline.kubectl("create", "token", "sightline-deployer", "--duration=1h").strip()
    known = yaml.safe_load(sightline.cluster.kubeconfig.read_text())
    for user in known["users"]:
        user["user"] = {"token": token}
    file = sightline.folder / "deployer.kubeconfig"
    file.write_text(yaml.safe_dump(known))
    file.chmod(0o600)
    yield file
    file.unlink()


def test_the_deployer_can_look_switch_and_go_back(sightline: Sightline, deployer: Path) -> None:
    before = sightline.active()
    to = "green" if before == "blue" else "blue"
    assert set(sightline.colours("status", kubeconfig=deployer).said["active"].values()) == {before}
    found = sightline.colours("preflight", "--to", to, "--no-smoke", kubeconfig=deployer).said
    assert all(each["outcome"] != "failed" for each in found["findings"]), found
    with sightline.traffic("deployer") as traffic:
        done = sightline.colours("switch", "--to", to, "--no-smoke", kubeconfig=deployer)
        assert done.said["outcome"] == "done"
        assert {sightline.active(component) for component in COMPONENTS} == {to}
        sightline.colours("rollback", kubeconfig=deployer)
    assert {sightline.active(component) for component in COMPONENTS} == {before}
    assert traffic.failures == []


MAY = (
    "get pods", "list pods", "watch deployments.apps", "get pods:log", "create pods:portforward",
    "list endpointslices.discovery.k8s.io", "patch services/detection-active",
    "patch services/cop-gateway-preview", "update configmaps/sightline-colours",
    "patch horizontalpodautoscalers.autoscaling/detection-blue", "create configmaps",
    "get secrets/sightline-deployer",
)  # fmt: skip
MAY_NOT = (
    "list secrets", "get secrets/sightline-cop-gateway", "get secrets/sightline-detection",
    "get secrets/sightline-database", "create secrets", "create pods", "delete pods", "patch pods",
    "create pods:exec", "create pods:attach", "create pods:eviction", "patch deployments.apps",
    "patch deployments.apps:scale", "delete deployments.apps", "patch services/detection-blue",
    "patch services/sightline-database", "delete services", "update configmaps/detection-blue",
    "delete configmaps/sightline-colours", "delete persistentvolumeclaims",
    "create serviceaccounts:token", "patch roles.rbac.authorization.k8s.io",
    "create rolebindings.rbac.authorization.k8s.io", "delete networkpolicies.networking.k8s.io",
    "delete horizontalpodautoscalers.autoscaling",
)  # fmt: skip
"""Verb, resource, /name, :subresource."""


@pytest.mark.parametrize(
    ("expected", "deeds"), [("yes", MAY), ("no", MAY_NOT)], ids=["may", "may not"]
)
def test_what_the_deployer_may(
    sightline: Sightline, deployer: Path, expected: str, deeds: tuple[str, ...]
) -> None:
    def answer(deed: str) -> str:
        verb, what = deed.split()
        what, _, below = what.partition(":")
        command = ["auth", "can-i", verb, what, *([f"--subresource={below}"] if below else [])]
        return sightline.kubectl("--kubeconfig", str(deployer), *command, check=False).split()[-1]

    assert {deed: answer(deed) for deed in deeds} == dict.fromkeys(deeds, expected)


def test_the_deployer_may_nothing_elsewhere(sightline: Sightline, deployer: Path) -> None:
    for namespace in ("kube-system", "tak", "default"):
        said = sightline.cluster.kubectl(
            "--kubeconfig", str(deployer), "--namespace", namespace, "get", "pods", check=False
        )
        assert "Forbidden" in said or "forbidden" in said
