"""`sightline images`: what people type, what is printed, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from dataclasses import dataclass

import pytest

from fakes import container_images
from sightline.cli import exits
from sightline.images import layout

SECRET = b"sk-planted-4711"


@dataclass(frozen=True)
class Leak:
    rule: str
    line: int
    fingerprint: str = "0123456789abcdef"


@pytest.fixture(autouse=True)
def finder(monkeypatch):
    """A finder of secrets that knows one."""

    def leaks(_name: str, content: bytes):
        if SECRET in content:
            yield Leak("planted", 1)

    exceptions = types.SimpleNamespace(NAME=".nowhere", read=lambda _path: None)
    monkeypatch.setitem(sys.modules, "sightline.secrets", types.ModuleType("sightline.secrets"))
    monkeypatch.setitem(sys.modules, "sightline.secrets.leaks", types.SimpleNamespace(leaks=leaks))
    monkeypatch.setitem(sys.modules, "sightline.secrets.exceptions", exceptions)


@pytest.fixture(autouse=True)
def no_tools(monkeypatch, tmp_path):
    """Neither scanners nor docker's configuration of whoever runs this."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.delenv("COSIGN_PASSWORD", raising=False)


@pytest.fixture
def pair(tmp_path, sightline):
    (tmp_path / "pw").write_text("a password\n")
    made = sightline("images", "keys", "--output", tmp_path, "--password-file", tmp_path / "pw")
    assert made.exit_code == exits.OK
    return ("--key", tmp_path / "cosign.key", "--password-file", tmp_path / "pw"), (
        "--public-key", tmp_path / "cosign.pub",
    )  # fmt: skip


@pytest.fixture
def place(tmp_path):
    return container_images.image(tmp_path / "sightline-cli")


def test_an_image_is_signed_pushed_and_verified_where_it_is(sightline, pair, place, registry):
    private, public = pair
    refused = sightline("images", "verify", place.path, *public)
    assert refused.exit_code == exits.FAILED
    assert "is not signed" in refused.stderr
    assert sightline("images", "sign", place.path, *private).exit_code == exits.OK
    pushed = sightline(
        "images", "push", place.path, "--registry", f"{registry.name}/team", "--json"
    )
    assert pushed.exit_code == exits.OK, pushed.stderr
    (sent,) = json.loads(pushed.stdout)
    assert sent["digest"] == layout.opened(place.path).image.digest
    assert "push sightline-cli" in pushed.stderr
    name = f"{registry.name}/team/sightline-cli"
    for each in (f"{name}:1.0", f"{name}@{sent['digest']}"):
        verified = sightline("images", "verify", each, *public, "--json")
        assert verified.exit_code == exits.OK, verified.stderr
        assert json.loads(verified.stdout)["images"][0]["digest"] == sent["digest"]


def test_an_archive_is_read_and_not_written(sightline, pair, place, tmp_path):
    private, public = pair
    sightline("images", "sign", place.path, *private)
    archive = tmp_path / "image.tar"
    subprocess.run(["tar", "-C", place.path, "-cf", archive, "."], check=True)
    assert sightline("images", "verify", archive, *public).exit_code == exits.OK
    refused = sightline("images", "sign", archive, *private)
    assert refused.exit_code == exits.FAILED
    assert "unpack it" in refused.stderr


def test_a_file_is_signed_and_verified(sightline, pair, tmp_path):
    private, public = pair
    file = tmp_path / "SHA256SUMS"
    file.write_text("x")
    assert sightline("images", "sign", "--file", file, *private).exit_code == exits.OK
    assert sightline("images", "verify", "--file", file, *public).exit_code == exits.OK
    file.write_text("y")
    assert sightline("images", "verify", "--file", file, *public).exit_code == exits.FAILED


