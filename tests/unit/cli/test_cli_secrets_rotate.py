"""`sightline secrets rotate` and `list` with what entrust.py makes of the folder."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from access import KeyRing, NotKnownError, SigningKeys, Tokens
from access.keys import Holder
from sightline.cli import exits

Command = Callable[..., Any]
ENTRUST = Path(__file__).resolve().parents[3] / "deploy/helm/entrust.py"


class Site:
    """A folder of secrets, and the Secrets that come of it."""

    def __init__(self, path: Path) -> None:
        self.folder = path / "secrets"
        self.secrets()

    def secrets(self) -> dict[str, dict[str, str]]:
        done = subprocess.run(
            [sys.executable, ENTRUST, "--folder", self.folder, "--database", "embedded"],
            capture_output=True,
            check=True,
        )
        return {
            each["metadata"]["name"]: {
                key: base64.b64decode(value).decode() for key, value in each["data"].items()
            }
            for each in json.loads(done.stdout)["items"]
            if each["kind"] == "Secret"
        }

    def values(self) -> list[str]:
        found = [path.read_text().strip() for path in self.folder.iterdir() if path.is_file()]
        return [each for each in found if len(each) > 20 and "\n" not in each]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def _rotate(sightline: Command, site: Site, *more: str) -> Any:
    ended = sightline("secrets", "rotate", *more, "--folder", str(site.folder), "--yes")
    assert not any(value in ended.out + ended.err for value in site.values())
    return ended


def test_a_rotated_key_is_in_the_secrets_and_the_earlier_one_still_opens(
    sightline: Command, site: Site
) -> None:
    before = site.secrets()
    planned = _rotate(sightline, site, "keys", "operator", "--dry-run")
    assert "new API key for operator" in planned.out
    assert site.secrets() == before
    assert _rotate(sightline, site, "keys", "operator").code == exits.OK
    after = site.secrets()
    ring = KeyRing.parse(after["sightline-cop-gateway"]["keys.toml"], name="keys.toml")
    now = datetime.now(UTC)
    new = (site.folder / "operator-key").read_text()
    assert ring.holder(new, now=now).id == "operator"
    old_ring = KeyRing.parse(before["sightline-cop-gateway"]["keys.toml"], name="keys.toml")
    with pytest.raises(NotKnownError):
        old_ring.holder(new, now=now)
    assert "earlier" in after["sightline-cop-gateway"]["keys.toml"]
    assert before["sightline-deployer"] == after["sightline-deployer"]
    # A second run of entrust.py says the same: pods do not restart for nothing.
    assert site.secrets() == after
    listed = json.loads(sightline("secrets", "list", "--folder", str(site.folder), "--json").out)[
        "secrets"
    ]
    replaced = [each for each in listed if each["kind"] == "replaced api key"]
    assert [each["note"] for each in replaced] == ["still opens"]
    assert sightline("secrets", "list", "--folder", str(site.folder)).code == exits.OK


def test_a_token_key_goes_to_both_services_and_signs(sightline: Command, site: Site) -> None:
    assert _rotate(sightline, site, "token", "--at-once").code == exits.OK
    made = site.secrets()
    texts = {
        made[f"sightline-{name}"]["signing-keys.json"] for name in ("cop-gateway", "detection")
    }
    assert len(texts) == 1
    tokens = Tokens(signing=SigningKeys.parse(texts.pop(), name="f"))
    holder = Holder(id="me", roles=frozenset({"read"}))
    now = datetime.now(UTC)
    assert tokens.holder(tokens.issue(holder, now=now)[0], now=now) == holder
    assert _rotate(sightline, site, "token", "--token-life", "15m").code == exits.OK
    again = _rotate(sightline, site, "token")
    assert (again.code, "has not begun" in again.complaint) == (exits.FAILED, True)
    early = _rotate(sightline, site, "token", "--finish")
    assert (early.code, "good until" in early.complaint) == (exits.FAILED, True)
    shown = sightline("secrets", "list", "--folder", str(site.folder))
    assert [word in shown.out for word in ("signing", "waiting")] == [True, True]
    assert not any(value in shown.out for value in site.values())


def test_the_databases_plan_is_shown_without_a_database(sightline: Command, site: Site) -> None:
    planned = _rotate(sightline, site, "database", "--dry-run", "--json")
    assert planned.code == exits.OK
    (step,) = json.loads(planned.out)["plan"]
    assert (step["user"], step["owner"], step["does"]) == ("sightline_a", "sightline", "make")
    unfinished = _rotate(sightline, site, "database", "--finish")
    assert "nothing is to be finished" in unfinished.complaint
