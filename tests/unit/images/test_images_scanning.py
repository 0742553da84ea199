"""Scans: secrets in every layer; scanners that are there, are not, know nothing, are too old."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import container_images
from fakes.container_images import AMD64, ARM64
from sightline.images import scanning, store, vulnerabilities
from sightline.images.errors import DamageError, ToolError
from sightline.images.vulnerabilities import SEVERITIES, Database, Vulnerability

SECRET = b"sk-planted-4711"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Leak:
    rule: str
    line: int
    fingerprint: str = "f1"


def finder(name: str, content: bytes) -> Iterator[Leak]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if SECRET in line:
            yield Leak("planted", number)


def found(place, *allowed: str) -> set[tuple[str, int, bool]]:
    secrets, _ = scanning.secrets(place, place.image, finder, allowed=allowed)
    return {(each.path, each.line, each.allowed is not None) for each in secrets}


@pytest.mark.parametrize("packed", [True, False])
def test_a_secret_is_found_in_a_layer_that_a_later_one_deletes(tmp_path, packed):
    place = container_images.image(
        tmp_path / "layout",
        {"etc/app.env": b"a\nKEY=" + SECRET},
        {"etc/.wh.app.env": b"", "etc/other": b"nothing"},
        packed=packed,
    )
    assert found(place) == {("etc/app.env", 2, False)}


def test_a_secret_is_found_in_the_configuration_and_for_every_platform(tmp_path):
    place = container_images.image(
        tmp_path / "layout",
        {"a": b"b"},
        platforms=(AMD64, ARM64),
        environment=[f"TOKEN={SECRET.decode()}"],
    )
    secrets, files = scanning.secrets(place, place.image, finder)
    assert {each.path for each in secrets} == {scanning.CONFIGURATION}
    assert len({each.layer for each in secrets}) == 2
    # One layer, which both share.
    assert files == 1


def test_a_secret_across_two_windows_is_found_once_with_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(scanning, "WINDOW", 100)
    monkeypatch.setattr(scanning, "OVERLAP", 40)
    before = b"line\n" * 19
    place = container_images.image(tmp_path / "layout", {"a": before + SECRET + b"\n" * 300})
    assert found(place) == {("a", 20, False)}


def test_what_is_allowed_is_still_told(tmp_path):
    place = container_images.image(tmp_path / "layout", {"usr/lib/tests/key.pem": SECRET})
    wanted = {("usr/lib/tests/key.pem", 1, True)}
    for allowed in ("planted:usr/lib/*", "*:*.pem", "usr/*", "f1"):
        assert found(place, allowed) == wanted
    for other in ("other:usr/lib/*", "planted:etc/*", "usr", "f2"):
        assert found(place, other) == {("usr/lib/tests/key.pem", 1, False)}


SITE = "opt/sightline/lib/python3.11/site-packages"
EXAMPLE = b"example = " + SECRET


def record(name: str, content: bytes = EXAMPLE) -> dict[str, bytes]:
    """A wheel of one file, with its RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return {
        f"{SITE}/{name}/examples.py": EXAMPLE,
        f"{SITE}/{name}-1.0.dist-info/RECORD": (
            f"{name}/examples.py,sha256={digest},{len(content)}\n{name}-1.0.dist-info/RECORD,,\n"
        ).encode(),
    }


def test_what_others_have_published_is_no_leak_unless_it_was_changed(tmp_path):
    path = f"{SITE}/botocore/examples.py"
    assert found(container_images.image(tmp_path / "a", record("botocore"))) == {(path, 1, True)}
    changed = container_images.image(tmp_path / "b", record("botocore", b"what it was"))
    assert found(changed) == {(path, 1, False)}
    later = container_images.image(tmp_path / "c", record("botocore"), {path: b"\n" + EXAMPLE})
    assert found(later) == {(path, 1, True), (path, 2, False)}


def test_of_our_own_wheel_nothing_counts_as_published(tmp_path):
    place = container_images.image(tmp_path / "layout", record("sightline"))
    assert found(place) == {(f"{SITE}/sightline/examples.py", 1, False)}


