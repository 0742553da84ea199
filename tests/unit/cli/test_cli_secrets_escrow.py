"""`sightline secrets escrow`: the controller's keys out of a cluster, into a file, and back."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyrage
import pytest

from fakes import kubernetes_api
from fakes.sealing_keys import sealing_key
from running import served
from sightline.cli import exits
from sightline.secrets import escrow, manifests, resealing, sealing

Command = Callable[..., Any]
OLD, NEW = sealing_key(), sealing_key()


def _secret(name: str, key: Any, **labels: str) -> dict[str, Any]:
    data = {"tls.key": key.private, "tls.crt": key.certificate}
    made = manifests.Secret(
        name=name, namespace="kube-system", type="kubernetes.io/tls", data=data, labels=labels
    ).manifest()
    made["metadata"] |= {
        "uid": "1",
        "resourceVersion": "7",
        "creationTimestamp": "2026-11-26T00:00:00Z",
    }
    return made


SECRETS = [
    _secret("sealed-secrets-keyaaaaa", OLD, **{escrow.LABEL: "active"}),
    _secret("sealed-secrets-keybbbbb", NEW, **{escrow.LABEL: "active"}),
    _secret("somebody-elses", NEW),
]


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    """Of an API server that has these Secrets."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            selector = parse_qs(parts.query).get("labelSelector", [""])[0]
            there = parts.path == "/api/v1/namespaces/kube-system/secrets"
            # As an API server lists them: without apiVersion and kind.
            items = [
                {name: value for name, value in each.items() if name not in ("apiVersion", "kind")}
                for each in SECRETS
                if there and selector in each["metadata"].get("labels", {})
            ]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"kind": "SecretList", "items": items}).encode())

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield kubernetes_api.kubeconfig(f"http://127.0.0.1:{server.server_port}", tmp_path)


class Box:
    """An age identity, and the file."""

    def __init__(self, folder: Path) -> None:
        identity = pyrage.x25519.Identity.generate()
        self.recipient = str(identity.to_public())
        self.identity, self.file = folder / "identity.txt", folder / "escrow.age"
        self.identity.write_text(f"# created: today\n{identity}\n")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def _create(sightline: Command, kubeconfig: Path, box: Box, *more: str) -> Any:
    return sightline(
        "secrets", "escrow", "create", "--kubeconfig", str(kubeconfig), "--recipient",
        box.recipient, "--out", str(box.file), "--yes", *more,
    )  # fmt: skip


def test_all_keys_of_the_controller_go_into_a_file_that_opens_again(
    sightline: Command, kubeconfig: Path, box: Box, tmp_path: Path
) -> None:
    assert _create(sightline, kubeconfig, box, "--dry-run").code == exits.OK
    assert not box.file.exists()
    made = _create(sightline, kubeconfig, box, "--json")
    assert made.code == exits.OK, made.err
    assert len(json.loads(made.out)["keys"]) == 2
    assert stat.S_IMODE(box.file.stat().st_mode) == 0o600
    hidden = box.file.read_text() + made.out + made.err
    assert "PRIVATE KEY" not in hidden
    assert base64.b64encode(OLD.private[:30]).decode() not in hidden

    opened = sightline("secrets", "escrow", "open", str(box.file), "--identity", str(box.identity))
    assert opened.code == exits.OK, opened.err
    restored = json.loads(opened.out)["items"]
    assert {each["metadata"]["name"] for each in restored} == {
        "sealed-secrets-keyaaaaa", "sealed-secrets-keybbbbb",
    }  # fmt: skip
    assert all(each["metadata"]["labels"] == {escrow.LABEL: "active"} for each in restored)
    assert not any("uid" in each["metadata"] for each in restored)

    # Into a folder, and with them what was sealed by the older key is opened.
    keys = tmp_path / "keys"
    sightline("secrets", "escrow", "open", str(box.file), "--identity", str(box.identity),
              "--keys-to", str(keys))  # fmt: skip
    certificate = sealing.certificate(OLD.certificate, name="c")
    secret = manifests.Secret(name="n", namespace="ns", data={"a": b"one"})
    sealed = resealing.seal_all([secret.manifest()], certificate, name="f")
    (tmp_path / "sealed.yaml").write_text(manifests.written(sealed.objects))
    arguments = [part for path in sorted(keys.iterdir()) for part in ("--key", str(path))]
    assert len(arguments) == 4
    verified = sightline("secrets", "verify", str(tmp_path / "sealed.yaml"), *arguments)
    assert verified.code == exits.OK
    assert "values open" in verified.out


def test_another_identity_opens_nothing_and_a_change_is_noticed(
    sightline: Command, kubeconfig: Path, box: Box, tmp_path: Path
) -> None:
    _create(sightline, kubeconfig, box)
    (tmp_path / "other").mkdir()
    other = Box(tmp_path / "other")
    ended = sightline("secrets", "escrow", "open", str(box.file), "--identity", str(other.identity))
    assert (ended.code, ended.out) == (exits.FAILED, "")
    assert "does not open it" in ended.complaint
    lines = box.file.read_text().splitlines()
    lines[6] = lines[6][::-1]
    box.file.write_text("\n".join(lines) + "\n")
    ended = sightline("secrets", "escrow", "open", str(box.file), "--identity", str(box.identity))
    assert (ended.code, ended.out) == (exits.FAILED, "")


def test_a_namespace_without_keys_is_no_success(
    sightline: Command, kubeconfig: Path, box: Box
) -> None:
    ended = _create(sightline, kubeconfig, box, "--namespace", "elsewhere")
    assert ended.code == exits.FAILED
    assert "no Secret with the label" in ended.complaint
    assert not box.file.exists()


def test_a_key_that_is_not_its_certificates_is_not_kept(
    sightline: Command, box: Box, tmp_path: Path
) -> None:
    mixed = _secret("sealed-secrets-keyccccc", OLD, **{escrow.LABEL: "active"})
    mixed["data"]["tls.crt"] = base64.b64encode(NEW.certificate).decode()
    (tmp_path / "keys.json").write_text(json.dumps(mixed))
    ended = sightline(
        "secrets", "escrow", "create", "--from", str(tmp_path / "keys.json"), "--recipient",
        box.recipient, "--out", str(box.file), "--yes",
    )  # fmt: skip
    assert ended.code == exits.FAILED
    assert "does not belong" in ended.complaint
    assert not box.file.exists()
