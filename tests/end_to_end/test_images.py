"""Images in a real engine: what is in them, how they run, and that they are the same twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from container_engine import DOCKERFILES, Engine, bases
from engine import ROOT
from fakes.authority import Authority
from running import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

SERVICES = {"sightline-detection": 450, "sightline-cop-gateway": 250}
"""With the megabytes that they may have."""

PUBLIC = {"sightline-detection": {"messages"}, "sightline-cop-gateway": {"messages", "tak"}}
"""Packages of the SDK that each service has."""
OURS = {
    "sightline-detection": {"access", "detection", "serving", "sightline", "telemetry"},
    "sightline-cop-gateway": {"access", "cop_gateway", "serving", "sightline", "telemetry"},
}
HARDENED = (
    "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
    "--user", "10001:10001", "--network", "none", "--tmpfs", "/tmp",
)  # fmt: skip
RUN = {
    "sightline-detection": (
        "--volume", f"{ROOT}/models/demo:/models:ro",
        "--env", "SIGHTLINE_DETECTION_ACCESS__OPEN=true",
    ),
    "sightline-cop-gateway": (
        "--tmpfs", "/var/lib/sightline:uid=10001",
        "--env", "SIGHTLINE_GATEWAY_ACCESS__OPEN=true",
        "--env", "SIGHTLINE_GATEWAY_DATABASE=sqlite:////var/lib/sightline/gateway.db",
        "--env", "SIGHTLINE_GATEWAY_GROUND_HEIGHT_M=400",
    ),
}  # fmt: skip


@contextmanager
def container(engine: Engine, image: str, *options: str) -> Iterator[str]:
    """One of this image, hardened, until it is removed."""
    name = f"e2e-{image}"
    engine.docker(
        "run", "--detach", "--name", name, *HARDENED, *RUN[image], *options, f"{image}:e2e"
    )
    try:
        yield name
    finally:
        engine.docker("rm", "--force", "--volumes", name)


def state(engine: Engine, name: str) -> dict:
    return engine.inspect(name)["State"]


@pytest.mark.parametrize("image", SERVICES)
def test_it_is_small_says_what_it_is_and_runs_as_nobody(images, image):
    found = images.inspect(f"{image}:e2e")
    assert found["Size"] <= SERVICES[image] * 1e6
    config = found["Config"]
    assert config["User"] == "10001:10001"
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == "0.1.0-e2e"
    assert labels["org.opencontainers.image.revision"] == "0" * 40
    assert labels["org.opencontainers.image.source"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Entrypoint"] == [image]


@pytest.mark.parametrize("image", SERVICES)
def test_it_is_healthy_with_nothing_allowed_and_ends_at_sigterm(images, image):
    with container(images, image) as name:
        wait_for(
            lambda: state(images, name)["Health"]["Status"] == "healthy",
            what=f"{image} healthy: {images.docker('logs', name)}",
        )
        health = state(images, name)["Health"]["Log"][-1]
        assert (health["ExitCode"], health["Output"]) == (0, "")
        images.docker("stop", "--time", "20", name)
        assert state(images, name)["ExitCode"] == 0
        last = json.loads(images.docker("logs", name).splitlines()[-1])
        assert (last["event"], last["version"]) == ("stopped", "0.1.0-e2e")


@pytest.mark.parametrize("image", SERVICES)
def test_a_container_that_is_told_to_stop_while_it_starts_does(images, image):
    """The kernel keeps signals without a handler from the first process of a container."""
    with container(images, image) as name:
        pid = state(images, name)["Pid"]
        status = Path(f"/proc/{pid}/status")
        wait_for(lambda: heeds(status.read_text(), signal.SIGTERM), what="a handler")
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: state(images, name)["Status"] == "exited", what="its end")
        assert state(images, name)["ExitCode"] == 128 + signal.SIGTERM
        assert "listening" not in images.docker("logs", name)


def heeds(status: str, number: int) -> bool:
    """Whether the process has a handler for it, by /proc/PID/status."""
    (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(caught, 16) >> (number - 1) & 1)


def test_an_unhealthy_service_says_why(images):
    """A database that cannot be: the process refuses; a wrong port: the check says so."""
    options = ("--env", "SIGHTLINE_GATEWAY_DATABASE=sqlite:////no/such/folder/gateway.db")
    with container(images, "sightline-cop-gateway", *options) as name:
        wait_for(lambda: state(images, name)["Status"] == "exited", what="a refusal")
        assert state(images, name)["ExitCode"] == 2
    with container(images, "sightline-cop-gateway") as name:
        wait_for(lambda: state(images, name)["Health"]["Status"] == "healthy")
        asked = ("exec", "--env", "SIGHTLINE_GATEWAY_PORT=1", name)
        done = images.docker(*asked, "python", "-c", _ASK, check=False)
        assert done.split() == ["1"]


_ASK = """
import subprocess
print(subprocess.run(
    ["python", "-m", "serving.healthcheck", "SIGHTLINE_GATEWAY_PORT"], capture_output=True
).returncode)
"""

_LIST = """
import importlib.metadata, importlib.util, pathlib, shutil, sys
site = pathlib.Path(importlib.util.find_spec("sightline").origin).parents[1]
ours = {path.parent.name for path in site.glob("*/__init__.py")}
print(*sorted(ours & {"access", "cop_gateway", "detection", "serving", "sightline", "telemetry"}))
print(*sorted(path.name for path in (site / "sightline").iterdir() if path.is_dir()))
print(*sorted(path.name for path in pathlib.Path("/opt/sightline/bin").iterdir()))
print(importlib.metadata.version("sightline"))
print(*[name for name in ("pip", "hatchling", "setuptools") if importlib.util.find_spec(name)])
"""


@pytest.mark.parametrize("image", SERVICES)
def test_it_holds_its_own_packages_and_nothing_that_it_was_built_with(images, image):
    told = images.docker(
        "run", "--rm", *HARDENED, "--entrypoint", "python", f"{image}:e2e", "-c", _LIST
    ).splitlines()
    packages, public, programs, version, tools = [line.split() for line in [*told, ""][:5]]
    assert set(packages) == OURS[image]
    assert {each for each in public if not each.startswith("__")} == PUBLIC[image]
    assert [each for each in programs if not each.startswith("python")] == [image]
    assert version == ["0.1.0"]
    assert tools == []


@pytest.mark.parametrize("image", SERVICES)
def test_the_same_inputs_are_the_same_image(images, image, tmp_path):
    """Twice from nothing: not one layer may come from a cache."""
    base = bases(image)
    digests = []
    for each in ("first", "second"):
        archive = tmp_path / f"{each}.tar"
        images.build(
            ROOT / DOCKERFILES[image],
            f"type=oci,dest={archive},rewrite-timestamp=true",
            base=base,
            cached=False,
        )
        with tarfile.open(archive) as opened:
            index = json.load(opened.extractfile("index.json"))
        digests.append(index["manifests"][0]["digest"])
        archive.unlink()
    assert digests[0] == digests[1]


def test_it_is_built_without_any_index_from_a_wheelhouse(images, tmp_path):
    """With no network at all: the wheels of a folder, and their hashes."""
    wheels = tmp_path / "wheels"
    fetched = subprocess.run(
        [sys.executable, ROOT / "deploy/images/wheelhouse.py", wheels, "--python", "3.11",
         "--machine", "amd64", "--image", "build", "--image", "cop-gateway"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert fetched.returncode == 0, fetched.stderr
    images.build(
        ROOT / DOCKERFILES["sightline-cop-gateway"],
        f"type=oci,dest={tmp_path / 'image.tar'}",
        base=bases("sightline-cop-gateway"),
        options=(
            "--local", f"wheelhouse={wheels}", "--opt", "context:wheelhouse=local:wheelhouse",
            "--opt", "force-network-mode=none",
        ),
        cached=False,
    )  # fmt: skip
    assert (tmp_path / "image.tar").stat().st_size > 10_000_000


def test_what_a_build_was_told_in_confidence_is_in_no_layer(images, tmp_path):
    planted = b"proxy-password-3f9c1d"
    secret = tmp_path / "proxy.env"
    # Read, and not used: nothing here is reached through it.
    secret.write_bytes(b"NO_PROXY=*\nHTTPS_PROXY=http://build:" + planted + b"@127.0.0.1:9\n")
    archive = tmp_path / "image.tar"
    images.build(
        ROOT / DOCKERFILES["sightline-cop-gateway"],
        f"type=oci,dest={archive},compression=uncompressed",
        base=bases("sightline-cop-gateway"),
        options=("--secret", f"id=proxy,src={secret}"),
        cached=False,
    )
    assert all(planted not in blob for blob in blobs(archive))


def test_a_build_trusts_whom_it_is_told_to_trust(images, tmp_path):
    """No authority at all: then no index can be believed, and nothing is installed."""
    authority = tmp_path / "ca.pem"
    authority.write_bytes(Authority().pem)
    with pytest.raises(AssertionError, match=r"certificate|SSL"):
        images.build(
            ROOT / DOCKERFILES["sightline-cop-gateway"],
            f"type=oci,dest={tmp_path / 'image.tar'}",
            base=bases("sightline-cop-gateway"),
            authority=authority,
            cached=False,
        )


def test_a_proxy_that_is_none_is_refused_by_its_name(images, tmp_path):
    secret = tmp_path / "proxy.env"
    secret.write_text("PATH=/somewhere\n")
    with pytest.raises(AssertionError, match="secret proxy: a line is not NAME=VALUE"):
        images.build(
            ROOT / DOCKERFILES["sightline-cop-gateway"],
            f"type=oci,dest={tmp_path / 'image.tar'}",
            base=bases("sightline-cop-gateway"),
            options=("--secret", f"id=proxy,src={secret}"),
            cached=False,
        )


def blobs(archive: Path) -> Iterator[bytes]:
    """Every blob of an OCI archive: layers, and the configuration with its history."""
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            if member.isfile():
                yield opened.extractfile(member).read()


def test_every_wheel_is_to_be_had_for_arm64(tmp_path):
    """An image for it cannot be run here; all that it is made of is there, by the same locks."""
    done = subprocess.run(
        [sys.executable, ROOT / "deploy/images/wheelhouse.py", tmp_path, "--machine", "arm64",
         "--image", "detection", "--image", "cop-gateway"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert any("aarch64" in wheel.name for wheel in tmp_path.glob("onnxruntime-*.whl"))


@pytest.mark.parametrize("program", ["pg_dump", "pg_restore"])
def test_the_command_line_has_programs_of_postgresql_that_run_on_an_older_c_library(
    images, program
):
    said = images.docker(
        "run", "--rm", *HARDENED, "--entrypoint", program, "sightline-cli:e2e", "--version"
    )
    assert said.startswith(f"{program} (PostgreSQL) ")
