"""A container's limit of memory, as the kernel writes it down in either version."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from telemetry import metrics
from telemetry.cgroups import Groups


def groups(tmp_path: Path, memberships: str, files: dict[str, str]) -> Groups:
    for name, text in files.items():
        file = tmp_path / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "own").write_text(memberships)
    return Groups(own=tmp_path / "own", mount=tmp_path / "mount")


@pytest.mark.parametrize(
    ("memberships", "files", "limit"),
    [
        ("0::/\n", {"memory.max": "536870912\n"}, 536870912),
        ("0::/kubepods/pod1/abc\n", {"memory.max": "536870912\n"}, 536870912),
        (
            "0::/pod/container\n",
            {"pod/memory.max": "1000000\n", "pod/container/memory.max": "2000000\n"},
            1000000,
        ),
        (
            "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n",
            {"memory/docker/abc/memory.limit_in_bytes": "268435456\n"},
            268435456,
        ),
        ("9:memory:/docker/abc\n", {"memory/memory.limit_in_bytes": "268435456\n"}, 268435456),
    ],
    ids=["own root", "the host's path", "tightest above", "version 1", "version 1 in a container"],
)
def test_the_limit_is_the_tightest_one_over_the_process(tmp_path, memberships, files, limit):
    assert groups(tmp_path, memberships, files).memory_bytes() == limit


@pytest.mark.parametrize(
    ("memberships", "files"),
    [
        ("0::/\n", {}),
        ("0::/\n", {"memory.max": "max\n"}),
        ("0::/\n", {"memory.max": "\n"}),
        ("9:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}),
        ("nonsense\n", {"memory.max": "1000\n"}),
    ],
    ids=["no file", "max", "empty", "version 1's largest", "no membership"],
)
def test_no_limit_is_not_a_number(tmp_path, memberships, files):
    assert math.isnan(groups(tmp_path, memberships, files).memory_bytes())


def test_where_there_are_no_groups_the_root_is_looked_at(tmp_path):
    (tmp_path / "memory.max").write_text("4096")
    assert Groups(own=tmp_path / "none", mount=tmp_path).memory_bytes() == 4096


def test_every_service_tells_its_limit():
    told = metrics.registry(service="tested", version="1", colour="blue")
    value = told.registry.get_sample_value("sightline_memory_limit_bytes")
    expected = Groups().memory_bytes()
    assert value == expected or (math.isnan(value) and math.isnan(expected))
