"""How many cores this process may use, in a container as well.

A container's limit is a quota of its control group and of each group above it, in either version
of the kernel's interface. Sources: cgroups(7); kernel docs, cgroup-v2 (cpu.max) and sched-bwc
(cpu.cfs_quota_us).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
UNLIMITED = 1 << 30


def available() -> int:
    """The cores that the scheduler and the container's limit leave us; at least one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(allowed or 1, limit(_OWN, _MOUNT)))


def limit(own: Path, mount: Path) -> int:
    """Whole cores of the tightest quota over this process; UNLIMITED where there is none."""
    try:
        groups = own.read_text().splitlines()
    except OSError:
        groups = ["0::/"]
    found = [UNLIMITED]
    for line in groups:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            found += [quota(text) for text in _texts(mount, path, "cpu.max")]
        elif "cpu" in controllers.split(","):
            for root in (mount / controllers, mount / "cpu"):
                pairs = zip(
                    _texts(root, path, "cpu.cfs_quota_us"),
                    _texts(root, path, "cpu.cfs_period_us"),
                    strict=False,
                )
                found += [quota(f"{runtime.strip()} {period}") for runtime, period in pairs]
    return min(found)


def quota(cpu_max: str) -> int:
    """Whole cores of a cgroup's `cpu.max` ("200000 100000" is two; "max 100000" is no limit)."""
    runtime, _, period = cpu_max.strip().partition(" ")
    try:
        cores = int(runtime) / int(period)
    except (ValueError, ZeroDivisionError):
        return UNLIMITED
    # Version 1 writes -1 for no limit.
    return UNLIMITED if cores < 0 else max(1, math.floor(cores))


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
