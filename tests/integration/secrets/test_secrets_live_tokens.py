"""The keys of tokens change under running services: nobody is refused, nothing restarts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from access import new_key
from detecting import Detection
from fakes.models import blob_model
from running import Gateway, http, started, wait_for
from sightline.journal import Journal
from sightline.secrets import rotation, token_keys
from sightline.secrets.folder import Folder

VIEWER, ENTRY = new_key("viewer", ("read",))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "secrets")
    made.write("keys.toml", ENTRY.encode())
    _rotate(made, settle=-5)
    return made


def _rotate(folder: Folder, *, settle: float, finish: bool = False) -> None:
    planned = rotation.token(
        folder, now=datetime.now(UTC), settle=timedelta(seconds=settle), finish=finish,
        token_life=timedelta(seconds=60), at_once=False,
    )  # fmt: skip
    rotation.take(planned, folder, Journal())


@pytest.fixture
def gateway(tmp_path: Path, folder: Folder) -> Iterator[Gateway]:
    process = Gateway(
        tmp_path,
        access__keys=str(folder.path / "keys.toml"),
        access__signing_keys=str(folder.path / token_keys.NAME),
        access__token_seconds="60",
    )
    with started(process):
        yield process


def _token(url: str) -> str:
    answer = http(f"{url}/v1/auth/token", body=b"", headers={"X-Api-Key": VIEWER})
    assert answer.status == 200, answer.body
    return str(answer.json["access_token"])


def _status(url: str, token: str) -> int:
    return http(url, headers={"Authorization": f"Bearer {token}"}).status


def _kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_a_new_key_signs_old_tokens_stay_good_and_a_broken_file_changes_nothing(
    tmp_path: Path, folder: Folder, gateway: Gateway
) -> None:
    public = tmp_path / "public.json"
    told = http(f"{gateway.url}/v1/auth/keys")
    assert told.status == 200
    assert "d" not in told.json["keys"][0]
    # Detection has the public parts alone, as anybody may fetch them.
    public.write_bytes(told.body)
    model = blob_model(tmp_path / "blobs.onnx", width=64, height=64)
    with started(Detection(tmp_path, model, access__signing_keys=public)) as detection:
        events, models = f"{gateway.url}/v1/events", f"{detection.url}/v1/models"
        old = _token(gateway.url)
        assert (_status(events, old), _status(models, old)) == (200, 200)
        asked = http(f"{detection.url}/v1/auth/token", body=b"", headers={"X-Api-Key": VIEWER})
        assert asked.status == 401

        _rotate(folder, settle=3)
        keys = f"{gateway.url}/v1/auth/keys"
        wait_for(lambda: len(http(keys).json["keys"]) == 2, what="the new key in the list")
        assert _kid(_token(gateway.url)) == _kid(old)
        public.write_bytes(http(keys).body)

        wait_for(lambda: _kid(_token(gateway.url)) != _kid(old), what="the new key to sign")
        new = _token(gateway.url)
        for token in (old, new):
            assert _status(events, token) == 200
            wait_for(lambda token=token: _status(models, token) == 200, what="detection to read it")
        private = folder.text(token_keys.NAME)
        for key in token_keys.parse(private, name="f"):
            for service in (gateway, detection):
                assert key["d"] not in service.output

        folder.write(token_keys.NAME, b'{"keys": [{"kid": "x", "d": "planted-secret"}]}')
        wait_for(lambda: "not reloaded" in gateway.output, what="the complaint")
        assert _status(events, new) == 200
        assert "planted-secret" not in gateway.output
