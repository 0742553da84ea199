"""How many cores there are, in a container as well."""

from __future__ import annotations

import os

import pytest

from detection import cores


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


@pytest.mark.parametrize("cpu_max", ["max 100000\n", "max\n", ""])
def test_no_quota_is_no_limit(cpu_max):
    assert cores.quota(cpu_max) > 100_000


def test_a_containers_limit_counts_where_it_is_the_smaller(tmp_path, monkeypatch):
    file = tmp_path / "cpu.max"
    monkeypatch.setattr(cores, "_CGROUP", file)
    allowed = len(os.sched_getaffinity(0))
    assert cores.available() == allowed
    file.write_text("max 100000\n")
    assert cores.available() == allowed
    file.write_text("100000 100000\n")
    assert cores.available() == 1
    file.write_text("99900000 100000\n")
    assert cores.available() == allowed
