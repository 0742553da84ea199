"""Images through the command line, with real parts: buildx and BuildKit, a registry, cosign, syft,
docker's engine and containerd with nothing in them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from container_engine import Engine
from engine import program
from fakes import container_images
from fakes.container_images import AMD64, ARM64
from image_desk import Desk, sit_down
from running import free_port, required, wait_for
from sightline.images import layout, store

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

NAMES = ("sightline-detection", "sightline-cop-gateway", "sightline-cli", "sightline-models")


@pytest.fixture(scope="module")
def desk(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return sit_down(engine, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def built(desk: Desk) -> Desk:
    """All four, signed."""
    names = [each.removeprefix("sightline-") for each in NAMES]
    found = desk.build(*names, "--output", desk.out, "--tag", "e2e", "--key", desk.key)
    assert [each["name"] for each in found] == list(NAMES)
    return desk


@pytest.fixture(scope="module")
def registry(desk: Desk) -> Iterator[str]:
    """A real one, on loopback."""
    name = f"127.0.0.1:{free_port()}"
    command = [program("cluster"), "registry", "-listen", name, "-folder", desk.folder / "registry"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asked = ("curl", "--silent", "--fail", f"http://{name}/v2/")
        wait_for(lambda: subprocess.run(asked, capture_output=True, check=False).returncode == 0)
        yield name
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def pushed(built: Desk, registry: str) -> str:
    """What stands before the names of images that are in the registry."""
    layouts = [built.out / name for name in NAMES]
    sent = json.loads(built.images("push", *layouts, "--registry", f"{registry}/team", "--json"))
    assert all(len(each["sidecars"]) == 2 for each in sent)
    return f"{registry}/team"


def digest(desk: Desk, name: str) -> str:
    return layout.opened(desk.out / name).image.digest


def test_the_same_commit_is_the_same_image_without_any_cache(built, tmp_path):
    (again,) = built.build("cop-gateway", "--output", tmp_path, "--tag", "again", "--no-cache")
    assert again["digest"] == digest(built, "sightline-cop-gateway")
    told, before = (
        json.loads((folder / "sightline-cop-gateway.provenance.json").read_bytes())
        for folder in (tmp_path, built.out)
    )
    assert told == before


def test_it_says_of_which_commit_it_is_and_when_that_was_made(built):
    source = layout.opened(built.out / "sightline-cop-gateway")
    (variant,) = store.variants(source, source.image)
    labels = variant.config.config.labels
    commit, made = built.run("git", "log", "-1", "--format=%H %cI").split()
    assert labels["org.opencontainers.image.revision"].removesuffix("-dirty") == commit
    created = datetime.fromisoformat(labels["org.opencontainers.image.created"])
    assert created == datetime.fromisoformat(made)


def test_a_failed_build_leaves_the_former_image(built):
    before = digest(built, "sightline-models")
    told = built.run(
        sys.executable, "-m", "sightline.cli.main", "images", "build", "models",
        "--output", built.out, "--buildkit", built.engine._address, "--build-arg", "MODELS=nowhere",
        "--build-arg", "BASE_IMAGE=scratch", code=1,
    )  # fmt: skip
    assert told == ""
    assert digest(built, "sightline-models") == before


def test_an_image_for_two_platforms(built, tmp_path):
    """Of what needs no step on a foreign machine."""
    base = container_images.image(tmp_path / "base", {"a": b"b"}, platforms=(AMD64, ARM64)).path
    built.build("models", "--output", tmp_path, "--platform", "linux/amd64", "--platform",
                "linux/arm64", "--key", built.key, base=base)  # fmt: skip
    place = layout.opened(tmp_path / "sightline-models")
    found = store.variants(place, place.image)
    assert [str(each.config.platform) for each in found] == ["linux/amd64", "linux/arm64"]
    built.images("verify", place.path, "--public-key", built.public)


def test_cosign_accepts_what_we_sign_and_refuses_another_key(pushed, built, tmp_path):
    for name in NAMES:
        for reference in (f"{pushed}/{name}:e2e", f"{pushed}/{name}@{digest(built, name)}"):
            told = built.cosign(
                "verify", "--key", built.public, "--insecure-ignore-tlog", reference
            )
            signed = json.loads(told)[0]["critical"]["image"]["docker-manifest-digest"]
            assert signed == digest(built, name)
    built.images("keys", "--output", tmp_path)
    built.cosign(
        "verify", "--key", tmp_path / "cosign.pub", "--insecure-ignore-tlog",
        f"{pushed}/sightline-cli:e2e", code=12,
    )  # fmt: skip
    built.images("verify", f"{pushed}/sightline-cli:e2e", "--public-key", tmp_path / "cosign.pub",
                 code=1)  # fmt: skip


def test_cosign_reads_the_provenance(pushed, built):
    told = built.cosign(
        "verify-attestation", "--key", built.public, "--insecure-ignore-tlog",
        "--type", "slsaprovenance1", f"{pushed}/sightline-cli:e2e",
    )  # fmt: skip
    assert json.loads(told)["payloadType"] == "application/vnd.in-toto+json"


def test_we_accept_what_cosign_signs_with_its_own_key(pushed, built, tmp_path):
    built.run(program("cosign"), "generate-key-pair", "--output-key-prefix", tmp_path / "theirs")
    name = f"{pushed}/sightline-models:e2e"
    built.cosign("sign", "--key", tmp_path / "theirs.key", "--tlog-upload=false", "--yes", name)
    built.images("verify", name, "--public-key", tmp_path / "theirs.pub")
    built.images("verify", name, "--public-key", built.public)
    file = tmp_path / "file"
    file.write_text("x")
    built.images("sign", "--file", file, "--key", tmp_path / "theirs.key")
    built.cosign("verify-blob", "--key", tmp_path / "theirs.pub", "--insecure-ignore-tlog",
                 "--signature", f"{file}.sig", file)  # fmt: skip


def packages(told: str) -> set[tuple[str, str]]:
    """Of both kinds that installers tell of; names as PyPI holds them equal."""
    return {
        (each["name"].lower().replace("_", "-").replace(".", "-"), each["version"])
        for each in json.loads(told)["components"]
        if each.get("purl", "").startswith(("pkg:deb/", "pkg:pypi/"))
    }


@pytest.mark.parametrize("name", NAMES[:3])
def test_syft_finds_the_same_packages_as_we_do(built, name):
    path = f"{program('syft').parent}:{os.environ['PATH']}"
    by_syft = packages(built.images("sbom", built.out / name, "--with", "syft", PATH=path))
    ours = packages(built.images("sbom", built.out / name, "--with", "metadata"))
    assert len(ours) > 50
    assert ours == by_syft


def test_no_image_has_a_secret_in_it_and_none_is_called_scanned(built):
    # Keys of the self-test of PostgreSQL's TLS library, published with it.
    known = ("--allow", "private-key:opt/postgresql/lib/libgnutls.so.*")
    layouts = [built.out / name for name in NAMES]
    told = json.loads(
        built.images("scan", *layouts, *known, "--json", code=7, PATH="/usr/bin:/bin")
    )
    assert {each["outcome"] for each in told} == {"not scanned"}
    assert [each for report in told for each in report["secrets"] if each["allowed"] is None] == []


def test_a_secret_in_an_image_is_found_though_it_was_deleted(built, tmp_path):
    pem = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "rsa"], capture_output=True, check=True
    )
    place = container_images.image(
        tmp_path / "leaky", {"root/key.pem": pem.stdout}, {"root/.wh.key.pem": b""}
    )
    told = json.loads(built.images("scan", place.path, "--allow-unscanned", "--json", code=1))
    assert [each["path"] for each in told[0]["secrets"]] == ["root/key.pem"]


def test_one_command_builds_signs_loads_and_pushes(built, registry, tmp_path):
    (made,) = built.build(
        "models", "--output", tmp_path, "--tag", "one", "--tag", "two", "--key", built.key,
        "--load", "--push", "--registry", f"{registry}/other",
    )  # fmt: skip
    assert made["loaded"]
    assert made["pushed"] == f"{registry}/other/sightline-models:one@{made['digest']}"
    for tag in ("one", "two"):
        assert built.engine.inspect(f"sightline-models:{tag}")["Config"]["User"] == "10001:10001"
        built.images("verify", f"{registry}/other/sightline-models:{tag}", "--public-key",
                     built.public)  # fmt: skip


# Across the air gap.


@pytest.fixture(scope="module")
def bundle(built: Desk) -> Path:
    target = built.folder / "sightline-e2e.tar"
    layouts = [built.out / name for name in ("sightline-cop-gateway", "sightline-cli")]
    built.images("bundle", "create", *layouts, "--version", "e2e", "--output", target, "--with",
                 "metadata", "--key", built.key)  # fmt: skip
    return target


@pytest.fixture
def empty(engine: Engine, tmp_path) -> Iterator[Engine]:
    """Another engine, with nothing in it."""
    folder = Path(os.path.realpath(tmp_path))
    other = Engine(folder)
    command = (
        "dockerd", "--host", other.host, "--data-root", str(folder / "data"), "--bridge", "none",
        "--exec-root", str(folder / "exec"), "--pidfile", str(folder / "docker.pid"),
    )  # fmt: skip
    with other._daemon("dockerd", command):
        wait_for(lambda: other._answers("docker", "version"), what="dockerd to answer")
        assert other.docker("images", "--quiet") == ""
        yield other


def works(engine: Engine) -> None:
    """The command line in its image says its version."""
    said = engine.docker("run", "--rm", "--network", "none", "sightline-cli:e2e", "--version")
    assert said.startswith("sightline, version ")


def test_a_bundle_fills_an_empty_engine(bundle, built, empty):
    told = json.loads(
        built.images("bundle", "load", bundle, "--public-key", built.public, "--json",
                     DOCKER_HOST=empty.host)
    )  # fmt: skip
    assert set(told["images"]) == {"sightline-cop-gateway:e2e", "sightline-cli:e2e"}
    works(empty)


def test_its_own_loader_fills_an_empty_engine_with_nothing_of_ours(bundle, built, empty, tmp_path):
    """Commands as docs/reference/images.md has them."""
    (tmp_path / "cosign.pub").write_bytes(built.public.read_bytes())
    script = f"""
    openssl base64 -d -A -in {bundle}.sig -out bundle.der
    openssl dgst -sha256 -verify cosign.pub -signature bundle.der {bundle}
    tar -xf {bundle} && cd sightline-e2e
    sh load.sh --key ../cosign.pub --docker
    """
    subprocess.run(
        ["sh", "-eu", "-c", script], cwd=tmp_path, check=True,
        env={"PATH": os.environ["PATH"], "DOCKER_HOST": empty.host, "HOME": str(tmp_path)},
    )  # fmt: skip
    works(empty)


def test_a_bundle_fills_a_registry_that_cosign_then_trusts(bundle, built, registry, tmp_path):
    built.images("bundle", "load", bundle, "--public-key", built.public, "--registry",
                 f"{registry}/site", "--chart-to", tmp_path)  # fmt: skip
    subprocess.run(["tar", "-xf", bundle, "-C", tmp_path], check=True)
    built.run("sh", tmp_path / "sightline-e2e/load.sh", "--key", built.public, "--registry",
              f"{registry}/script", "--plain")  # fmt: skip
    for name in ("sightline-cop-gateway", "sightline-cli"):
        for place in ("site", "script"):
            built.cosign("verify", "--key", built.public, "--insecure-ignore-tlog",
                         f"{registry}/{place}/{name}:e2e")  # fmt: skip
    assert [each.name for each in tmp_path.glob("*.tgz")] == ["sightline-0.1.0.tgz"]


@pytest.fixture
def containerd(tmp_path) -> Iterator[str]:
    """A node's, with nothing in it; gives its socket."""
    folder = Path(os.path.realpath(tmp_path))
    address = f"{folder}/containerd.sock"
    (folder / "config.toml").write_text(
        'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
    )
    command = ["containerd", "--config", folder / "config.toml", "--root", folder / "root",
               "--state", folder / "state", "--address", address]  # fmt: skip
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "containerd.log").open("wb"))
        try:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        except FileNotFoundError:
            required("containerd is not installed: apt-get install containerd")
        try:
            asked = ("ctr", "--address", address, "version")
            wait_for(
                lambda: subprocess.run(asked, capture_output=True, check=False).returncode == 0
            )
            yield address
        finally:
            process.terminate()
            process.wait(20)


def test_a_bundle_fills_a_node(bundle, built, containerd):
    told = json.loads(
        built.images("bundle", "load", bundle, "--public-key", built.public, "--into", "containerd",
                     "--address", containerd, "--json")
    )  # fmt: skip
    listed = built.run("ctr", "--address", containerd, "--namespace", "k8s.io", "images", "ls")
    lines = {line.split()[0]: line.split()[2] for line in listed.splitlines()[1:]}
    assert lines == told["images"]
    assert set(lines) == {"localhost/sightline-cop-gateway:e2e", "localhost/sightline-cli:e2e"}


def test_a_changed_bundle_reaches_no_engine(bundle, built, tmp_path):
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / "changed.tar"
    changed.write_bytes(content)
    built.images("bundle", "load", changed, "--public-key", built.public, "--registry",
                 "127.0.0.1:1", code=1)  # fmt: skip
