"""The keys that our tokens are signed with: a JWKS file (RFC 7517), changed with overlap.

    {"keys": [{"kty": "EC", "crv": "P-256", "x": …, "y": …, "d": …, "kid": …,
               "nbf": 1795687200, "exp": 1796292000}]}

A key may sign from `nbf` on (seconds since 1970; without it, always), the one that began last
signs, and its tokens are believed until `exp` (without it, for good). So a new key can be laid
beside the old one before it signs, by when every service has read it; and the old one stays until
its last token has ended. A key without its private part is believed and never signs. `nbf` and
`exp` of keys are those of OpenID Federation, 8.1. Time is handed in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from access.errors import KeysError

ALGORITHMS: Mapping[str, tuple[str, str]] = {
    "EC": ("ES256", "P-256"),
    "OKP": ("EdDSA", "Ed25519"),
}
"""By kind of key: the algorithm and the curve. Nothing with a shared secret."""
_PUBLIC = ("kty", "crv", "x", "y")


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKey:
    """One of them."""

    kid: str
    algorithm: str
    public: Any
    private: Any
    """None where the file has the public part alone."""
    jwk: Mapping[str, str]
    """The public part, as it is told to others."""
    begins: datetime
    ends: datetime | None

    def __repr__(self) -> str:
        return f"<SigningKey {self.kid}>"

    def believed(self, now: datetime) -> bool:
        """Whether its tokens count: also shortly before it signs, since clocks differ."""
        return self.ends is None or now < self.ends


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningKeys:
    """All of a file, by their kid."""

    keys: Mapping[str, SigningKey]

    @classmethod
    def parse(cls, text: str, *, name: str) -> SigningKeys:
        """Read a file's text. Raises KeysError that names the file and the key, never its parts."""
        try:
            listed = json.loads(text)["keys"]
        except (ValueError, KeyError, TypeError) as error:
            raise KeysError(f"{name}: not a JWKS file: {type(error).__name__}") from None
        if not isinstance(listed, list) or not listed:
            raise KeysError(f"{name}: keys: at least one is needed")
        found: dict[str, SigningKey] = {}
        for each in listed:
            key = _key(each, name)
            if key.kid in found:
                raise KeysError(f"{name}: kid {key.kid} is there more than once")
            found[key.kid] = key
        return cls(keys=found)

    def signer(self, now: datetime) -> SigningKey | None:
        """The one that signs now: of those that have begun, the last to."""
        able = (
            key
            for key in self.keys.values()
            if key.private is not None and key.begins <= now and key.believed(now)
        )
        return max(able, key=lambda key: (key.begins, key.kid), default=None)

    def believed(self, kid: str, now: datetime) -> SigningKey | None:
        """The key of this id, if its tokens still count."""
        key = self.keys.get(kid)
        return key if key is not None and key.believed(now) else None

    def public(self, now: datetime) -> list[Mapping[str, str]]:
        """What others need to believe our tokens."""
        return [key.jwk for key in self.keys.values() if key.believed(now)]


def _key(value: Any, name: str) -> SigningKey:
    kid = value.get("kid") if isinstance(value, dict) else None
    if not isinstance(kid, str) or not kid:
        raise KeysError(f"{name}: a key has no kid")
    where = f"{name}: key {kid}"
    kind = value.get("kty")
    if kind not in ALGORITHMS:
        raise KeysError(f"{where}: kty {kind!r} is neither EC nor OKP")
    algorithm, curve = ALGORITHMS[kind]
    if value.get("crv") != curve:
        raise KeysError(f"{where}: crv is not {curve}, the curve of {algorithm}")
    if value.get("alg", algorithm) != algorithm:
        raise KeysError(f"{where}: alg is not {algorithm}, which fits its curve")
    public = {each: value[each] for each in _PUBLIC if each in value}
    try:
        read = jwt.PyJWK(public, algorithm=algorithm).key
        private = jwt.PyJWK({**public, "d": value["d"]}, algorithm=algorithm).key if (
            "d" in value) else None  # fmt: skip
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError):
        # Its message may quote a part of the key.
        raise KeysError(f"{where}: its parts make no key") from None
    if private is not None and private.public_key() != read:
        raise KeysError(f"{where}: its private part belongs to another key")
    return SigningKey(
        kid=kid,
        algorithm=algorithm,
        public=read,
        private=private,
        jwk={**public, "kid": kid, "alg": algorithm, "use": "sig"},
        begins=_time(value, "nbf", where) or datetime.fromtimestamp(0, UTC),
        ends=_time(value, "exp", where),
    )


def _time(value: Mapping[str, Any], field: str, where: str) -> datetime | None:
    seconds = value.get(field)
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise KeysError(f"{where}: {field} is no time: seconds since 1970 are expected")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise KeysError(f"{where}: {field} is beyond what a time can be") from None
