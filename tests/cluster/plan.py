"""What a cluster is called and where everything in it is: decided before anything runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

CONTROL = "10.90.0.1"
"""The control plane's address; networks are the same in every cluster, each has its own copy."""
API_PORT, REGISTRY_PORT = 6443, 5000
REGISTRY = f"{CONTROL}:{REGISTRY_PORT}"
SERVICES, PODS = "10.96.0.0/16", "10.244.0.0/16"
FIRST_SERVICE, NAME_SERVER = "10.96.0.1", "10.96.0.10"
ZONES = "abc"

POD_IMAGE = f"{REGISTRY}/sightline-test/pod:1"
"""One small program: the sandbox of every pod, and a web server for tests."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A worker."""

    number: int

    @property
    def name(self) -> str:
        return f"node-{self.number}"

    @property
    def address(self) -> str:
        return f"10.90.0.{10 + self.number}"

    @property
    def pods(self) -> str:
        """The range that its pods' addresses are from."""
        return f"10.244.{self.number}.0/24"

    @property
    def zone(self) -> str:
        return ZONES[(self.number - 1) % len(ZONES)]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One cluster."""

    folder: Path
    workers: int = 3
    proxy_sync: str = "1s"
    """How long kube-proxy collects changes: as Kubernetes has it."""

    @property
    def name(self) -> str:
        """Its own on this machine, and the same whenever the folder is."""
        return "sightline-" + hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:8]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(Node(number=number) for number in range(1, self.workers + 1))

    def of(self, node: Node) -> Path:
        return self.folder / node.name
