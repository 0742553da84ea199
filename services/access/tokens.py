"""Tokens (JWT, RFC 7519): those that we issue for an API key, and those of an identity provider.

Ours are signed with a key of our own (ES256 or EdDSA, `access.signing`), else HS256 under a secret
that all services share; tokens of either are believed where both are set. A provider's are RS256 or
ES256 under the public keys of a JWKS file (RFC 7517). Which algorithms are believed is decided by
the kind of the key and never by the token's own header, so that a public key cannot be taken for a
secret (RFC 8725, 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt

from access.errors import KeysError, NotKnownError
from access.keys import Holder
from access.roles import ROLES, Role
from access.signing import SigningKeys

LEEWAY_SECONDS = 30
SHORTEST_SECRET = 32
_OURS = "sightline"
_ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256",),
    "EC": ("ES256",),
    "oct": ("HS256",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """What is believed: our keys and secret, the provider's keys by their id, issuer, audience."""

    secret: str | None = None
    signing: SigningKeys | None = None
    keys: Mapping[str, jwt.PyJWK] | None = None
    issuer: str | None = None
    audience: str = _OURS
    lifetime: timedelta = timedelta(minutes=15)

    def __post_init__(self) -> None:
        if self.secret is not None and len(self.secret.encode()) < SHORTEST_SECRET:
            raise KeysError(f"the token secret is shorter than {SHORTEST_SECRET} bytes")
        if self.signing and self.keys and (both := self.signing.keys.keys() & self.keys.keys()):
            raise KeysError(f"kid {min(both)} is a key of ours and one of the provider's")

    def issue(self, holder: Holder, *, now: datetime) -> tuple[str, datetime]:
        """A token for whoever showed a key, and when it ends."""
        signer = self.signing.signer(now) if self.signing else None
        ends = now + self.lifetime
        claims = {
            "iss": _OURS,
            "aud": self.audience,
            "sub": holder.id,
            "roles": sorted(holder.roles),
            "iat": now,
            "nbf": now,
            "exp": ends,
        }
        if signer is not None:
            headers = {"kid": signer.kid}
            return jwt.encode(claims, signer.private, signer.algorithm, headers=headers), ends
        if self.secret is None:
            raise NotKnownError(
                "this service issues no tokens: it has neither a key that signs now nor a token"
                " secret"
            )
        return jwt.encode(claims, self.secret, algorithm="HS256"), ends

    def holder(self, token: str, *, now: datetime) -> Holder:
        """Whose token this is. Raises NotKnownError: what is wrong with it, never what it holds."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise NotKnownError("the token is not a JWT") from error
        key, algorithms, issuer = self._key(header, now)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(algorithms),
                audience=self.audience,
                issuer=issuer,
                # Time is checked below, against the clock that was handed in.
                options={
                    "require": ["exp", "sub", "aud"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidTokenError as error:
            raise NotKnownError(f"the token is not good: {_why(error)}") from error
        _check_times(claims, now)
        return Holder(id=str(claims["sub"])[:128], roles=_roles(claims.get("roles")))

    def _key(
        self, header: Mapping[str, Any], now: datetime
    ) -> tuple[Any, Sequence[str], str | None]:
        known = header.get("kid")
        if known is None and self.secret is not None:
            return self.secret, ("HS256",), _OURS
        if self.signing and isinstance(known, str) and (own := self.signing.believed(known, now)):
            return own.public, (own.algorithm,), _OURS
        if self.keys and isinstance(known, str) and known in self.keys:
            key = self.keys[known]
            return key.key, _ALGORITHMS[str(key.key_type)], self.issuer
        raise NotKnownError("the token is signed with a key that is not known here")


def key_set(text: str, *, name: str) -> dict[str, jwt.PyJWK]:
    """The keys of a JWKS file by their id. Raises KeysError."""
    try:
        keys = jwt.PyJWKSet.from_json(text).keys
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeysError(f"{name}: not a JWKS file: {type(error).__name__}") from error
    found: dict[str, jwt.PyJWK] = {}
    for key in keys:
        if not key.key_id:
            raise KeysError(f"{name}: a key has no kid")
        if key.key_type not in _ALGORITHMS:
            raise KeysError(f"{name}: key {key.key_id}: {key.key_type} is none of RSA, EC and oct")
        if key.key_id in found:
            raise KeysError(f"{name}: kid {key.key_id} is there more than once")
        found[key.key_id] = key
    return found


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    moment = now.timestamp()
    for name, early in (("exp", False), ("nbf", True)):
        value = claims.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise NotKnownError(f"the token is not good: {name} is no time")
        if early and moment + LEEWAY_SECONDS < value:
            raise NotKnownError("the token is not valid yet")
        if not early and moment - LEEWAY_SECONDS >= value:
            raise NotKnownError("the token has ended")


def _roles(stated: object) -> frozenset[Role]:
    """Those of ours among the stated ones; a provider may state others, for other services."""
    if isinstance(stated, str):
        stated = stated.split()
    if not isinstance(stated, list):
        return frozenset()
    return frozenset(role for role in ROLES if role in stated)


def _why(error: jwt.InvalidTokenError) -> str:
    """PyJWT's classes are the reason; its messages may quote the token."""
    names = {
        jwt.InvalidSignatureError: "its signature does not fit",
        jwt.InvalidAudienceError: "it is for another audience",
        jwt.InvalidIssuerError: "it is of another issuer",
        jwt.InvalidAlgorithmError: "its algorithm is not believed here",
    }
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it has no {error.claim}"
    return names.get(type(error), "it cannot be read")
