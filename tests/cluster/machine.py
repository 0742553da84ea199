"""What a cluster takes of this machine: processes, network namespaces, control groups.

Nothing of it has a name outside but its control groups. Every process has the cluster's name in its
environment, network namespaces live as long as a process in them, and a worker is a namespace of
processes and mounts as well: it ends with its first process, as a machine does without power.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from cluster.plan import CONTROL, Node, Plan

MARK = "SIGHTLINE_CLUSTER"
GROUPS = Path("/sys/fs/cgroup")
FORGOTTEN_SECONDS = 1
"""Of a connection that nobody answers: less than between two attempts, once these become rarer (the
kernel sends the first five a second apart). The next one is led to a pod that is there."""


class Machine:
    """The processes of one cluster, by the part's name."""

    def __init__(self, plan: Plan, processes: Mapping[str, int] | None = None) -> None:
        self.plan = plan
        self.processes = dict(processes or {})
        self.stays = False
        """Whether it outlives the process that starts it."""

    def start(
        self,
        part: str,
        command: Sequence[str],
        *,
        within: str | None = None,
        fds: Sequence[int] = (),
    ) -> None:
        """Start a part, in another part's network namespace if need be."""
        prefix = [] if self.stays else ["setpriv", "--pdeathsig", "KILL", "--"]
        if within is not None:
            prefix += self.inside(within)
        logs = self.plan.folder / "log"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{part}.log").open("ab") as log:
            process = subprocess.Popen(
                [*prefix, *command],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env=os.environ | {MARK: self.plan.name}, pass_fds=fds,
            )  # fmt: skip
        # Whether it still runs is asked of the kernel, since others may ask, too.
        process.returncode = 0
        self.processes[part] = process.pid

    def inside(self, part: str) -> list[str]:
        """What goes before a command that is to run in a part's network namespace."""
        return ["nsenter", f"--net=/proc/{self.processes[part]}/ns/net", "--"]

    def runs(self, part: str) -> bool:
        """Whether it has not ended."""
        return _alive(self.processes[part])

    def children(self, part: str) -> list[int]:
        """What it started itself."""
        return _children(self.processes[part])

    def of_pod(self, uid: str, command: bytes) -> list[int]:
        """The processes of a pod with this in their command line."""
        found = []
        for each in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if (
                    each.name.isdigit()
                    and f"/pod{uid}/" in (each / "cgroup").read_text()
                    and command in (each / "cmdline").read_bytes()
                ):
                    found.append(int(each.name))
        return found

    def network(self, part: str) -> None:
        """A network namespace that lives until `remove`."""
        ours = Path("/proc/self/ns/net").readlink()
        self.start(f"network-{part}", ["unshare", "--net", "sleep", "infinity"])
        theirs = Path(f"/proc/{self.processes[f'network-{part}']}/ns/net")
        deadline = time.monotonic() + 10
        while theirs.readlink() == ours:
            assert time.monotonic() < deadline, f"no network namespace for {part}"
            time.sleep(0.002)

    def ip(self, part: str, lines: Sequence[str]) -> None:
        """Configure a network, one command of ip a line."""
        _run(*self.inside(f"network-{part}"), "ip", "-batch", "-", text="\n".join(lines))

    def cables(self) -> None:
        """The control plane's bridge, and a cable from it to every node."""
        self.network("control")
        self.ip(
            "control",
            [
                "link set lo up", "link add nodes type bridge", "link set nodes up",
                f"address add {CONTROL}/24 dev nodes",
            ],
        )  # fmt: skip
        for node in self.plan.nodes:
            self.plug(node)

    def plug(self, node: Node) -> None:
        """A network for a node, without any rule, and its cable."""
        self.network(node.name)
        there = self.processes[f"network-{node.name}"]
        self.ip(
            "control",
            [
                f"link add {node.name} type veth peer name eth0 netns {there}",
                f"link set {node.name} master nodes up",
                f"route replace {node.pods} via {node.address}",
            ],
        )
        others = [each for each in self.plan.nodes if each != node]
        self.ip(
            node.name,
            [
                "link set lo up", f"address add {node.address}/24 dev eth0", "link set eth0 up",
                f"route add default via {CONTROL}",
                *(f"route add {each.pods} via {each.address}" for each in others),
            ],
        )  # fmt: skip
        _run(
            *self.inside(f"network-{node.name}"),
            "sh", "-c",
            "echo 1 >/proc/sys/net/ipv4/ip_forward;"
            # A connection that nobody answers is remembered with the pod that it was led to. For
            # two minutes after a node is lost, who happens to get the same port again is led to a
            # pod that is gone, and its own attempts keep the memory alive.
            f"echo {FORGOTTEN_SECONDS} >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_syn_sent",
        )  # fmt: skip

    def unplug(self, node: Node) -> None:
        """Cut it off: the network is gone, even if somebody is still in it."""
        self.ip("control", [f"link delete {node.name}"])
        self.power_off(f"network-{node.name}")

    def groups(self) -> None:
        """Each node's own place in every hierarchy of control groups."""
        for hierarchy in hierarchies():
            for node in self.plan.nodes:
                group = hierarchy / self.plan.name / node.name
                group.mkdir(parents=True, exist_ok=True)
                for each in (group.parent, group):
                    _open(each)

    def ungroup(self, node: Node) -> None:
        """Forget its control groups, as a machine does that is switched off."""
        for hierarchy in hierarchies():
            group = hierarchy / self.plan.name / node.name
            _wait(functools.partial(_removed, group), f"{group} to empty")

    def power_off(self, part: str) -> None:
        """End it and all that it is parent of, at once."""
        pid = self.processes[part]
        inner = _children(pid)
        for each in (pid, *inner):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        _wait(lambda: not any(_alive(each) for each in (pid, *inner)), f"{part} to end")

    def remove(self) -> None:
        """Nothing stays; and nothing needs to be known of how far a start went."""
        for pid in marked(self.plan.name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _wait(lambda: not marked(self.plan.name), "all processes to end")
        for group in _groups(self.plan.name):
            _wait(functools.partial(_removed, group), f"{group} to empty")
        shutil.rmtree(self.plan.folder, ignore_errors=True)

    def leftovers(self) -> list[str]:
        """What is still there of a cluster: a process, a control group, a mount, a file."""
        found = [f"process {pid}" for pid in marked(self.plan.name)]
        found += [str(group) for group in _groups(self.plan.name)]
        folder = str(self.plan.folder.resolve())
        with Path("/proc/self/mountinfo").open() as mounts:
            found += [line.split()[4] for line in mounts if folder in line]
        if self.plan.folder.exists():
            found.append(folder)
        return found


def hierarchies() -> list[Path]:
    """Where control groups are: one place, or one for each controller."""
    if (GROUPS / "cgroup.controllers").exists():
        return [GROUPS]
    found = []
    with Path("/proc/self/mountinfo").open() as mounts:
        for line in mounts:
            fields = line.split()
            if fields[fields.index("-") + 1] == "cgroup":
                found.append(Path(fields[4]))
    return found


def marked(name: str) -> list[int]:
    """The processes that say they belong to it."""
    wanted = f"{MARK}={name}".encode()
    found = []
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if each.name.isdigit() and wanted in (each / "environ").read_bytes().split(b"\0"):
                found.append(int(each.name))
    return found


def _open(group: Path) -> None:
    """Let a new group use what the one above it has."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (group / name).exists() and not (group / name).read_text().strip():
            (group / name).write_text((group.parent / name).read_text())
    if (group / "cgroup.controllers").exists():
        controllers = (group.parent / "cgroup.controllers").read_text().split()
        wanted = " ".join(f"+{each}" for each in controllers)
        (group.parent / "cgroup.subtree_control").write_text(wanted)


def _groups(name: str) -> Iterator[Path]:
    for hierarchy in hierarchies():
        if (hierarchy / name).exists():
            yield hierarchy / name


def _removed(group: Path) -> bool:
    folders = [each for each in group.rglob("*") if each.is_dir()] if group.exists() else []
    for each in (*sorted(folders, reverse=True), group):
        with contextlib.suppress(OSError):
            each.rmdir()
    return not group.exists()


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _wait(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


def _run(*command: str, text: str | None = None) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