def test_what_debian_has_published_is_no_leak(tmp_path):
    sums = hashlib.md5(EXAMPLE).hexdigest()
    files = {
        "usr/share/doc/x/key": EXAMPLE,
        "etc/key": EXAMPLE,
        "var/lib/dpkg/info/x:amd64.md5sums": f"{sums}  usr/share/doc/x/key\n".encode(),
    }
    assert found(container_images.image(tmp_path / "layout", files)) == {
        ("usr/share/doc/x/key", 1, True), ("etc/key", 1, False),
    }  # fmt: skip


@pytest.mark.parametrize("damage", ["changed", "cut off", "longer", "not packed"])
def test_a_damaged_layer_is_no_clean_layer(tmp_path, damage):
    place = container_images.image(tmp_path / "layout", {"a": b"b" * 5000})
    layer = store.variants(place, place.image)[0].manifest.layers[0]
    blob = place.path / "blobs" / layer.digest.replace(":", "/")
    content = blob.read_bytes()
    middle = len(content) // 2
    blob.write_bytes(
        {
            "changed": content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :],
            "cut off": content[:middle],
            "longer": content + b"more",
            "not packed": b"\x1f\x8bnonsense" * 20,
        }[damage]
    )
    with pytest.raises(DamageError):
        scanning.secrets(place, place.image, finder)


# Scanners: programs that say what the real ones say.

TRIVY_VERSION = {"Version": "0.69.0", "VulnerabilityDB": {"Version": 2, "UpdatedAt": "{when}",
                 "NextUpdate": "{when}", "DownloadedAt": "{when}"}}  # fmt: skip
TRIVY_REPORT = {
    "SchemaVersion": 2,
    "ArtifactName": "layout",
    "Results": [
        {"Target": "debian", "Class": "os-pkgs", "Vulnerabilities": [
            {"VulnerabilityID": "CVE-1", "PkgName": "libc6", "InstalledVersion": "2.36",
             "FixedVersion": "2.37", "Severity": "HIGH"},
            {"VulnerabilityID": "CVE-2", "PkgName": "zlib1g", "InstalledVersion": "1.2",
             "Severity": "LOW"},
        ]},
        {"Target": "Python", "Class": "lang-pkgs"},
    ],
}  # fmt: skip
GRYPE_STATUS = {"schemaVersion": "v6.0.2", "built": "{when}", "path": "/db", "valid": True}
GRYPE_REPORT = {
    "matches": [
        {"vulnerability": {"id": "CVE-1", "severity": "Critical",
                           "fix": {"versions": ["2.37"], "state": "fixed"}},
         "artifact": {"name": "libc6", "version": "2.36", "type": "deb"}},
        {"vulnerability": {"id": "CVE-3", "severity": "Negligible", "fix": {"versions": []}},
         "artifact": {"name": "apt", "version": "2.6", "type": "deb"}},
    ],
    "source": {"type": "image", "target": {}},
}  # fmt: skip


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Put a scanner on the path: what it says of its database and of an image, and how it ends."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def install(
        name: str,
        status: object,
        report: object,
        *,
        age: timedelta = timedelta(days=1),
        code: int = 0,
    ) -> Path:
        when = (NOW - age).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
        (folder / f"{name}.status").write_text(json.dumps(status).replace("{when}", when))
        (folder / f"{name}.report").write_text(json.dumps(report))
        program = folder / name
        program.write_text(
            f'#!/bin/sh\necho "$@" >>{folder}/asked\n'
            f'case "$1" in version | db) cat {folder}/{name}.status ;;\n'
            f"*) cat {folder}/{name}.report; exit {code} ;; esac\n"
        )
        program.chmod(0o755)
        return folder / "asked"

    return install


def scanned(tmp_path, severity="high"):
    place = container_images.image(tmp_path / "layout", {"a": b"b"})
    return scanning.scan(
        place, place.image, finder, severity=severity, oldest=WEEK, now=lambda: NOW
    )


def test_without_a_scanner_an_image_is_not_scanned(tmp_path, installed):
    report = scanned(tmp_path)
    assert report.outcome == "not scanned"
    assert report.vulnerabilities.sentence == "not scanned: neither trivy nor grype is installed"