def test_a_wrong_password_is_said_and_not_shown(sightline, pair, place, tmp_path):
    private, _ = pair
    (tmp_path / "pw").write_text("hush")
    refused = sightline("images", "sign", place.path, *private)
    assert refused.exit_code == exits.FAILED
    assert "another password" in refused.stderr
    assert "hush" not in refused.output


@pytest.mark.parametrize(
    ("content", "options", "code"),
    [
        (b"nothing", (), exits.UNFINISHED),
        (b"nothing", ("--allow-unscanned",), exits.OK),
        (SECRET, ("--allow-unscanned",), exits.FAILED),
        (SECRET, ("--allow-unscanned", "--allow", "planted:etc/*"), exits.OK),
    ],
)
def test_an_image_that_nobody_scanned_is_never_called_scanned(
    sightline, tmp_path, content, options, code
):
    place = container_images.image(tmp_path / "layout", {"etc/app": content})
    told = sightline("images", "scan", place.path, *options)
    assert told.exit_code == code, told.output
    assert "not scanned: neither trivy nor grype is installed" in told.stdout
    assert SECRET.decode() not in told.output
    report = sightline("images", "scan", place.path, *options, "--json")
    assert json.loads(report.stdout)[0]["vulnerabilities"]["outcome"] == "not scanned"


def test_packages_are_listed_on_stdout_or_in_a_file(sightline, place, tmp_path):
    told = sightline("images", "sbom", place.path)
    assert json.loads(told.stdout)["bomFormat"] == "CycloneDX"
    sightline("images", "sbom", place.path, "--output", tmp_path / "sbom.json")
    assert (tmp_path / "sbom.json").read_text() == told.stdout
    absent = sightline("images", "sbom", place.path, "--with", "syft")
    assert absent.exit_code == exits.MISSING


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    sightline, pair, place, registry, tmp_path
):
    private, _ = pair
    bundle = ("bundle", "create", place.path, "--version", "1.0", "--output", tmp_path / "b.tar")
    before = sorted(each.name for each in tmp_path.rglob("*"))
    build = sightline("images", "build", "--output", tmp_path / "out", "--dry-run", "--json",
                      "--registry", registry.name, "--push", *private)  # fmt: skip
    plan = json.loads(build.stdout)["plan"]
    assert [each["step"] for each in plan[:4]] == ["build", "provenance", "sign", "push"]
    assert len(plan) == 12
    for arguments in (
        ("push", place.path, "--registry", registry.name),
        ("sign", place.path, *private),
        (*bundle, *private),
    ):
        done = sightline("images", *arguments, "--dry-run")
        assert done.exit_code == exits.OK, done.output
        assert done.stdout.startswith("  1. ")
    assert sorted(each.name for each in tmp_path.rglob("*")) == before
    assert registry.asked == []


def test_an_environment_says_where_and_by_which_key(
    sightline, pair, place, registry, tmp_path, monkeypatch
):
    private, _ = pair
    (tmp_path / "environments").mkdir()
    (tmp_path / "deploy/helm/sightline").mkdir(parents=True)
    (tmp_path / "environments/lab.yaml").write_text(
        f"name: lab\nimages:\n  registry: {registry.name}/lab\n  insecure: true\n"
        "  public_key: cosign.pub\n"
    )
    monkeypatch.chdir(tmp_path)
    sightline("images", "sign", place.path, *private)
    pushed = sightline("images", "push", place.path, "--env", "lab")
    assert pushed.exit_code == exits.OK, pushed.output
    assert registry.tags("lab/sightline-cli") >= {"1.0"}
    name = f"{registry.name}/lab/sightline-cli:1.0"
    assert sightline("images", "verify", name, "--env", "lab").exit_code == exits.OK
    assert sightline("images", "verify", name).exit_code == exits.USAGE


def test_without_docker_it_is_said_what_is_missing(sightline, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "git").symlink_to("/usr/bin/git")
    ended = sightline("images", "build", "--output", tmp_path / "out")
    assert ended.exit_code == exits.MISSING
    assert "docker is not installed" in ended.stderr
