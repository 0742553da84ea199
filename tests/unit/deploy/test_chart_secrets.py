"""The Secrets that the chart mounts: made once, the same ever after, and told to nobody else."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from access import KeyRing
from deploy_scripts import ROOT, script
from manifests import rendered

entrust = script("deploy/helm/entrust.py")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def secrets(
    capsys: pytest.CaptureFixture[str], folder: Path, *more: str
) -> dict[str, dict[str, str]]:
    assert entrust.main(["--folder", str(folder), *more]) == 0
    items: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["items"]
    assert items[0]["kind"] == "Namespace"
    return {
        each["metadata"]["name"]: {
            name: base64.b64decode(value).decode() for name, value in each["data"].items()
        }
        for each in items[1:]
    }


def test_keys_open_what_they_are_for(capsys, tmp_path):
    made = secrets(capsys, tmp_path / "s", "--database", "embedded")
    rings = {
        name: KeyRing.parse(made[f"sightline-{name}"]["keys.toml"], name=name)
        for name in ("detection", "cop-gateway")
    }
    deployer = made["sightline-deployer"]["key"]
    for ring in rings.values():
        holder = ring.holder(deployer, now=NOW)
        assert (holder.id, holder.roles) == ("deployer", {"detect", "read", "operate"})
    commits = rings["cop-gateway"].holder(made["sightline-detection"]["gateway-key"], now=NOW)
    assert (commits.id, commits.roles) == ("detection", {"detect"})
    tokens = {made[f"sightline-{name}"]["token-secret"] for name in rings}
    assert len(tokens) == 1, "a token of one is good for the other"


def test_the_database_is_told_the_password_that_its_address_has(capsys, tmp_path):
    made = secrets(capsys, tmp_path / "s", "--database", "embedded")
    password = made["sightline-database"]["password"]
    address = made["sightline-cop-gateway"]["database-url"]
    assert address == f"postgresql://sightline:{password}@sightline-database/sightline"
    (service,) = (s for s in rendered().kind("Service") if s == "sightline-database")
    assert f"@{service}/" in address


def test_a_second_run_changes_nothing_and_a_new_holder_only_what_is_new(capsys, tmp_path):
    folder = tmp_path / "s"
    before = secrets(capsys, folder, "--database", "embedded")
    assert secrets(capsys, folder, "--database", "embedded") == before
    holders = folder / "holders.toml"
    holders.write_text(
        holders.read_text().replace('simulator = ["detect"]', 'drone-7 = ["detect"]')
    )
    after = secrets(capsys, folder, "--database", "embedded")
    ring = KeyRing.parse(after["sightline-detection"]["keys.toml"], name="x")
    assert ring.holder((folder / "drone-7-key").read_text(), now=NOW).roles == {"detect"}
    assert "simulator" not in ring.entries
    assert after["sightline-deployer"] == before["sightline-deployer"]
    assert after["sightline-database"] == before["sightline-database"]


@pytest.mark.parametrize("mode", ["embedded", "sqlite", "external"])
def test_every_secret_and_key_that_pods_mount_is_made(capsys, tmp_path, mode):
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    (folder / "database-url").write_text("postgresql://u:p@db.example/sightline\n")
    made = secrets(capsys, folder, "--database", mode)
    values: dict[str, Any] = {
        "database": {"mode": mode},
        "networkPolicies": {"database": [{"podSelector": {}}]},
        "gateway": {"autoscaling": {"enabled": False}, "replicas": 1},
    }
    for pod in rendered(values).pods():
        for volume in pod.spec.get("volumes", ()):
            mounted = volume.get("secret")
            if mounted and not mounted.get("optional"):
                assert mounted["secretName"] in made, pod.owner
                keys = {each["key"] for each in mounted.get("items", ())}
                assert keys <= set(made[mounted["secretName"]]), pod.owner
        for name, file in pod.environment.items():
            if file.startswith("/run/secrets/"):
                secret = pod.volume("secrets")["secret"]["secretName"]
                assert Path(file).name in made[secret], (pod.owner, name)
    if mode == "external":
        address = made["sightline-cop-gateway"]["database-url"]
        assert address == "postgresql://u:p@db.example/sightline"


def test_what_lies_in_the_folder_tak_becomes_the_secret_for_tak(capsys, tmp_path):
    folder = tmp_path / "s"
    (folder / "tak").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    (folder / "tak" / "gateway.zip").write_bytes(b"package")
    made = secrets(capsys, folder, "--database", "sqlite")
    assert made["sightline-tak"] == {"gateway.zip": "package"}


def test_files_are_their_owners_alone(capsys, tmp_path):
    folder = tmp_path / "s"
    secrets(capsys, folder, "--database", "embedded")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("mode", "holders", "sentence"),
    [
        (0o755, None, "can be read by others: chmod 700"),
        (0o700, None, "database-url is missing: write PostgreSQL's address into it"),
        (0o700, "[detection]\n", "gateway"),
        (0o700, "[detection]\nx = ['fly']\n[gateway]\n", "fly"),
        (0o700, "[detection]\n[gateway]\n", "needs a key of `detection`"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence_and_nothing_is_printed(
    capsys, tmp_path, mode, holders, sentence
):
    folder = tmp_path / "s"
    folder.mkdir()
    folder.chmod(mode)
    if holders is not None:
        (folder / "holders.toml").write_text(holders)
    assert entrust.main(["--folder", str(folder)]) == 1
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.out == ""


def test_secrets_are_not_printed_to_a_terminal(tmp_path):
    asked = [sys.executable, ROOT / "deploy/helm/entrust.py", "--folder", str(tmp_path / "s")]
    shell = "import pty,sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    done = subprocess.run(
        [sys.executable, "-c", shell, *asked],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2
    assert "this prints secrets: pipe it into kubectl" in done.stdout
    assert not (tmp_path / "s").exists()
