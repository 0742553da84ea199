"""Who reaches whom, for every pair of pods and every port: as the cluster lets them.

Stand-ins with the labels of the real pods are asked, in namespaces that have the real policies and
none of the real pods: a Service's selector would take a stand-in for one of its own.
"""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubernetes_cluster import Cluster

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What Pod Security's `restricted` wants of a container."""


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A pod as policies see it; `ports` are above 1023, by their name or number."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]

    def manifest(self, image: str) -> dict[str, Any]:
        """It listens on all its ports."""
        listening = [f":{port}" for port in self.ports.values()]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": self.name, "namespace": self.namespace, "labels": dict(self.labels),
            },
            "spec": {
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "stand-in",
                        "image": image,
                        "args": ["listen", *listening] if listening else [],
                        "ports": [
                            {"name": name, "containerPort": port}
                            for name, port in self.ports.items()
                        ],
                        "securityContext": RESTRICTED,
                    }
                ],
            },
        }  # fmt: skip


def start(cluster: Cluster, pods: Sequence[StandIn]) -> None:
    """Make them; their namespaces are there."""
    image = cluster.pod_image
    text = "\n---\n".join(json.dumps(pod.manifest(image)) for pod in pods)
    cluster.kubectl("apply", "--filename", "-", input=text)
    for pod in pods:
        cluster.kubectl(
            "--namespace", pod.namespace, "wait", f"pod/{pod.name}", "--for=condition=Ready",
            "--timeout=60s",
        )  # fmt: skip


def table(
    cluster: Cluster,
    pods: Sequence[StandIn],
    places: Mapping[tuple[str, str], str] | None = None,
) -> dict[tuple[str, str, str], bool]:
    """By who asks, who is asked, and the port's name: whether a connection came about.

    `places` are addresses (with a port) that are asked besides, by their name and their port's.
    """
    listed = json.loads(cluster.kubectl("get", "pods", "--all-namespaces", "--output", "json"))
    addresses = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): each["status"].get("podIP")
        for each in listed["items"]
    }
    targets = {
        f"{addresses[pod.namespace, pod.name]}:{number}": (pod.name, name)
        for pod in pods
        for name, number in pod.ports.items()
    }
    targets |= {address: place for place, address in (places or {}).items()}

    def ask(pod: StandIn) -> dict[tuple[str, str, str], bool]:
        said = cluster.kubectl(
            "--namespace", pod.namespace, "exec", pod.name, "--", "/pod", "reach", *targets
        )
        words = [line.split() for line in said.splitlines()]
        return {(pod.name, *targets[address]): answer == "yes" for address, answer, *_ in words}

    with concurrent.futures.ThreadPoolExecutor(4) as several:
        return {pair: is_open for rows in several.map(ask, pods) for pair, is_open in rows.items()}
