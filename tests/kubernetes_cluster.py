"""A real Kubernetes of the tests' own: a control plane and three workers on this machine.

It needs root, Debian's containerd, runc, containernetworking-plugins and ipset, and what
`make cluster-programs` builds. Nothing is reached from outside but the API server and the registry,
through a doorway on 127.0.0.1. Where SIGHTLINE_KUBECONFIG names a cluster, that one is used: tests
that need nodes of our own are skipped there.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import shutil
import socket
import string
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster import control_plane, helm, images, worker
from cluster.authority import Authority
from cluster.machine import Machine
from cluster.plan import (
    API_PORT,
    CONTROL,
    NAME_SERVER,
    POD_IMAGE,
    REGISTRY,
    REGISTRY_PORT,
    Node,
    Plan,
)  # fmt: skip
from engine import program
from running import required, wait_for

MANIFESTS = Path(__file__).parent / "cluster" / "manifests"
STATE = "cluster.json"


class Cluster:
    """A cluster, and what is asked of it."""

    def __init__(self, folder: Path, *, workers: int = 3, proxy_sync: str = "1s") -> None:
        self.plan = Plan(folder=folder.resolve(), workers=workers, proxy_sync=proxy_sync)
        self.kubeconfig = folder / "kubeconfig"
        self.machine: Machine | None = Machine(self.plan)
        self.registry = REGISTRY
        """What stands before the names of images that were pushed."""
        self.seconds: dict[str, float] = {}
        """When what was done, from the start of `start`."""
        self._registry_port = 0
        self._pod_image = POD_IMAGE

    @classmethod
    def given(cls, kubeconfig: Path) -> Cluster:
        """One that runs: `make cluster`'s own, or anybody's."""
        self = cls(kubeconfig.parent)
        self.kubeconfig = kubeconfig
        state = kubeconfig.parent / STATE
        if state.exists():
            known = json.loads(state.read_text())
            self.plan = Plan(folder=self.plan.folder, workers=known["workers"])
            self.machine = Machine(self.plan, known["processes"])
            self.machine.stays = True
            self._registry_port = known["registry_port"]
            self._first = known["first"]
        else:
            self.machine = None
            self.registry = os.environ.get("SIGHTLINE_REGISTRY", "")
            self._pod_image = ""
        return self

    @contextlib.contextmanager
    def running(self) -> Iterator[Cluster]:
        """From here to there; nothing stays, even of a start that failed."""
        try:
            self.start()
            yield self
        finally:
            self.stop()

    def start(self, *, stays: bool = False) -> None:
        """Until nodes are ready and names are answered."""
        began = time.monotonic()

        def done(what: str) -> None:
            self.seconds[what] = round(time.monotonic() - began, 1)

        machine, plan = self._ours, self.plan
        machine.remove()
        machine.stays = stays
        plan.folder.mkdir(parents=True)
        authority = Authority(plan.folder / "keys")
        machine.groups()
        machine.cables()
        self._first = control_plane.first(plan, authority)
        for part, command in self._first.items():
            machine.start(part, self._program(*command), within="network-control")
        self._doorway(authority)
        archive = plan.folder / "pod.tar"
        images.of_program(program("cluster-pod"), archive, POD_IMAGE)
        for node in plan.nodes:
            worker.write(plan, node, authority, program("cluster"))
            self._power_on(node)
        later = control_plane.second(plan, authority)
        done("started")
        self.load(archive)
        done("images")
        wait_for(self._answers, seconds=60, what=f"the API server; see {plan.folder}/log")
        done("API server")
        for part, command in later.items():
            machine.start(part, self._program(*command), within="network-control")
        for node in plan.nodes:
            (plan.of(node) / "go").touch()
        self._save()
        self.kubectl("apply", "--filename", "-", input=self._manifests())
        done("applied")
        wait_for(lambda: len(self.ready()) == len(plan.nodes), seconds=60, what="ready nodes")
        done("nodes")
        self.kubectl(
            "--namespace", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=60s"
        )
        done("names")

    def stop(self) -> None:
        """End it and forget it."""
        self._ours.remove()

    def alive(self) -> bool:
        """Whether its API server answers."""
        return self.kubectl("get", "--raw", "/readyz", check=False) == "ok"

    def leftovers(self) -> list[str]:
        """What is still on this machine of a cluster that was stopped."""
        return self._ours.leftovers()

    def kubectl_command(self, *arguments: str) -> list[str]:
        """The command itself, for what goes on."""
        return [*self._program("kubectl"), "--kubeconfig", str(self.kubeconfig), *arguments]

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002
        check: bool = True,
    ) -> str:
        """What it says on stdout; with `check=False`, what it says at all."""
        done = subprocess.run(
            self.kubectl_command(*arguments),
            input=input, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        if not check:
            return done.stdout + done.stderr
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}:\n{done.stderr}"
        return done.stdout

    def helm(self, *arguments: str, version: int = 4, check: bool = True) -> str:
        """The same for helm."""
        done = subprocess.run(
            [helm.program(version), *arguments],
            env=os.environ | {"KUBECONFIG": str(self.kubeconfig)},
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        if not check:
            return done.stdout + done.stderr
        assert done.returncode == 0, f"helm {' '.join(arguments)}:\n{done.stderr}"
        return done.stdout

    def push(self, archive: Path, name: str) -> str:
        """Put an image from docker's or OCI's archive into the registry: what pods call it."""
        images.copy(archive, f"{self.registry_here}/{name}")
        return f"{self.registry}/{name}"

    @property
    def registry_here(self) -> str:
        """The registry, as it is reached from this machine."""
        if not self.registry:
            required("a cluster that is given needs SIGHTLINE_REGISTRY for tests with images")
        return f"127.0.0.1:{self._registry_port}" if self._registry_port else self.registry

    @property
    def pod_image(self) -> str:
        """What `cluster.objects` are made of; a cluster that is given gets it by its registry."""
        if not self._pod_image:
            with tempfile.TemporaryDirectory() as folder:
                archive = Path(folder, "pod.tar")
                images.of_program(program("cluster-pod"), archive, POD_IMAGE)
                self._pod_image = self.push(archive, "sightline-test/pod:1")
        return self._pod_image

    def load(self, archive: Path) -> None:
        """Put images straight into every node, under the names in the archive."""
        with concurrent.futures.ThreadPoolExecutor() as several:
            list(several.map(lambda node: self._load(archive, node), self.plan.nodes))

    @property
    def nodes(self) -> list[str]:
        """The names of all nodes."""
        return [node["metadata"]["name"] for node in self._nodes()]

    def ready(self) -> list[str]:
        """The names of those that are ready."""
        return [
            node["metadata"]["name"]
            for node in self._nodes()
            for condition in node["status"].get("conditions", ())
            if condition["type"] == "Ready" and condition["status"] == "True"
        ]

    def node_command(self, command: list[str], number: int = 1) -> list[str]:
        """The command as it must be started to run in a node's network: ClusterIPs work there."""
        return [*self._ours.inside(f"network-node-{number}"), *command]

    @contextlib.contextmanager
    def door(self, host: str, port: int, number: int = 1) -> Iterator[int]:
        """A port of 127.0.0.1 behind which is what a node reaches at that address."""
        with socket.create_server(("127.0.0.1", 0)) as entry:
            part = f"door-{entry.getsockname()[1]}"
            self._ours.start(
                part,
                self._program("doorway", f"{entry.fileno()}={host}:{port}"),
                within=f"network-node-{number}",
                fds=(entry.fileno(),),
            )
            try:
                yield entry.getsockname()[1]
            finally:
                self._ours.power_off(part)

    def node_address(self, number: int = 1) -> str:
        """Where pods reach what `node_command` started."""
        return self._node(number).address

    def kill_node(self, number: int) -> None:
        """As if its power was cut: no process of it lives on, and its link is down."""
        node = self._node(number)
        self._ours.unplug(node)
        self._ours.power_off(node.name)
        self._ours.ungroup(node)

    def restart_api_server(self) -> None:
        """As an upgrade of the control plane does, or a crash: gone at once, and back by itself."""
        part = "kube-apiserver"
        self._ours.power_off(part)
        self._ours.start(part, self._program(*self._first[part]), within="network-control")
        self._save()

    def start_node(self, number: int) -> None:
        """Its power is back; it knows what it had on disk."""
        node = self._node(number)
        self._ours.groups()
        self._ours.plug(node)
        self._power_on(node)
        self._save()

    def _power_on(self, node: Node) -> None:
        command = worker.command(self.plan, node)
        self._ours.start(node.name, command, within=f"network-{node.name}")

    @property
    def _ours(self) -> Machine:
        if self.machine is None:
            required("this needs a cluster of the tests' own, not one that is given")
        return self.machine

    def _node(self, number: int) -> Node:
        return self.plan.nodes[number - 1]

    def _nodes(self) -> list[dict[str, Any]]:
        return list(json.loads(self.kubectl("get", "nodes", "--output", "json"))["items"])

    def _program(self, *command: str) -> list[str]:
        return [str(program("cluster")), *command]

    def _answers(self) -> bool:
        for part in ("etcd", "kube-apiserver"):
            assert self._ours.runs(part), f"{part} has ended; see {self.plan.folder}/log"
        return self.alive()

    def _load(self, archive: Path, node: Node) -> None:
        (inner,) = wait_for(lambda: self._ours.children(node.name), what=f"{node.name} to start")
        door = Path(f"/proc/{inner}/root/run/containerd/containerd.sock")
        wait_for(door.exists, what=f"containerd; see {self.plan.of(node)}/containerd.log")
        images.take_in(archive, door)

    def _doorway(self, authority: Authority) -> None:
        """Listen here, and answer from the control plane's namespace."""
        with (
            socket.create_server(("127.0.0.1", 0)) as api,
            socket.create_server(("127.0.0.1", 0)) as registry,
        ):
            self._ours.start(
                "doorway",
                self._program(
                    "doorway",
                    f"{api.fileno()}={CONTROL}:{API_PORT}",
                    f"{registry.fileno()}={CONTROL}:{REGISTRY_PORT}",
                ),
                within="network-control",
                fds=(api.fileno(), registry.fileno()),
            )
            self._registry_port = registry.getsockname()[1]
            server = f"https://127.0.0.1:{api.getsockname()[1]}"
        authority.kubeconfig(self.kubeconfig, server, "admin", "system:masters")

    def _manifests(self) -> str:
        values = {
            "POD_IMAGE": POD_IMAGE,
            "NAME_SERVER": NAME_SERVER,
            "PROGRAMS": str(program("cluster").parent),
        }
        texts = [path.read_text() for path in sorted(MANIFESTS.glob("*.yaml"))]
        return string.Template("---\n".join(texts)).substitute(values)

    def _save(self) -> None:
        known = {
            "workers": self.plan.workers,
            "processes": self._ours.processes,
            "registry_port": self._registry_port,
            "first": self._first,
        }
        (self.plan.folder / STATE).write_text(json.dumps(known, indent=1))


def needs() -> None:
    """Skip where there can be no cluster of our own, or fail where every test is required."""
    if os.geteuid() != 0:
        required("a cluster of its own needs root")
    for command, package in (
        ("containerd", "containerd"), ("ctr", "containerd"), ("runc", "runc"), ("ip", "iproute2"),
        ("iptables", "iptables"), ("ipset", "ipset"), ("skopeo", "skopeo"),
    ):  # fmt: skip
        if shutil.which(command) is None:
            required(f"{command} is not installed: apt-get install {package}")
    if not Path(worker.PLUGINS, "ptp").exists():
        required("CNI plugins are not installed: apt-get install containernetworking-plugins")
    for name in ("cluster", "cluster-pod"):
        program(name)
