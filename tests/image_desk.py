"""Somebody who builds and signs images at a terminal, on the tests' own engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import container_engine
from container_engine import Engine
from engine import ROOT, program
from sightline.images import layout

PASSWORD = "a password of tests"


@dataclass(frozen=True)
class Desk:
    """A person at a terminal: programs, their environment, keys, and where images go."""

    folder: Path
    engine: Engine
    environ: Mapping[str, str]

    @property
    def out(self) -> Path:
        return self.folder / "images"

    @property
    def public(self) -> Path:
        return self.folder / "cosign.pub"

    @property
    def key(self) -> Path:
        return self.folder / "cosign.key"

    def run(self, *command: object, code: int = 0, **environ: str) -> str:
        """What it says on stdout; it must end as it should."""
        done = subprocess.run(
            [str(each) for each in command],
            env={**self.environ, **environ}, cwd=ROOT, capture_output=True, text=True,
            timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def images(self, *arguments: object, code: int = 0, **environ: str) -> str:
        """`sightline images`."""
        return self.run(
            sys.executable, "-m", "sightline.cli.main", "images", *arguments, code=code, **environ
        )

    def build(self, *arguments: object, base: Path | None = None) -> list[dict]:
        """With this engine's BuildKit, on bases that are here."""
        given: list[object] = []
        found = {
            **container_engine.bases("sightline-cli"),
            **({"BASE_IMAGE": base} if base else {}),
        }
        for argument, place in found.items():
            name = argument.removesuffix("_IMAGE").lower()
            digest = layout.opened(place).index.manifests[0].digest
            given += ["--build-arg", f"{argument}={name}", "--build-context"]
            given.append(f"{name}=oci-layout://{place.resolve()}@{digest}")
        return json.loads(
            self.images(
                "build", *arguments, *given, "--json", "--network", "host", "--secret",
                f"id=ca,src={container_engine.CERTIFICATES}", "--buildkit", self.engine._address,
            )
        )  # fmt: skip

    def cosign(self, *arguments: object, code: int = 0) -> str:
        return self.run(program("cosign"), *arguments, code=code)


def repository(folder: Path) -> dict[str, str]:
    """What git must be told, so that this checkout has a commit, wherever it came from."""
    told = {
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
    }  # fmt: skip
    if (ROOT / ".git").exists():
        return told
    told |= {"GIT_DIR": str(folder / "git"), "GIT_WORK_TREE": str(ROOT)}
    who = ("-c", "user.name=Eva", "-c", "user.email=eva@example.org")
    for command in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "as it came")):
        subprocess.run(["git", *command], cwd=ROOT, env={**os.environ, **told}, check=True)
    return told


def sit_down(engine: Engine, folder: Path) -> Desk:
    """With programs, an environment of one's own, and keys."""
    for name in ("docker-buildx", "cosign", "syft", "cluster"):
        program(name)
    (folder / "docker").mkdir()
    plugins = str(program("docker-buildx").parent)
    (folder / "docker/config.json").write_text(json.dumps({"cliPluginsExtraDirs": [plugins]}))
    environ = {
        **os.environ, "DOCKER_HOST": engine.host, "DOCKER_CONFIG": str(folder / "docker"),
        "BUILDX_CONFIG": str(folder / "buildx"), "COSIGN_PASSWORD": PASSWORD,
        "HOME": str(folder), **repository(folder),
    }  # fmt: skip
    made = Desk(folder, engine, environ)
    made.images("keys", "--output", folder)
    return made
