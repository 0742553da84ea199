"""How many cores this process may use, in a container as well."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/cpu.max")


def available() -> int:
    """The cores that the scheduler and the container's limit leave us; at least one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(allowed or 1, quota(_CGROUP.read_text()) if _CGROUP.exists() else 1 << 30))


def quota(cpu_max: str) -> int:
    """Whole cores of a cgroup's `cpu.max` ("200000 100000" is two; "max 100000" is no limit)."""
    runtime, _, period = cpu_max.strip().partition(" ")
    if runtime == "max" or not period:
        return 1 << 30
    return max(1, math.floor(int(runtime) / int(period)))
