"""An island: a network namespace behind cables that can be cut without a word.

Between us and the island each cable has a router, in a namespace of its own. A cut one forwards no
more: packets vanish, and neither side sees a reset, an ICMP error or a link that is down.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from running import required

_numbers = itertools.count()


class Namespace:
    """Lives until `close`, or until the test's process ends."""

    def __init__(self) -> None:
        ours = Path("/proc/self/ns/net").readlink()
        # cat ends with its input, and the namespace, its cables included, with cat.
        self._keeper = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)
        self.pid = self._keeper.pid
        while Path(f"/proc/{self.pid}/ns/net").readlink() == ours:
            assert self._keeper.poll() is None, "unshare --net failed"
            time.sleep(0.005)
        self.run("ip", "link", "set", "lo", "up")

    def within(self, user: str | None = None) -> list[str]:
        """What goes before a command that is to run there."""
        prefix = ["nsenter", "--target", str(self.pid), "--net"]
        if user is None:
            return [*prefix, "--"]
        who = pwd.getpwnam(user)
        return [*prefix, f"--setuid={who.pw_uid}", f"--setgid={who.pw_gid}", "--"]

    def run(self, *command: str) -> None:
        _run(*self.within(), *command)

    def close(self) -> None:
        self._keeper.stdin.close()
        self._keeper.wait()


@dataclass
class Cable:
    """`address` is the island's, as seen through this cable."""

    address: str
    router: Namespace

    def cut(self) -> None:
        self._forward("0")

    def mend(self) -> None:
        self._forward("1")

    def _forward(self, yes: str) -> None:
        self.router.run("sh", "-c", f"echo {yes} > /proc/sys/net/ipv4/ip_forward")


class Island(Namespace):
    """Where a server is put that can be cut off; reached by any number of cables."""

    def __init__(self) -> None:
        super().__init__()
        self._routers: list[Namespace] = []

    def cable(self) -> Cable:
        """A new one, with addresses of its own (RFC 2544's, which nobody routes)."""
        router, number = Namespace(), next(_numbers)
        self._routers.append(router)
        third = os.getpid() % 250
        near, gate, inner, here = (f"198.18.{third}.{8 * number + i}" for i in (1, 2, 5, 6))
        near_net, here_net = (f"198.18.{third}.{8 * number + i}/30" for i in (0, 4))
        plug = f"sl{os.getpid() % 100_000}-{number}"
        _run("ip", "link", "add", plug, "type", "veth", "peer", "name", "r0",
             "netns", str(router.pid))  # fmt: skip
        router.run("ip", "link", "add", "r1", "type", "veth", "peer", "name", f"c{number}",
                   "netns", str(self.pid))  # fmt: skip
        for run, link, address in (
            (_run, plug, near), (router.run, "r0", gate),
            (router.run, "r1", inner), (self.run, f"c{number}", here),
        ):  # fmt: skip
            run("ip", "address", "add", f"{address}/30", "dev", link)
            run("ip", "link", "set", link, "up")
        _run("ip", "route", "add", here_net, "via", gate)
        self.run("ip", "route", "add", near_net, "via", inner)
        cable = Cable(here, router)
        cable.mend()
        return cable

    def close(self) -> None:
        for each in (*self._routers, super()):
            each.close()


@contextlib.contextmanager
def island() -> Iterator[Island]:
    """Needs root and iproute2; skips (or fails, where everything is required)."""
    if os.getuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        required("network namespaces need root and iproute2")
    made = Island()
    try:
        yield made
    finally:
        made.close()


def _run(*command: str) -> None:
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode == 0, f"{' '.join(command)}: {run.stderr}"
