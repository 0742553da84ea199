"""Planted secrets are found wherever they lie; names, templates and placeholders are none."""

from __future__ import annotations

import base64
import json
import secrets as lots
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from access import new_key
from sightline.secrets import exceptions, searching
from sightline.secrets.errors import FormatError
from sightline.secrets.leaks import leaks

BASE62 = string.ascii_letters + string.digits
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: Any, form: PrivateFormat, password: bytes | None = None) -> str:
    hidden = BestAvailableEncryption(password) if password else NoEncryption()
    return str(key.private_bytes(Encoding.PEM, form, hidden).decode())


def _secret(data: dict[str, str], **metadata: Any) -> str:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return json.dumps(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}, indent=1
    )


def _yaml(data: dict[str, str], field: str = "data", indent: str = "") -> str:
    lines = ["apiVersion: v1", "kind: Secret", "metadata:", "  name: x", f"{field}:"]
    for key, value in data.items():
        written = base64.b64encode(value.encode()).decode() if field == "data" else value
        lines.append(f"  {key}: {written}")
    return "\n".join(indent + line for line in lines) + "\n"


def _word(length: int, alphabet: str = BASE62) -> str:
    return "".join(lots.choice(alphabet) for _ in range(length))


def _mixed(length: int) -> str:
    """One that nobody could take for words: its kinds of characters take turns."""
    kinds = (string.ascii_lowercase, string.digits, string.ascii_uppercase)
    return "".join(lots.choice(kinds[at % 3]) for at in range(length))


KINDS: dict[str, tuple[str, Callable[[], str]]] = {
    "PKCS#8": ("private-key", lambda: _pem(RSA, PrivateFormat.PKCS8)),
    "PKCS#1": ("private-key", lambda: _pem(RSA, PrivateFormat.TraditionalOpenSSL)),
    "PKCS#1 with a passphrase": (
        "private-key",
        lambda: _pem(RSA, PrivateFormat.TraditionalOpenSSL, b"word"),
    ),
    "SEC 1": (
        "private-key",
        lambda: _pem(ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL),
    ),
    "Ed25519": (
        "private-key",
        lambda: _pem(ed25519.Ed25519PrivateKey.generate(), PrivateFormat.PKCS8),
    ),
    "OpenSSH": (
        "private-key",
        lambda: _pem(ed25519.Ed25519PrivateKey.generate(), PrivateFormat.OpenSSH),
    ),
    "a key on one line": (
        "private-key",
        lambda: json.dumps({"key": _pem(RSA, PrivateFormat.PKCS8)}),
    ),
    "a key in base64": (
        "private-key",
        lambda: base64.b64encode(_pem(RSA, PrivateFormat.PKCS8).encode()).decode(),
    ),
    "age": ("age-identity", lambda: str(pyrage.x25519.Identity.generate())),
    "AWS key": ("aws-key", lambda: "AKIA" + _word(16, string.ascii_uppercase + "234567")),
    "AWS secret": ("aws-secret", lambda: f"aws_secret_access_key = {_word(40)}"),
    "JWT": ("jwt", lambda: jwt.encode({"sub": "me"}, _word(40), algorithm="HS256")),
    "API key": ("sightline-api-key", lambda: new_key("drone-7", ("detect",))[0]),
    "Vault": ("vault-token", lambda: "hvs." + lots.token_urlsafe(24)),
    "old Vault": ("vault-token", lambda: f"VAULT_TOKEN=s.{_mixed(24)}"),
    "database": ("database-password", lambda: f"postgresql://me:{_word(8)}@db/x"),
    "address": ("url-password", lambda: f"https://oauth2:{_mixed(20)}@git.example/x.git"),
    "GitHub": ("provider-token", lambda: "ghp_" + _word(36)),
    "GitLab": ("provider-token", lambda: "glpat-" + _word(20)),
    "Secret as YAML": ("kubernetes-secret", lambda: _yaml({"password": _word(5)})),
    "Secret's strings": ("kubernetes-secret", lambda: _yaml({"word": "open sesame"}, "stringData")),
    "Secret in a list": (
        "kubernetes-secret",
        lambda: "items:\n" + _yaml({"w": "sesame"}, indent="  "),
    ),
    "Secret as JSON": ("kubernetes-secret", lambda: _secret({"word": "sesame"}, name="x")),
    "sealing key": (
        "sealed-secrets-key",
        lambda: _secret(
            {"tls.key": _pem(RSA, PrivateFormat.PKCS8)},
            labels={"sealedsecrets.bitnami.com/sealed-secrets-key": "active"},
        ),
    ),
    "assigned": ("assigned-secret", lambda: f'token_secret = "{_mixed(30)}"'),
    "of a shell": ("assigned-secret", lambda: f"export SMTP_PASSWORD={_mixed(24)}"),
    "of YAML": ("assigned-secret", lambda: f"clientSecret: {_mixed(24)}"),
}