@pytest.mark.parametrize(
    ("name", "status", "report", "severity", "outcome"),
    [
        ("trivy", TRIVY_VERSION, TRIVY_REPORT, "high", "failed"),
        ("trivy", TRIVY_VERSION, TRIVY_REPORT, "critical", "passed"),
        ("grype", GRYPE_STATUS, GRYPE_REPORT, "critical", "failed"),
        ("grype", GRYPE_STATUS, {**GRYPE_REPORT, "matches": []}, "low", "passed"),
    ],
)
def test_what_a_scanner_found_is_judged_by_severity(
    tmp_path, installed, name, status, report, severity, outcome
):
    asked = installed(name, status, report)
    done = scanned(tmp_path, severity)
    assert done.outcome == outcome
    assert done.vulnerabilities.scanner == name
    assert len(asked.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "status", "report", "more", "why"),
    [
        ("trivy", {"Version": "0.69.0"}, TRIVY_REPORT, {}, "no database"),
        ("trivy", TRIVY_VERSION, TRIVY_REPORT, {"age": timedelta(days=30)}, "30.0 days old"),
        ("trivy", TRIVY_VERSION, TRIVY_REPORT, {"age": timedelta(days=-3)}, "see the clock"),
        ("trivy", TRIVY_VERSION, TRIVY_REPORT, {"code": 1}, "ended with 1"),
        ("trivy", TRIVY_VERSION, {"SchemaVersion": 2, "Results": []}, {}, "looked at nothing"),
        ("trivy", TRIVY_VERSION, {"SchemaVersion": 2}, {}, "something else"),
        ("grype", {**GRYPE_STATUS, "valid": False}, GRYPE_REPORT, {}, "no database"),
        ("grype", {"schemaVersion": "", "built": None}, GRYPE_REPORT, {}, "no database"),
        ("grype", GRYPE_STATUS, GRYPE_REPORT, {"age": timedelta(days=8)}, "8.0 days old"),
        ("grype", GRYPE_STATUS, {"matches": []}, {}, "something else"),
        ("grype", GRYPE_STATUS, "nonsense", {}, "something else"),
    ],
)
def test_what_did_not_scan_is_never_called_scanned(
    tmp_path, installed, name, status, report, more, why
):
    installed(name, status, report, **more)
    done = scanned(tmp_path)
    assert done.outcome == done.vulnerabilities.outcome == "not scanned"
    assert why in done.vulnerabilities.sentence


def test_the_second_scanner_is_asked_where_the_first_has_nothing(tmp_path, installed):
    installed("trivy", {"Version": "0.69.0"}, TRIVY_REPORT)
    installed("grype", GRYPE_STATUS, GRYPE_REPORT)
    assert scanned(tmp_path).vulnerabilities.scanner == "grype"


def test_a_secret_fails_an_image_that_nobody_scanned(tmp_path, installed):
    place = container_images.image(tmp_path / "layout", {"a": SECRET})
    report = scanning.scan(place, place.image, finder, now=lambda: NOW)
    assert report.outcome == "failed"
    assert report.vulnerabilities.outcome == "not scanned"


@given(st.lists(st.sampled_from(SEVERITIES), max_size=8), st.sampled_from(SEVERITIES[1:]))
def test_it_fails_exactly_where_something_is_as_bad_as_the_bar(severities, bar):
    found = [
        Vulnerability(id=f"CVE-{number}", package="p", version="1", severity=each)
        for number, each in enumerate(severities)
    ]
    verdict = vulnerabilities.judged(
        found, scanner="s", database=Database(made_at=NOW), severity=bar
    )
    rated = ["high" if each == "unknown" else each for each in severities]
    bad = any(SEVERITIES.index(each) >= SEVERITIES.index(bar) for each in rated)
    assert verdict.outcome == ("failed" if bad else "passed")
    assert sum(verdict.counts.values()) == len(severities)


@given(st.binary(max_size=60))
def test_nonsense_is_an_error_and_no_verdict(told):
    for read in (vulnerabilities.trivy_findings, vulnerabilities.grype_findings):
        with pytest.raises(ToolError):
            read(told)
    for status in (vulnerabilities.trivy_database, vulnerabilities.grype_database):
        with contextlib.suppress(ToolError):
            assert status(told) is None
