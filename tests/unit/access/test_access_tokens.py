"""Tokens: ours, a provider's, and what people try with them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from access import KeysError, NotKnownError, Tokens
from access.keys import Holder
from access.tokens import LEEWAY_SECONDS, key_set

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
SECRET = "a secret of at least 32 bytes, really"
HOLDER = Holder(id="drone-7", roles=frozenset({"detect", "read"}))

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def jwks() -> str:
    keys = []
    for kid, key, algorithm in (
        ("rsa-1", RSA, jwt.algorithms.RSAAlgorithm),
        ("ec-1", EC, jwt.algorithms.ECAlgorithm),
    ):
        keys.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid})
    return json.dumps({"keys": keys})


def provider(**changes: Any) -> dict[str, Any]:
    return {
        "iss": "https://idp.example", "aud": "sightline", "sub": "alice", "roles": ["operate"],
        "exp": NOW + timedelta(hours=1), **changes,
    }  # fmt: skip


def tokens() -> Tokens:
    return Tokens(
        secret=SECRET, keys=key_set(jwks(), name="jwks.json"), issuer="https://idp.example"
    )


def test_a_token_of_ours_says_who_showed_the_key() -> None:
    token, ends = tokens().issue(HOLDER, now=NOW)
    assert tokens().holder(token, now=NOW) == HOLDER
    assert ends == NOW + timedelta(minutes=15)


def test_a_token_ends() -> None:
    token, ends = tokens().issue(HOLDER, now=NOW)
    late = timedelta(seconds=LEEWAY_SECONDS)
    assert tokens().holder(token, now=ends + late - timedelta(seconds=1)) == HOLDER
    with pytest.raises(NotKnownError, match="has ended"):
        tokens().holder(token, now=ends + late)


@pytest.mark.parametrize(
    ("kid", "key", "algorithm"), [("rsa-1", RSA, "RS256"), ("ec-1", EC, "ES256")]
)
def test_a_providers_token_is_believed(kid: str, key: Any, algorithm: str) -> None:
    token = jwt.encode(provider(), key, algorithm=algorithm, headers={"kid": kid})
    holder = tokens().holder(token, now=NOW)
    assert (holder.id, holder.roles) == ("alice", {"operate"})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "somebody-else"}, "another audience"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"exp": NOW - timedelta(hours=1)}, "has ended"),
        ({"nbf": NOW + timedelta(hours=1)}, "not valid yet"),
        ({"exp": None}, "it has no exp"),
        ({"sub": None}, "it has no sub"),
    ],
)
def test_a_providers_token_that_does_not_fit_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    claims = {name: value for name, value in provider(**changes).items() if value is not None}
    token = jwt.encode(claims, RSA, algorithm="RS256", headers={"kid": "rsa-1"})
    with pytest.raises(NotKnownError, match=reason):
        tokens().holder(token, now=NOW)


def test_roles_that_are_not_ours_are_no_roles() -> None:
    token = jwt.encode(
        provider(roles=["admin", "read"]), EC, algorithm="ES256", headers={"kid": "ec-1"}
    )
    assert tokens().holder(token, now=NOW).roles == {"read"}


def segment(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_without_a_signature_is_refused() -> None:
    claims = provider(exp=int((NOW + timedelta(hours=1)).timestamp()))
    for header in ({"alg": "none"}, {"alg": "none", "kid": "rsa-1"}):
        with pytest.raises(NotKnownError):
            tokens().holder(f"{segment(header)}.{segment(claims)}.", now=NOW)


def test_a_public_key_is_no_secret() -> None:
    """RFC 8725, 2.1: signed by HMAC, with the provider's public key for a secret."""
    public = RSA.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = segment({"alg": "HS256", "kid": "rsa-1", "typ": "JWT"})
    body = segment(provider(exp=int((NOW + timedelta(hours=1)).timestamp())))
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        f"{head}.{body}".encode(), public
    )
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(NotKnownError):
        tokens().holder(forged, now=NOW)


def test_a_token_signed_with_another_secret_is_refused() -> None:
    token, _ = Tokens(secret="another secret of at least 32 bytes").issue(HOLDER, now=NOW)
    with pytest.raises(NotKnownError, match="signature"):
        tokens().holder(token, now=NOW)
    unknown = jwt.encode(provider(), RSA, algorithm="RS256", headers={"kid": "rsa-9"})
    with pytest.raises(NotKnownError, match="not known"):
        tokens().holder(unknown, now=NOW)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(KeysError, match="32 bytes"):
        Tokens(secret="short")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"keys": 7}', '{"keys": []}', '{"keys": [{}]}'])
def test_a_file_that_holds_no_keys_is_refused(text: str) -> None:
    with pytest.raises(KeysError, match=r"jwks\.json"):
        key_set(text, name="jwks.json")