AROUND = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)


@pytest.mark.parametrize("kind", KINDS)
@given(before=AROUND, after=AROUND)
@settings(max_examples=10, deadline=None)
def test_a_planted_secret_is_found_where_it_lies(kind: str, before: str, after: str) -> None:
    rule, make = KINDS[kind]
    secret = make()
    # A Secret's list and a legacy token lean on the lines around them.
    head = f"{before}\n"
    content = f"{head}{secret}\n\n---\n{after}".encode()
    first, last = head.count("\n") + 1, head.count("\n") + 1 + secret.count("\n")
    found = [leak for leak in leaks("a.txt", content) if leak.rule == rule]
    assert found
    assert all(first <= leak.line <= last for leak in found)
    told = repr(found)
    assert not any(piece in told for piece in secret.split() if len(piece) > 30)


@given(st.binary(max_size=400))
def test_any_bytes_can_be_looked_into(content: bytes) -> None:
    for leak in leaks("x", content):
        assert 1 <= leak.line <= content.count(b"\n") + 1


@given(key=st.integers(0, 3), junk=st.binary(min_size=1, max_size=5000))
@settings(max_examples=30, deadline=None)
def test_keys_are_found_in_binary_files_as_well(key: int, junk: bytes) -> None:
    secret = [*KINDS.values()][key][1]().encode()
    found = list(leaks("layer.bin", b"\0" + junk + b"\n" + secret + b"\n\0" + junk))
    assert "private-key" in {leak.rule for leak in found}


@pytest.mark.parametrize(
    "text",
    [
        "password: ${PASSWORD}",
        "token = secrets.token_urlsafe(48)",
        'password = "{{ .Values.database.password }}"',
        "postgresql://user:password@host/name",
        "postgresql://sightline:{password}@sightline-database/sightline",
        "postgresql://user:$PASSWORD@host/name",
        "key = ed25519.Ed25519PrivateKey.from_private_bytes",
        "token_file: /run/secrets/sightline/token-2026-11-26",
        "secretName: sightline-cop-gateway-2",
        "existingSecret: 6fa459ea-ee8a-3ca4-894e-db77e160355e",
        "-----BEGIN PRIVATE KEY-----\\n…\\n-----END PRIVATE KEY-----",
        '"-----BEGIN PRIVATE KEY-----" in text',
        "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
        "X-API-Key: sl_drone-7_" + "x" * 43,
        "kind: Secret\nmetadata:\n  name: x\ndata:\n  key: {{ .Values.key | b64enc }}\n",
        "kind: Secret\nmetadata:\n  name: x\nstringData:\n  key: <the key>\n",
        "kind: SealedSecret\nspec:\n  encryptedData:\n    key: " + "QUJD" * 40 + "\n",
        "kind: Secret\n---\nkind: ConfigMap\ndata:\n  colour: Ymx1ZQ==\n",
        "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_names_templates_and_placeholders_are_none(text: str) -> None:
    assert list(leaks("a.txt", text.encode())) == []


def test_a_fingerprint_tells_secrets_apart_and_is_the_same_anywhere() -> None:
    one, other = (f'password = "{_mixed(28)}"\n'.encode() for _ in range(2))
    (first,) = leaks("a", one)
    (again,) = leaks("b", b"\n\n" + one)
    (second,) = leaks("a", other)
    assert first.fingerprint == again.fingerprint != second.fingerprint
    assert (first.line, again.line) == (1, 3)


@pytest.mark.parametrize("alphabet", [BASE62, BASE62 + "-_", string.hexdigits[:16]])
def test_what_is_drawn_by_lot_is_found_under_the_name_of_a_secret(alphabet: str) -> None:
    drawn = [_word(40, alphabet) for _ in range(400)]
    found = [lot for lot in drawn if list(leaks("x", f"api_key: {lot}".encode()))]
    assert len(found) > 380


def test_this_repository_holds_no_secret() -> None:
    root = Path(__file__).resolve().parents[3]
    exemptions = exceptions.read(root / exceptions.NAME)
    if (root / ".git").exists():
        contents = searching.worktree(root)
    else:
        contents = searching.below(root / name for name in ("deploy", "docs", "sdk", "services"))
    found = searching.search(contents, exemptions)
    assert found.searched > 500
    assert found.leaks == ()
    assert found.left_out == {}


def test_exceptions_that_cannot_be_read_are_said_to_be_so() -> None:
    with pytest.raises(FormatError, match="fingerprint"):
        exceptions.parse('[[allowed]]\nfingerprint = "x"\nreason = "long enough"', name="f")
