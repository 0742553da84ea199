"""`sightline doctor`: what is here, what is missing, what to type."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.cli import exits
from sightline.demo.model import demo_model
from sightline.diagnosis import machine

Command = Callable[..., Any]


def findings(sightline: Command, *, absent: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
    ended = sightline("doctor", "--json", absent=absent)
    return ended.code, {each["name"]: each for each in json.loads(ended.out)}


def test_here_everything_that_the_demo_needs_is_there(sightline: Command) -> None:
    code, found = findings(sightline)
    assert [name for name, each in found.items() if each["required"] and not each["ok"]] == []
    assert code == exits.OK


def test_the_model_is_named_with_its_digest(sightline: Command) -> None:
    _, found = findings(sightline)
    digest = hashlib.sha256(demo_model().read_bytes()).hexdigest()
    assert digest[:16] in found["demo model"]["detail"]


@pytest.mark.parametrize(
    ("absent", "finding"),
    [
        ("taky", "sightline[demo]"),
        ("cv2", "sightline[simulator]"),
        ("onnxruntime", "sightline[detection]"),
        ("structlog", "sightline[cop-gateway]"),
    ],
)
def test_what_is_missing_fails_and_says_what_to_type(
    sightline: Command, absent: str, finding: str
) -> None:
    code, found = findings(sightline, absent=(absent,))
    assert code == exits.FAILED
    assert not found[finding]["ok"]
    assert absent in found[finding]["detail"]
    assert found[finding]["remedy"] == f"pip install '{finding}'"


def test_the_list_for_people_says_the_same(sightline: Command) -> None:
    ended = sightline("doctor", absent=("taky",))
    assert ended.code == exits.FAILED
    assert "✗ sightline[demo]: missing taky" in ended.out
    assert "pip install 'sightline[demo]'" in ended.out
    assert "✓ Python" in ended.out


def test_a_port_that_is_taken_is_told_and_is_no_failure() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        taken = machine._port(port, "the gateway")
    assert (taken.ok, taken.required) == (False, False)
    assert "the gateway" in taken.detail
    assert machine._port(port, "the gateway").ok


def test_a_folder_that_cannot_be_written_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Root may write anywhere: only a folder that can take no files at all is closed to everybody.
    monkeypatch.setattr(machine.tempfile, "gettempdir", lambda: "/proc/self")
    found = machine._disk()
    assert (found.ok, found.required) == (False, True)
    assert "cannot be written" in found.detail
