"""What `helm test` runs, against real gateways: one that is guarded, and one that is open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from access.keys import new_key
from running import Gateway, free_port, started

REACH = Path(__file__).parents[2] / "deploy/helm/sightline/files/reach.py"


def reach(url: str, *guarded: str) -> subprocess.CompletedProcess[str]:
    # As in a pod: the script itself is the argument.
    return subprocess.run(
        [sys.executable, "-c", REACH.read_text(), url, *guarded],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_gateway_that_is_ready_and_guarded_passes(tmp_path):
    keys = tmp_path / "keys.toml"
    keys.write_text(new_key("operator", ("operate",))[1])
    with started(Gateway(tmp_path / "g", access__keys=str(keys))) as gateway:
        done = reach(gateway.url, "/v1/sinks")
    assert (done.returncode, done.stdout) == (0, f"{gateway.url} is ready\n")


def test_a_gateway_that_lets_everybody_in_fails(tmp_path):
    with started(Gateway(tmp_path / "g")) as gateway:
        done = reach(gateway.url, "/v1/sinks")
        meant = reach(gateway.url)
    assert meant.returncode == 0, "where values say that it is open"
    assert done.returncode == 1
    assert "answers 200 to somebody without a key, and not 401" in done.stderr


def test_nobody_there_fails_and_says_so(tmp_path, monkeypatch):
    hurried = REACH.read_text().replace("SECONDS = 60.0", "SECONDS = 0.5")
    done = subprocess.run(
        [sys.executable, "-c", hurried, f"http://127.0.0.1:{free_port()}", "/v1/sinks"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "/ready answers nothing" in done.stderr
