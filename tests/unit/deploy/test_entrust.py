"""The secrets of `make dev`: made once, for those alone who need them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access import KeyRing
from deploy_scripts import script
from running import required

entrust = script("deploy/compose/entrust.py")


@pytest.fixture(name="host")
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if os.geteuid() != 0:
        required("only root can give files away")
    host, volumes = tmp_path / "host", tmp_path / "volumes"
    host.mkdir(mode=0o700)
    for name in entrust.CONSUMERS:
        (volumes / name).mkdir(parents=True)
    monkeypatch.setattr(entrust, "HOST", host)
    monkeypatch.setattr(entrust, "VOLUMES", volumes)
    os.chown(host, 1000, 1000)
    return host


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_each_file_is_its_owners_alone(host):
    entrust.main()
    for path in host.iterdir():
        assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o600, 1000), path
    for name, consumer in entrust.CONSUMERS.items():
        folder = entrust.VOLUMES / name
        assert (folder.stat().st_mode & 0o777, folder.stat().st_uid) == (0o500, consumer.uid)
        assert set(contents(folder)) == set(consumer.files)
        for path in folder.iterdir():
            assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o400, consumer.uid)


def test_a_second_run_changes_nothing_but_what_is_missing(host):
    entrust.main()
    before = contents(host)
    (host / "grafana-password").unlink()
    entrust.main()
    after = contents(host)
    assert after["grafana-password"] != before["grafana-password"]
    kept = {name for name in before if name.endswith(("-key", "-secret", "-url"))}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert contents(entrust.VOLUMES / "grafana") == {
        "grafana-admin-password": after["grafana-password"]
    }


def test_every_key_opens_what_it_is_for_and_nothing_else(host):
    entrust.main()
    made = contents(host)
    now = datetime.now(UTC)
    for service, holders in entrust.KEYS.items():
        ring = KeyRing.parse(made[f"{service}-keys.toml"], name=service)
        for holder, roles in holders.items():
            assert ring.holder(made[f"{holder}-key"], now=now).roles == frozenset(roles)
        assert set(ring.entries) == set(holders)
        assert not any(made[f"{holder}-key"] in made[f"{service}-keys.toml"] for holder in holders)
