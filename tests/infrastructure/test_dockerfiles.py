"""Dockerfiles by their linter, and what they and compose.yaml say alike. No engine is needed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from running import required

ROOT = Path(__file__).parents[2]
FOLDERS = ("services", "sdk", "deploy", "tests")
DOCKERFILES = sorted(path for each in FOLDERS for path in ROOT.glob(f"{each}/**/Dockerfile"))
COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "compose.yaml").read_text())
DIGEST = re.compile(r"[a-z0-9/-]+:[A-Za-z0-9._-]+@sha256:[0-9a-f]{64}")
ENDED = ("secrets",)
"""Runs once, as root, to hand out what no other may read."""


def name(path: Path) -> str:
    return str(path.parent.relative_to(ROOT))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=name)
def test_the_linter_has_nothing_to_say(dockerfile):
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        required("hadolint is not installed: it has no wheel for this machine")
    done = subprocess.run([hadolint, dockerfile], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("argument", "pinned"), [("BASE", "python"), ("POSTGRES", "postgres")])
def test_every_image_of_ours_stands_on_what_compose_pins(argument, pinned):
    stated = re.compile(rf"^ARG {argument}_IMAGE=(\S+)$", re.MULTILINE)
    images = {match[1] for each in DOCKERFILES if (match := stated.search(each.read_text()))}
    assert images == {COMPOSE["x-images"][pinned]}


def test_every_image_that_is_not_ours_is_pinned_by_digest():
    assert all(DIGEST.fullmatch(image) for image in COMPOSE["x-images"].values())
    foreign = {s["image"] for s in COMPOSE["services"].values() if "build" not in s}
    assert foreign <= set(COMPOSE["x-images"].values())


@pytest.mark.parametrize("service", sorted(set(COMPOSE["services"]) - set(ENDED)))
def test_a_service_is_hardened_and_bounded(service):
    asked = COMPOSE["services"][service]
    assert asked["read_only"] is True
    assert asked["cap_drop"] == ["ALL"]
    assert "cap_add" not in asked
    assert asked["security_opt"] == ["no-new-privileges:true"]
    assert asked["restart"] == "unless-stopped"
    assert {"mem_limit", "cpus", "pids_limit", "logging"} <= set(asked)
    assert all(port.startswith("127.0.0.1:") for port in asked.get("ports", ()))


def test_no_secret_is_in_an_environment():
    for service, asked in COMPOSE["services"].items():
        for variable in asked.get("environment", {}):
            secret = re.search("PASSWORD|SECRET|KEY|TOKEN|DATABASE", variable)
            assert not secret or variable.endswith("_FILE"), (service, variable)
