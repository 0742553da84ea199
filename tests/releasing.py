"""A site's checkout with its environment, and `sightline releases` typed in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from cluster import helm
from deployment import CHART, MANIFESTS, Ran, Sightline

FILE = "environments/colours/live.yaml"
SIGHTLINE = str(Path(sys.executable).with_name("sightline"))


class SiteCheckout:
    """A Git repository with a remote; its environment `live` is where `sightline` is installed."""

    def __init__(self, sightline: Sightline, folder: Path, **environment: Any) -> None:
        self.sightline = sightline
        self.remote = folder / "remote.git"
        self.root = folder / "checkout"
        self.keys = folder / "keys"
        self.git_at(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.remote))
        self.git_at(folder, "clone", "--quiet", str(self.remote), str(self.root))
        shutil.copytree(CHART, self.root / "chart")
        shutil.copy(MANIFESTS / "values.yaml", self.root / "values.yaml")
        (self.root / "environments").mkdir()
        self.write(environment)
        self.git("checkout", "--quiet", "-b", "main")
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", "the site")
        self.git("push", "--quiet", "origin", "main")

    def write(self, also: dict[str, Any], *, signed: bool = False) -> None:
        """The environment's file."""
        sightline = self.sightline
        document = {
            "name": "live",
            "cluster": {
                "kubeconfig": str(sightline.cluster.kubeconfig),
                "namespace": sightline.namespace,
            },
            "chart": {"path": "chart", "values": ["values.yaml"], "timeout_seconds": 180},
            "images": {
                "registry": sightline.cluster.registry,
                "reached_as": sightline.cluster.registry_here,
                "insecure": True,
                "public_key": "images.pub",
            },
            "guards": {"signed_images": signed},
            "git": {"file": FILE},
            "watch": {"minutes": 0.2},
            **also,
        }
        (self.root / "environments/live.yaml").write_text(yaml.safe_dump(document))

    def git(self, *arguments: str) -> str:
        return self.git_at(self.root, *arguments)

    @staticmethod
    def git_at(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=Eva", "-c", "user.email=eva@example.org", *arguments],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def told(self) -> dict[str, Any]:
        """What Git knows."""
        found = yaml.safe_load(self.git_at(self.remote, "show", f"main:{FILE}"))
        assert isinstance(found, dict)
        return found

    def command(self, *arguments: str) -> list[str]:
        return [SIGHTLINE, "releases", *arguments, "--env", "live", "--helm", helm.program(4)]

    def releases(self, *arguments: str, kubeconfig: Path | None = None, check: bool = True) -> Ran:
        """`sightline releases …`, as from a shell in the checkout."""
        more = ("--kubeconfig", str(kubeconfig)) if kubeconfig else ()
        began = time.monotonic()
        done = subprocess.run(
            [*self.command(*arguments), *more, "--json"],
            cwd=self.root, capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
        seconds = time.monotonic() - began
        assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        document = json.loads(done.stdout) if done.stdout.strip() else {}
        return Ran(code=done.returncode, said=document, told=done.stderr, seconds=seconds)

    def sightline_images(self, *arguments: str) -> None:
        """`sightline images …`, with the signing key's password in the environment."""
        done = subprocess.run(
            [SIGHTLINE, "images", *arguments], cwd=self.root, capture_output=True, text=True,
            env=os.environ | {"COSIGN_PASSWORD": "of tests"}, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def killed(self, *arguments: str, at: str) -> str:
        """The same, killed (SIGKILL, helm included) once it says `at`; what it had said."""
        process = subprocess.Popen(
            self.command(*arguments), cwd=self.root, text=True, env=os.environ | {"CI": "1"},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stderr is not None
        said = ""
        try:
            for line in process.stderr:
                said += line
                if at in line:
                    break
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stderr.close()
        assert at in said, said
        return said
