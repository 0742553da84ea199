"""What is sealed here is opened by Sealed Secrets' own code, and the other way round."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pyrage
import pytest

from engine import program
from fakes.sealing_keys import SealingKey, sealing_key
from sightline.secrets import escrow, manifests, resealing, sealing
from sightline.secrets.manifests import Object, Secret
from sightline.secrets.sealing import Scope

pytestmark = pytest.mark.e2e
SECRET = Secret(
    name="sightline-detection",
    namespace="detection-system",
    data={
        "keys.toml": b"[[keys]]\n",
        "binary": bytes(range(256)) * 40,
        "empty": b"",
        "utf-8": "ü".encode(),
    },
    labels={"app.kubernetes.io/part-of": "sightline"},
    annotations={"about": "it"},
)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SealingKey:
    return sealing_key(bits=4096)


class Real:
    """Sealed Secrets' own code."""

    def __init__(self, folder: Path, key: SealingKey) -> None:
        self._program = program("sealing")
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        self.certificate.write_bytes(key.certificate)
        self.key.write_bytes(key.private)

    def _run(self, verb: str, path: Path, value: Object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._program, verb, path], input=json.dumps(value), capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip

    def seal(self, value: Object) -> Object:
        done = self._run("seal", self.certificate, value)
        assert done.returncode == 0, done.stderr
        sealed: Object = json.loads(done.stdout)
        return sealed

    def unseal(self, value: Object, key: Path | None = None) -> Secret:
        done = self._run("unseal", key or self.key, value)
        assert done.returncode == 0, done.stderr
        return manifests.secret(
            {"apiVersion": "v1", "kind": "Secret", **json.loads(done.stdout)}, name="unsealed"
        )

    def refuses(self, value: Object) -> str:
        done = self._run("unseal", self.key, value)
        assert done.returncode != 0
        return done.stderr


@pytest.fixture
def real(tmp_path: Path, key: SealingKey) -> Real:
    return Real(tmp_path, key)


@pytest.mark.parametrize("scope", Scope)
def test_the_controller_opens_what_is_sealed_here(
    real: Real, key: SealingKey, scope: Scope
) -> None:
    certificate = sealing.certificate(key.certificate, name="c")
    sealed = sealing.seal(SECRET, certificate, scope)
    opened = real.unseal(sealed.manifest())
    assert dict(opened.data) == dict(SECRET.data)
    assert (opened.name, opened.namespace, opened.type) == (
        SECRET.name, SECRET.namespace, SECRET.type,
    )  # fmt: skip
    assert opened.labels == SECRET.labels
    assert opened.annotations["about"] == "it"
    moved: Any = json.loads(json.dumps(sealed.manifest()))
    moved["metadata"]["name"] = "elsewhere"
    if scope is Scope.STRICT:
        assert "no key could decrypt" in real.refuses(moved)
    else:
        assert dict(real.unseal(moved).data) == dict(SECRET.data)


@pytest.mark.parametrize("scope", Scope)
def test_what_kubeseal_seals_is_opened_and_verified_here(
    real: Real, key: SealingKey, scope: Scope
) -> None:
    value = SECRET.manifest()
    value["metadata"]["annotations"] |= scope.annotations
    sealed = sealing.sealed_secret(real.seal(value), name="kubeseal's")
    assert sealed.scope is scope
    assert dict(sealing.unseal(sealed, [key.key]).data) == dict(SECRET.data)


def test_a_key_out_of_escrow_opens_what_was_sealed_before(
    real: Real, key: SealingKey, tmp_path: Path
) -> None:
    """The cluster is lost: its keys come back out of the file, for a new controller."""
    identity = pyrage.x25519.Identity.generate()
    own = Secret(
        name="sealed-secrets-keyabcde",
        namespace="kube-system",
        type="kubernetes.io/tls",
        labels={escrow.LABEL: "active"},
        data={"tls.key": key.private, "tls.crt": key.certificate},
    )
    _, plain = escrow.keys([own.manifest()])
    file = escrow.closed(plain, [str(identity.to_public())])
    sealed = resealing.seal_all(
        [SECRET.manifest()], sealing.certificate(key.certificate, name="c"), name="f"
    )
    again = escrow.opened(file, str(identity), name="escrow.age")
    (restored,) = again["items"]
    path = tmp_path / "restored.pem"
    path.write_bytes(base64.b64decode(restored["data"]["tls.key"]))
    assert dict(real.unseal(sealed.objects[0], path).data) == dict(SECRET.data)
