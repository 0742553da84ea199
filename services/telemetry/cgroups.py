"""What a container's control groups allow, in either version of the kernel's interface.

A limit is that of the process's own group and of each group above it. Sources: cgroups(7); kernel
docs, cgroup-v2 (memory.max, cpu.max) and cgroup-v1/memory (memory.limit_in_bytes).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED_BYTES = 1 << 60
"""Version 1 writes the largest multiple of a page for no limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Groups:
    """Where this process stands, and where the groups are mounted."""

    own: Path = Path("/proc/self/cgroup")
    mount: Path = Path("/sys/fs/cgroup")

    def unified(self, name: str) -> Iterator[str]:
        """That file of version 2, of our group and of those above it."""
        for controllers, path in self._memberships():
            if controllers == "":
                yield from _texts(self.mount, path, name)

    def legacy(self, controller: str, name: str) -> Iterator[str]:
        """That file of version 1."""
        for controllers, path in self._memberships():
            if controller in controllers.split(","):
                for root in dict.fromkeys((self.mount / controllers, self.mount / controller)):
                    yield from _texts(root, path, name)

    def memory_bytes(self) -> float:
        """The tightest limit of memory over this process; NaN where there is none."""
        texts = [*self.unified("memory.max"), *self.legacy("memory", "memory.limit_in_bytes")]
        # Version 2 writes `max` for no limit.
        found = [int(text) for text in texts if text.strip().isdecimal()]
        return min((each for each in found if each < _UNLIMITED_BYTES), default=math.nan)

    def _memberships(self) -> list[tuple[str, str]]:
        try:
            lines = self.own.read_text().splitlines()
        except OSError:
            lines = ["0::/"]
        return [(parts[1], parts[2]) for line in lines if len(parts := line.split(":", 2)) == 3]


def _texts(root: Path, path: str, name: str) -> Iterator[str]:
    """The file of this group and of each one above it, as far as they are seen from here.

    Inside a container, the path is often the host's and leads nowhere, and the root is our own
    group.
    """
    group = root / path.strip("/")
    above = [folder for folder in group.parents if folder.is_relative_to(root)]
    for folder in (group, *above):
        try:
            yield (folder / name).read_text()
        except OSError:
            continue
