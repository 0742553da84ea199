"""How many cores this process may use, in a container as well.

A container's limit is a quota of its control group and of each group above it. Sources: kernel
docs, cgroup-v2 (cpu.max) and sched-bwc (cpu.cfs_quota_us).
"""

from __future__ import annotations

import math
import os

from telemetry.cgroups import Groups

UNLIMITED = 1 << 30
_GROUPS = Groups()


def available() -> int:
    """The cores that the scheduler and the container's limit leave us; at least one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(allowed or 1, limit(_GROUPS)))


def limit(groups: Groups) -> int:
    """Whole cores of the tightest quota over this process; UNLIMITED where there is none."""
    pairs = zip(
        groups.legacy("cpu", "cpu.cfs_quota_us"),
        groups.legacy("cpu", "cpu.cfs_period_us"),
        strict=False,
    )
    found = [UNLIMITED]
    found += [quota(text) for text in groups.unified("cpu.max")]
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
