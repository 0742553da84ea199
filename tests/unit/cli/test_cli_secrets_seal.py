"""`sightline secrets seal` and `verify`, from what entrust.py prints to a file for Git."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.sealing_keys import sealing_key
from sightline.cli import exits

Command = Callable[..., Any]
KEY = sealing_key()
ENTRUST = Path(__file__).resolve().parents[3] / "deploy/helm/entrust.py"


class Place:
    """A folder of secrets, a controller's certificate and key."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "secrets"
        self.certificate, self.key = path / "cert.pem", path / "key.pem"
        self.certificate.write_bytes(KEY.certificate)
        self.key.write_bytes(KEY.private)
        self.plain, self.out = path / "plain.json", path / "sealed.yaml"

    def entrust(self) -> None:
        done = subprocess.run(
            [sys.executable, ENTRUST, "--folder", self.folder, "--database", "embedded"],
            capture_output=True,
            check=True,
        )
        self.plain.write_bytes(done.stdout)

    def values(self) -> list[str]:
        return [path.read_text() for path in self.folder.iterdir() if path.is_file()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.entrust()
    return made


def _seal(sightline: Command, place: Place, *more: str) -> Any:
    return sightline(
        "secrets", "seal", str(place.plain), "--certificate", str(place.certificate),
        "--folder", str(place.folder), "--out", str(place.out), *more,
    )  # fmt: skip


def _verify(sightline: Command, place: Place, *more: str) -> Any:
    return sightline("secrets", "verify", str(place.out), *more)


def test_the_folders_secrets_are_sealed_for_git_and_verified(
    sightline: Command, place: Place
) -> None:
    planned = _seal(sightline, place, "--dry-run", "--json")
    assert planned.code == exits.OK
    assert not place.out.exists()
    sealed = {step["secret"].partition("/")[2] for step in json.loads(planned.out)["plan"]}
    assert _seal(sightline, place).code == exits.OK
    found = list(yaml.safe_load_all(place.out.read_text()))
    assert {each["kind"] for each in found} == {"Namespace", "SealedSecret"}
    assert {each["metadata"]["name"] for each in found if each["kind"] == "SealedSecret"} == sealed
    text = place.out.read_text()
    assert not any(value.strip() in text for value in place.values() if len(value) > 20)
    assert stat.S_IMODE(place.out.stat().st_mode) == 0o644

    good = _verify(
        sightline, place, "--certificate", str(place.certificate), "--key", str(place.key),
        "--against", str(place.plain), "--folder", str(place.folder),
    )  # fmt: skip
    assert good.code == exits.OK, good.out
    assert "✗" not in good.out

    before = place.out.read_text()
    assert _seal(sightline, place).code == exits.OK
    assert place.out.read_text() == before


def test_drift_is_told_without_the_private_key_and_sealed_away(
    sightline: Command, place: Place
) -> None:
    _seal(sightline, place)
    (place.folder / "token-secret").write_text("another one, of at least 32 bytes")
    place.entrust()
    more = ("--against", str(place.plain), "--folder", str(place.folder))
    told = _verify(sightline, place, *more)
    assert told.code == exits.FAILED
    wrong = [line for line in told.out.splitlines() if line.startswith("✗")]
    assert len(wrong) == 2
    assert all("token-secret has another value" in line for line in wrong)
    again = _seal(sightline, place)
    assert "token-secret (unchanged: database-url, keys.toml)" in again.err
    assert _verify(sightline, place, *more).code == exits.OK


def test_a_secret_of_files_by_pipe(sightline: Command, place: Place, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("first value")
    ended = sightline(
        "secrets", "seal", "--certificate", str(place.certificate), "--name", "extra",
        "--namespace", "here", "--scope", "namespace-wide", "--from-file", f"one={tmp_path}/one",
    )  # fmt: skip
    assert ended.code == exits.OK
    made = yaml.safe_load(ended.out)
    assert made["metadata"]["annotations"]["sealedsecrets.bitnami.com/namespace-wide"] == "true"
    assert list(made["spec"]["encryptedData"]) == ["one"]
    assert "first value" not in ended.out + ended.err


def test_an_old_certificate_is_refused(sightline: Command, place: Place) -> None:
    old = sealing_key(begins=timedelta(days=-40), lasts=timedelta(days=30))
    place.certificate.write_bytes(old.certificate)
    ended = _seal(sightline, place)
    assert ended.code == exits.FAILED
    assert "ended on" in ended.complaint
    assert not place.out.exists()


def test_with_the_controllers_key_a_file_is_sealed_anew_for_a_newer_certificate(
    sightline: Command, place: Place, tmp_path: Path
) -> None:
    _seal(sightline, place)
    newer = sealing_key()
    (tmp_path / "newer.pem").write_bytes(newer.certificate)
    (tmp_path / "newer-key.pem").write_bytes(newer.private)
    again = sightline(
        "secrets", "seal", str(place.out), "--key", str(place.key), "--certificate",
        str(tmp_path / "newer.pem"), "--folder", str(place.folder), "--out", str(place.out),
    )  # fmt: skip
    assert again.code == exits.OK, again.err
    more = ("--against", str(place.plain), "--certificate", str(tmp_path / "newer.pem"))
    good = _verify(sightline, place, "--key", str(tmp_path / "newer-key.pem"), *more)
    assert good.code == exits.OK, good.out
    old = _verify(sightline, place, "--key", str(place.key), *more)
    assert old.code == exits.FAILED
    assert "no key opens it" in old.out
