"""`sightline init` and `completion`: what they write can be used at once."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.cli import exits
from sightline.cli.completion import completion
from sightline.environments import load

ROOT = Path(__file__).parents[3]
Command = Callable[..., Any]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "environments").mkdir()
    (tmp_path / "deploy/helm").mkdir(parents=True)
    shutil.copytree(ROOT / "deploy/helm/sightline", tmp_path / "deploy/helm/sightline")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_options_make_an_environment_that_can_be_loaded(sightline: Command, checkout: Path) -> None:
    made = sightline(
        "init", "edge", "--yes", "--context", "edge", "--registry", "registry.example.org/s",
        "--public-key", "environments/images.pub", "--approvals", "2", "--write-back",
    )  # fmt: skip
    assert made.code == exits.OK, made.err
    found = load("edge", root=checkout)
    assert found.cluster.context == "edge"
    assert found.chart.values == ("deploy/helm/sightline/values-edge.yaml",)
    assert found.guards.signed_images
    assert found.approvals.required == 2
    assert found.git is not None
    assert "sightline doctor --env edge" in made.out


def test_what_is_not_asked_of_images_is_said(sightline: Command, checkout: Path) -> None:
    assert sightline("init", "lab", "--yes").code == exits.OK
    assert not load("lab", root=checkout).guards.signed_images
    assert "signed_images: false" in (checkout / "environments/lab.yaml").read_text()


def test_nothing_is_overwritten_unasked(sightline: Command, checkout: Path) -> None:
    sightline("init", "lab", "--yes")
    again = sightline("init", "lab", "--yes", "--namespace", "other")
    assert again.code == exits.USAGE
    assert "--force" in again.err
    assert sightline("init", "lab", "--yes", "--namespace", "other", "--force").code == exits.OK
    assert load("lab", root=checkout).cluster.namespace == "other"


def test_a_dry_run_writes_nothing(sightline: Command, checkout: Path) -> None:
    done = sightline("init", "lab", "--yes", "--dry-run")
    assert "name: lab" in done.out
    assert not (checkout / "environments/lab.yaml").exists()


@pytest.mark.parametrize("name", ["Prod", "a b", "-x"])
def test_a_name_that_cannot_be_is_refused(sightline: Command, checkout: Path, name: str) -> None:
    done = sightline("init", "--yes", "--", name)
    assert done.code == exits.USAGE
    assert list((checkout / "environments").iterdir()) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_our_command(sightline: Command, shell: str) -> None:
    done = sightline("completion", shell)
    assert done.code == exits.OK
    assert "_SIGHTLINE_COMPLETE" in done.out
    assert completion.name == "completion"


def test_bash_completes_commands_and_environments(checkout: Path) -> None:
    shutil.copy(ROOT / "environments/dev.yaml", checkout / "environments/dev.yaml")
    script = ROOT / ".venv/bin/sightline"
    if not script.exists():
        pytest.skip("sightline is not installed in .venv")

    def completed(words: str, index: int) -> list[str]:
        done = subprocess.run(
            [str(script)], cwd=checkout, capture_output=True, text=True, check=False,
            env={"_SIGHTLINE_COMPLETE": "bash_complete", "COMP_WORDS": words,
                 "COMP_CWORD": str(index), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert completed("sightline rel", 1) == ["releases"]
    assert completed("sightline releases roll", 2) == ["rollback"]
    assert completed("sightline status --env d", 3) == ["dev"]
