"""Small things to have on a cluster: pods that answer, ask or burn, and a place for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cluster.plan import POD_IMAGE

if TYPE_CHECKING:
    from kubernetes_cluster import Cluster


class Namespace:
    """A place for one test's objects."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.name = cluster, name

    def kubectl(self, *arguments: str, **options: Any) -> str:
        return self.cluster.kubectl("--namespace", self.name, *arguments, **options)

    def apply(self, *objects: dict[str, Any]) -> None:
        text = "\n---\n".join(map(json.dumps, objects)).replace(POD_IMAGE, self.cluster.pod_image)
        self.kubectl("apply", "--filename", "-", input=text)

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "--output", "json"))

    def wait(self, what: str, condition: str = "condition=Ready") -> None:
        self.kubectl("wait", what, f"--for={condition}", "--timeout=90s")

    def ask(self, pod: str, url: str) -> str:
        """What a pod is answered."""
        return self.kubectl("exec", pod, "--", "/pod", "get", url, check=False).strip()


def pod(name: str, *arguments: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": POD_IMAGE, "args": list(arguments)}
    container |= spec.pop("container", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, **spec},
    }


def deployment(name: str, *arguments: str, replicas: int = 3, **spec: Any) -> dict[str, Any]:
    template = pod(name, *arguments, **spec)
    del template["metadata"]["name"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": template["metadata"], "spec": template["spec"]},
        },
    }


def web(name: str = "web", *, replicas: int = 3) -> tuple[dict[str, Any], dict[str, Any]]:
    """Servers on as many nodes, that say who they are, and their Service."""
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": name}},
    }
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    servers = deployment(
        name, "serve", ":8080",
        replicas=replicas,
        topologySpreadConstraints=[spread],
        container={"readinessProbe": probe, "ports": [{"containerPort": 8080}]},
    )  # fmt: skip
    return servers, _service(name, selector={"app": name})


def leading(name: str, address: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A Service that leads to this address alone, whoever has it."""
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }
    return _service(name), endpoints


def _service(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"port": 80, "targetPort": 8080}], **spec},
    }
