"""`sightline secrets fetch`: exit codes, and that no value is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.sealing_keys import sealing_key
from fakes.vault import FakeVault
from sightline.cli import exits

Command = Callable[..., Any]
WORD = "open~sesame"


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    server = FakeVault()
    server.write("secret/sightline/gateway", {"token-secret": WORD})
    yield server
    server.close()


def test_a_cache_that_stood_in_is_7_and_said_loudly(
    sightline: Command, vault: FakeVault, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(vault.token())

    def fetch(*more: str) -> Any:
        ended = sightline(
            "secrets", "fetch", "sightline/gateway", "--address", vault.url, "--token-file",
            str(token), "--out", str(tmp_path / "out"), *more,
        )  # fmt: skip
        assert WORD not in ended.out + ended.err
        assert token.read_text() not in ended.out + ended.err
        return ended

    cache = ("--cache", str(tmp_path / "cache"))
    first = fetch(*cache, "--json")
    assert first.code == exits.OK, first.err
    assert json.loads(first.out)["versions"] == {"sightline/gateway": 1}
    assert (tmp_path / "out" / "token-secret").read_text() == WORD
    vault.sealed = True
    stood_in = fetch(*cache)
    assert (stood_in.code, "NOT FROM VAULT" in stood_in.complaint) == (exits.UNFINISHED, True)
    alone = fetch()
    assert (alone.code, "sealed" in alone.complaint) == (exits.FAILED, True)


def test_what_is_not_installed_is_said_in_a_sentence(sightline: Command, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_bytes(sealing_key().certificate)
    ended = sightline(
        "secrets", "seal", "--certificate", str(tmp_path / "cert.pem"), absent=("cryptography",)
    )
    assert ended.code == exits.MISSING
    assert "sightline[deploy]" in ended.complaint
