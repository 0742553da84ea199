"""`sightline secrets scan`: files, what is staged, what Git remembers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from access import new_key
from sightline.cli import exits
from sightline.secrets import exceptions

Command = Callable[..., Any]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty one, and the place to work in."""
    for command in (
        ("init", "-q"),
        ("config", "user.name", "Me"),
        ("config", "user.email", "me@example.org"),
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def _commit(repository: Path) -> None:
    for command in (("add", "-A"), ("commit", "-qm", "x")):
        subprocess.run(["git", *command], cwd=repository, check=True)


def test_scan_ends_with_1_and_says_where_but_not_what(
    sightline: Command, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    key, _ = new_key("drone-7", ("detect",))
    (repository / "notes.txt").write_text(f"first\nthe key is {key}\n")
    ended = sightline("secrets", "scan")
    assert ended.code == exits.FAILED
    assert "notes.txt:2: sightline-api-key" in ended.out
    assert key not in ended.out + ended.err
    (repository / ".gitignore").write_text("notes.txt\n")
    assert sightline("secrets", "scan").code == exits.OK
    assert sightline("secrets", "scan", "notes.txt").code == exits.FAILED


def test_a_secret_that_was_deleted_is_found_in_history(
    sightline: Command, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    notes = repository / "notes.txt"
    notes.write_text(new_key("drone-7", ("detect",))[0])
    _commit(repository)
    notes.write_text("nothing")
    _commit(repository)
    assert sightline("secrets", "scan").code == exits.OK
    ended = sightline("secrets", "scan", "--git", "--json")
    assert ended.code == exits.FAILED
    (leak,) = json.loads(ended.out)["leaks"]
    assert leak["name"].startswith("notes.txt@")


def test_staged_looks_at_what_would_be_committed(
    sightline: Command, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    secret = repository / "a secret.txt"
    secret.write_text("none")
    _commit(repository)
    secret.write_text(new_key("drone-7", ("detect",))[0])
    assert sightline("secrets", "scan", "--staged").code == exits.OK
    subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
    secret.write_text("taken back, but only here")
    ended = sightline("secrets", "scan", "--staged")
    assert ended.code == exits.FAILED
    assert "a secret.txt:1" in ended.out


def test_an_exception_covers_one_secret_in_its_place_and_needs_a_reason(
    sightline: Command, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    (repository / "docs").mkdir()
    for name in ("docs/a.txt", "b.txt"):
        (repository / name).write_text(f"{name}\n")
    key, _ = new_key("drone-7", ("detect",))
    (repository / "docs/a.txt").write_text(key)
    (leak,) = json.loads(sightline("secrets", "scan", "--json").out)["leaks"]
    allowed = f'[[allowed]]\nfingerprint = "{leak["fingerprint"]}"\npath = "docs/**"\n'
    (repository / exceptions.NAME).write_text(allowed)
    ended = sightline("secrets", "scan")
    assert (ended.code, "reason" in ended.err) == (exits.FAILED, True)
    (repository / exceptions.NAME).write_text(allowed + 'reason = "a key of no service"\n')
    assert sightline("secrets", "scan").code == exits.OK
    (repository / "b.txt").write_text(key)
    assert sightline("secrets", "scan").code == exits.FAILED
