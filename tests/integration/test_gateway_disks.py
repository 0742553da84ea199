"""A disk that is full: refused in clear words, nothing acknowledged lost, and no hand needed."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from producers import Producers, arrived, delivered
from running import Gateway, TakClient, Taky, report, required, started, wait_for


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of sixteen megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        required("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_refuses_clearly_and_goes_on_once_there_is_room(
    tmp_path: Path, taky: Taky, small_disk: Path
) -> None:
    client = TakClient(taky.port)
    gateway = Gateway(
        tmp_path, sink=taky.url, database=f"sqlite:///{small_disk / 'gateway.db'}",
        log_level="error", min_free_megabytes="1",
    )  # fmt: skip
    with started(gateway):
        producers = Producers([gateway])
        producers.start()
        try:
            wait_for(lambda: len(producers.acknowledged) > 5, what="frames")
            ballast = small_disk / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb") as file:
                while True:
                    file.write(b"\0" * 4096)
                    file.flush()
            wait_for(lambda: producers.refused > 5, what="refusals")
            answer = gateway.post(report("late", camera="another"))
            assert answer.status in (503, 507)
            assert answer.headers["content-type"] == "application/problem+json"
            assert "Traceback" not in answer.body.decode()
            ballast.unlink()
            producers.get_on(5)
        finally:
            producers.stop()
        delivered(gateway)
        arrived(client, producers.acknowledged)
    client.close()
