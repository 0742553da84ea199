"""How many cores there are, in a container as well."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detection import cores
from telemetry.cgroups import Groups


@pytest.mark.parametrize(
    ("cpu_max", "whole"),
    [
        ("200000 100000\n", 2),
        ("100000 100000\n", 1),
        ("350000 100000\n", 3),
        ("50000 100000\n", 1),  # half a core is still one lane
        ("1600000 50000", 32),
    ],
)
def test_a_quota_is_its_whole_cores_and_never_none(cpu_max, whole):
    assert cores.quota(cpu_max) == whole


@pytest.mark.parametrize("cpu_max", ["max 100000\n", "max\n", "", "-1 100000\n", "100000 0"])
def test_no_quota_is_no_limit(cpu_max):
    assert cores.quota(cpu_max) > 100_000


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def limit(tmp_path: Path, groups: str) -> int:
    own = tmp_path / "own"
    own.write_text(groups)
    return cores.limit(Groups(own=own, mount=tmp_path / "mount"))


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert cores.limit(Groups(own=tmp_path / "none", mount=tmp_path)) == cores.UNLIMITED
    assert limit(tmp_path, "0::/\n") == cores.UNLIMITED


def test_the_tightest_group_above_us_counts(tmp_path):
    mount = tmp_path / "mount"
    write(mount / "machine", cpu__max="800000 100000")
    write(mount / "machine/pod", cpu__max="200000 100000")
    write(mount / "machine/pod/container", cpu__max="max 100000")
    assert limit(tmp_path, "0::/machine/pod/container\n") == 2
    assert limit(tmp_path, "0::/machine\n") == 8
    assert limit(tmp_path, "0::/\n") == cores.UNLIMITED


def test_inside_a_container_the_root_is_our_own_group(tmp_path):
    # The path is the host's, and leads nowhere from here.
    write(tmp_path / "mount", cpu__max="300000 100000")
    assert limit(tmp_path, "0::/kubepods/burstable/pod1/abc\n") == 3


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpu"])
def test_the_first_version_of_control_groups_has_a_limit_too(tmp_path, folder):
    group = tmp_path / "mount" / folder / "docker/abc"
    write(group, cpu__cfs_quota_us="400000", cpu__cfs_period_us="100000")
    groups = "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/system.slice\n"
    assert limit(tmp_path, groups) == 4
    write(group, cpu__cfs_quota_us="-1")
    assert limit(tmp_path, groups) == cores.UNLIMITED


def test_a_limit_counts_where_it_is_tighter_than_what_the_scheduler_allows(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "_GROUPS", Groups(own=tmp_path / "none", mount=tmp_path))
    allowed = len(os.sched_getaffinity(0))
    assert cores.available() == allowed
    write(tmp_path, cpu__max="100000 100000")
    assert cores.available() == 1
    write(tmp_path, cpu__max="99900000 100000")
    assert cores.available() == allowed
