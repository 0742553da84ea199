"""Keys of our own that sign tokens: which one signs when, and whose tokens are believed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from access import KeysError, NotKnownError, SigningKeys, Tokens
from access.keys import Holder
from access.tokens import key_set

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOLDER = Holder(id="drone-7", roles=frozenset({"detect"}))
SECRET = "a secret of at least 32 bytes, really"


def _jwk(kid: str, kind: str = "EC", **members: Any) -> dict[str, Any]:
    if kind == "EC":
        made = jwt.algorithms.ECAlgorithm.to_jwk(
            ec.generate_private_key(ec.SECP256R1()), as_dict=True
        )
    else:
        made = jwt.algorithms.OKPAlgorithm.to_jwk(
            ed25519.Ed25519PrivateKey.generate(), as_dict=True
        )
    return {**made, "kid": kid, **members}


def _parsed(*keys: dict[str, Any]) -> SigningKeys:
    return SigningKeys.parse(json.dumps({"keys": keys}), name="signing-keys.json")


def _public(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name != "d"}


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


@pytest.mark.parametrize("kind", ["EC", "OKP"])
def test_a_token_of_a_key_is_believed_by_whoever_has_its_public_part(kind: str) -> None:
    key = _jwk("one", kind)
    token, ends = Tokens(signing=_parsed(key)).issue(HOLDER, now=NOW)
    assert jwt.get_unverified_header(token)["kid"] == "one"
    elsewhere = Tokens(signing=_parsed(_public(key)))
    assert elsewhere.holder(token, now=NOW) == HOLDER
    with pytest.raises(NotKnownError, match="has ended"):
        elsewhere.holder(token, now=ends + timedelta(minutes=1))
    with pytest.raises(NotKnownError, match="issues no tokens"):
        elsewhere.issue(HOLDER, now=NOW)
    with pytest.raises(NotKnownError, match="not known"):
        Tokens(signing=_parsed(_jwk("two"))).holder(token, now=NOW)
    with pytest.raises(NotKnownError, match="signature"):
        Tokens(signing=_parsed(_jwk("one", kind))).holder(token, now=NOW)


def test_the_secret_goes_on_until_a_key_signs_and_its_tokens_until_they_end() -> None:
    key = _jwk("one", nbf=_seconds(NOW + timedelta(minutes=2)))
    both = Tokens(secret=SECRET, signing=_parsed(key))
    early, _ = both.issue(HOLDER, now=NOW)
    assert "kid" not in jwt.get_unverified_header(early)
    late, _ = both.issue(HOLDER, now=NOW + timedelta(minutes=3))
    assert jwt.get_unverified_header(late)["kid"] == "one"
    for token in (early, late):
        assert both.holder(token, now=NOW + timedelta(minutes=4)) == HOLDER


@given(minutes=st.integers(-30, 90), at=st.integers(-30, 90))
@settings(max_examples=80, deadline=None)
def test_no_token_is_refused_while_a_key_takes_the_place_of_another(minutes: int, at: int) -> None:
    """A service that has read the new file, and one that has only the old one until it changes."""
    change, life = NOW + timedelta(minutes=2), timedelta(minutes=15)
    first, second = KEYS
    before = Tokens(signing=_parsed(first), lifetime=life)
    ends = _seconds(change + life + timedelta(minutes=1))
    after = Tokens(
        signing=_parsed({**first, "exp": ends}, {**second, "nbf": _seconds(change)}), lifetime=life
    )
    issued, shown = NOW + timedelta(minutes=minutes), NOW + timedelta(minutes=at)
    issuers = [after] if issued >= change else [before, after]
    believers = [after] if shown >= change else [before, after]
    for issuer in issuers:
        token, until = issuer.issue(HOLDER, now=issued)
        if issued <= shown < until:
            assert all(each.holder(token, now=shown) == HOLDER for each in believers)
    assert jwt.get_unverified_header(token)["kid"] == ("two" if issued >= change else "one")


KEYS = (_jwk("one"), _jwk("two", "OKP"))


def test_a_key_that_ended_is_believed_no_longer_and_told_to_nobody() -> None:
    key = _jwk("one")
    token, _ = Tokens(signing=_parsed(key), lifetime=timedelta(days=1)).issue(HOLDER, now=NOW)
    ended = _parsed({**key, "exp": _seconds(NOW + timedelta(hours=1))}, _jwk("two"))
    at = NOW + timedelta(hours=1)
    with pytest.raises(NotKnownError, match="not known"):
        Tokens(signing=ended).holder(token, now=at)
    assert [each["kid"] for each in ended.public(NOW)] == ["one", "two"]
    assert [each["kid"] for each in ended.public(at)] == ["two"]


def test_no_private_part_is_ever_told() -> None:
    key = _jwk("one")
    keys = _parsed(key)
    (told,) = keys.public(NOW)
    assert "d" not in told
    assert key["d"] not in repr(keys)
    jwt.PyJWKSet.from_dict({"keys": [dict(told)]})


def _segment(value: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def test_a_public_key_is_no_secret_and_no_signature_is_none() -> None:
    key = _jwk("one")
    tokens = Tokens(secret=SECRET, signing=_parsed(key))
    claims = {"iss": "sightline", "aud": "sightline", "sub": "me", "roles": ["operate"],
              "exp": _seconds(NOW + timedelta(hours=1))}  # fmt: skip
    for header, secret in (
        ({"alg": "HS256", "kid": "one"}, json.dumps(_public(key)).encode()),
        ({"alg": "HS256", "kid": "one"}, SECRET.encode()),
        ({"alg": "none", "kid": "one"}, b""),
    ):
        signed = _segment(header) + b"." + _segment(claims)
        algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        forged = (
            signed + b"." + base64.urlsafe_b64encode(algorithm.sign(signed, secret)).rstrip(b"=")
        )
        with pytest.raises(NotKnownError):
            tokens.holder(forged.decode(), now=NOW)


def test_a_providers_key_of_the_same_id_is_refused() -> None:
    provider = key_set(json.dumps({"keys": [_public(_jwk("one"))]}), name="jwks.json")
    with pytest.raises(KeysError, match="kid one"):
        Tokens(signing=_parsed(_jwk("one")), keys=provider)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kid": ""}, "no kid"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "neither EC nor OKP"),
        ({"crv": "P-384"}, "crv is not P-256"),
        ({"alg": "HS256"}, "alg is not ES256"),
        ({"x": "AAAA"}, "make no key"),
        ({"d": "planted-secret"}, "make no key"),
        ({"d": _jwk("x")["d"]}, "make no key"),
        ({**_jwk("one", "OKP"), "d": _jwk("x", "OKP")["d"]}, "(make no|another) key"),
        ({"nbf": "soon"}, "nbf is no time"),
        ({"exp": 1e300}, "beyond"),
    ],
)
def test_a_key_that_is_none_is_named_and_not_quoted(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KeysError, match=rf"signing-keys\.json.*{sentence}") as caught:
        _parsed({**_jwk("one"), **change})
    assert "planted-secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["", "[]", '{"keys": {}}', '{"keys": []}', '{"keys": [7]}'])
def test_a_file_without_keys_is_refused(text: str) -> None:
    with pytest.raises(KeysError, match=r"signing-keys\.json"):
        SigningKeys.parse(text, name="signing-keys.json")
