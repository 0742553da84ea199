"""A container engine of the tests' own: dockerd and buildkitd, on sockets of their own.

It needs root, Debian's docker.io and mmdebstrap, and what `make engine` builds. Images are built by
an own buildkitd, since dockerd's built-in one does not write the same bytes twice. What was built
is kept in `.cache/engine` for the next run; processes end with the test run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import oci
from engine import ROOT, program
from running import required, wait_for

CACHE = ROOT / ".cache" / "engine"
IMAGES = ROOT / "tests/end_to_end/images"
EPOCH = "1700000000"

BASE = ("python3", "python3-venv", "ca-certificates", "libstdc++6")
"""What our images stand on here: Debian's Python instead of a registry's image of it."""
SERVERS = ("postgresql-15", "prometheus", "prometheus-alertmanager", "ca-certificates")

DOCKERFILES = {
    "sightline-detection": "services/detection/Dockerfile",
    "sightline-cop-gateway": "services/cop_gateway/Dockerfile",
    "sightline-cli": "sdk/Dockerfile",
    "sightline-dev-tak": "deploy/compose/tak/Dockerfile",
}
KEPT = "2000,10000,8000"
"""Of the builder's layers, in MB: what is kept in any case, what is left free on the disk, and the
most that is kept. Without it, a day of work left 37 GB."""
STAND_INS = ("postgres", "prometheus", "alertmanager", "loki", "collector")

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Engine:
    """Both daemons, and what is asked of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self.data = CACHE / "docker"
        self.environ = dict(os.environ, DOCKER_HOST=self.host)
        self._address = f"unix://{folder}/buildkit.sock"

    @contextlib.contextmanager
    def running(self) -> Iterator[Engine]:
        """From here to there."""
        dockerd = (
            "dockerd", "--host", self.host, "--data-root", str(self.data), "--bridge", "none",
            "--exec-root", str(self.folder / "exec"), "--pidfile", str(self.folder / "docker.pid"),
        )  # fmt: skip
        buildkitd = (
            str(program("buildkitd")), "--addr", self._address, "--root", str(CACHE / "buildkit"),
            "--oci-worker-net", "host", "--allow-insecure-entitlement", "network.host",
            "--oci-worker-gc", "--oci-worker-gc-keepstorage", KEPT,
        )  # fmt: skip
        with self._daemon("dockerd", dockerd), self._daemon("buildkitd", buildkitd):
            wait_for(lambda: self._answers("docker", "version"), what="dockerd to answer")
            wait_for(
                lambda: self._answers(
                    str(program("buildctl")), "--addr", self._address, "debug", "workers"
                ),
                what="buildkitd to answer",
            )
            yield self

    @contextlib.contextmanager
    def _daemon(self, name: str, command: tuple[str, ...]) -> Iterator[None]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)

    def _answers(self, *command: str) -> bool:
        done = subprocess.run(command, env=self.environ, capture_output=True, check=False)
        return done.returncode == 0

    def docker(self, *arguments: str, seconds: float = 120.0, check: bool = True) -> str:
        """What it says on stdout."""
        done = subprocess.run(
            ("docker", *arguments),
            env=self.environ, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"docker {arguments}:\n{done.stderr}"
        return done.stdout

    def inspect(self, name: str) -> dict[str, object]:
        """All that is known of a container or an image."""
        (found,) = json.loads(self.docker("inspect", name))
        return dict(found)

    def build(
        self,
        dockerfile: Path,
        output: str,
        *,
        context: Path = ROOT,
        base: Mapping[str, Path],
        arguments: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
        cached: bool = True,
        authority: Path = CERTIFICATES,
    ) -> str:
        """Build with buildkitd; `base` maps build arguments to OCI layouts. What it said."""
        command = [
            str(program("buildctl")), "--addr", self._address, "build", "--progress", "plain",
            "--frontend", "dockerfile.v0", "--allow", "network.host",
            "--local", f"context={context}", "--local", f"dockerfile={dockerfile.parent}",
            "--opt", f"filename={dockerfile.name}", "--opt", "force-network-mode=host",
            "--opt", f"build-arg:SOURCE_DATE_EPOCH={EPOCH}", "--output", output, *options,
        ]  # fmt: skip
        if not cached:
            command.append("--no-cache")
        if authority.exists():
            command += ["--secret", f"id=ca,src={authority}"]
        for argument, layout in base.items():
            name = argument.removesuffix("_IMAGE").lower()
            digest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
            command += [
                "--oci-layout", f"{name}={layout}", "--opt", f"build-arg:{argument}={name}",
                "--opt", f"context:{name}=oci-layout://{name}@{digest}",
            ]  # fmt: skip
        for name, value in (arguments or {}).items():
            command += ["--opt", f"build-arg:{name}={value}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, f"{dockerfile}:\n{done.stderr[-4000:]}"
        return done.stderr

    def load(self, archive: Path) -> None:
        """Take an image in."""
        self.docker("load", "--quiet", "--input", str(archive), seconds=300.0)
        archive.unlink()

    def images(self, tag: str = "e2e") -> None:
        """Build all that compose needs, and take it in."""
        archive = self.folder / "image.tar"
        for name, dockerfile in DOCKERFILES.items():
            self.build(
                ROOT / dockerfile,
                f"type=docker,name={name}:{tag},dest={archive}",
                base=bases(name),
                arguments={"VERSION": "0.1.0-e2e", "REVISION": "0" * 40},
            )
            self.load(archive)
        for name in STAND_INS:
            self.build(
                IMAGES / "Dockerfile",
                f"type=docker,name=sightline-e2e-{name}:{tag},dest={archive}",
                context=IMAGES,
                base={"SERVERS_IMAGE": debian("servers", *SERVERS)},
                options=(
                    "--opt", f"target={name}", "--opt", "context:programs=local:programs",
                    "--local", f"programs={CACHE / 'bin'}",
                ),
            )  # fmt: skip
            self.load(archive)


def bases(image: str) -> dict[str, Path]:
    """What an image of ours is made from, by build argument."""
    found = {"BASE_IMAGE": debian("base", *BASE)}
    if image == "sightline-cli":
        found["POSTGRES_IMAGE"] = debian("servers", *SERVERS)
    return found


def debian(name: str, *packages: str) -> Path:
    """An OCI layout of a small Debian with these packages; made once."""
    script = IMAGES / "debian.sh"
    state = hashlib.sha256(script.read_bytes() + " ".join(packages).encode()).hexdigest()[:16]
    layout = CACHE / "debian" / f"{name}-{state}"
    if not (layout / "index.json").exists():
        root = CACHE / "debian" / f"{name}.tar"
        root.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [script, root, *packages],
            env=dict(os.environ, SOURCE_DATE_EPOCH=EPOCH),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        oci.layout(root, layout)
        root.unlink()
    return layout


def needs() -> None:
    """Skip where there can be no engine of our own, or fail where every test is required."""
    if os.geteuid() != 0:
        required("a container engine of its own needs root")
    for command, package in (("dockerd", "docker.io"), ("mmdebstrap", "mmdebstrap")):
        if shutil.which(command) is None:
            required(f"{command} is not installed: apt-get install {package}")
    for name in ("buildkitd", "buildctl", "docker-compose", "loki", "otelcol"):
        program(name)
