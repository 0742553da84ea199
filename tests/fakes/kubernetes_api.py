"""As much of a Kubernetes API server as Helm's `lookup` asks: objects that are there, by name."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from running import served

RESOURCES = {"services": "Service", "secrets": "Secret", "namespaces": "Namespace"}
"""What can be there."""

MISSING = {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404}
CORE = "ConfigMap Namespace PersistentVolumeClaim Pod Secret Service ServiceAccount"
KINDS = {
    "v1": tuple(CORE.split()),
    "apps/v1": ("Deployment", "StatefulSet"),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "batch/v1": ("CronJob", "Job"),
    "networking.k8s.io/v1": ("NetworkPolicy",),
    "policy/v1": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io/v1": ("Role", "RoleBinding"),
}
"""What the server says that it knows: Helm 4 asks that of all that it renders."""


@contextlib.contextmanager
def serving(objects: list[Mapping[str, Any]]) -> Iterator[str]:
    """The address of a server that has these objects (of v1), and nothing else."""
    by_path = {_path(each): each for each in objects}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            answer = _discovery(path) or by_path.get(path)
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer or MISSING).encode())

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def kubeconfig(url: str, folder: Path, *, token: str | None = None) -> Path:
    """A file that leads to an API server at that address."""
    file = folder / "kubeconfig"
    user = {} if token is None else {"token": token}
    # YAML is JSON as well.
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "fake",
                "clusters": [{"name": "fake", "cluster": {"server": url}}],
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "eva"}}],
                "users": [{"name": "eva", "user": user}],
            }
        )
    )  # fmt: skip
    return file


def _path(each: Mapping[str, Any]) -> str:
    resource = next(name for name, kind in RESOURCES.items() if kind == each["kind"])
    metadata = each["metadata"]
    within = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"/api/v1{within}/{resource}/{metadata['name']}"


def _discovery(path: str) -> dict[str, Any] | None:
    if path == "/version":
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [
            {"name": version.split("/")[0], "versions": [preferred], "preferredVersion": preferred}
            for version in KINDS
            if "/" in version
            for preferred in [{"groupVersion": version, "version": version.split("/")[1]}]
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version in KINDS:
        resources = [
            {
                "name": "networkpolicies" if kind == "NetworkPolicy" else f"{kind.lower()}s",
                "singularName": "",
                "kind": kind,
                "namespaced": kind != "Namespace",
                "verbs": ["get", "list"],
            }
            for kind in KINDS[version]
        ]
        return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
    return None
