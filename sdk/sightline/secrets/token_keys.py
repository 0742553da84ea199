"""The file of keys that tokens are signed with, and how one takes the place of another. Pure.

Services sign with the key that began last and believe all that have not ended (access.signing has
the format). A new key is laid in to begin a while later, by when every replica has read the file;
the one that signs now ends when the last token that it can have signed has.

    waiting → signing → believed → ended → (dropped)
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from sightline.secrets.errors import FormatError, RefusedError
from sightline.steps import Step

NAME = "signing-keys.json"
SETTLE = timedelta(minutes=3)
"""Until every replica has read a new file: the kubelet takes up to two minutes to bring it."""
LONGEST_TOKEN = timedelta(seconds=86_400)
"""The most that `access.token_seconds` may say."""
LEEWAY = timedelta(seconds=60)

Key = Mapping[str, Any]
State = Literal["waiting", "signing", "believed", "ended"]


class NewKeyStep(Step, frozen=True, kw_only=True, tag="new-key"):
    """A key is made."""

    kid: str
    begins: datetime

    @property
    def sentence(self) -> str:
        """As an order."""
        return (
            f"make the key {self.kid[:12]}…, which signs from {self.begins:%Y-%m-%d %H:%M:%S} UTC"
        )


class EndKeyStep(Step, frozen=True, kw_only=True, tag="end-key"):
    """A key is told when its last token ends."""

    kid: str
    ends: datetime

    @property
    def sentence(self) -> str:
        """As an order."""
        return f"believe the key {self.kid[:12]}… until {self.ends:%Y-%m-%d %H:%M:%S} UTC"


class DropKeyStep(Step, frozen=True, kw_only=True, tag="drop-key"):
    """A key is taken out."""

    kid: str

    @property
    def sentence(self) -> str:
        """As an order."""
        return f"drop the key {self.kid[:12]}…"


def parse(text: str, *, name: str) -> list[Key]:
    """The keys of a file. Raises FormatError that quotes nothing of it."""
    try:
        keys = json.loads(text)["keys"]
        found = [dict(key) for key in keys]
    except (ValueError, KeyError, TypeError):
        raise FormatError(f"{name}: not a JWKS file") from None
    for key in found:
        if not isinstance(key.get("kid"), str):
            raise FormatError(f"{name}: a key has no kid")
        for field in ("nbf", "exp"):
            if not isinstance(key.get(field, 0), int):
                raise FormatError(f"{name}: key {key['kid']}: {field}: seconds since 1970")
    return list(found)


def written(keys: Sequence[Key]) -> bytes:
    """As a file."""
    return json.dumps({"keys": list(keys)}, indent=1).encode() + b"\n"


def new_key() -> Key:
    """ES256 (P-256), which every library verifies. Its id is its thumbprint (RFC 7638)."""
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    public = {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64url(numbers.public_numbers.x),
        "y": _base64url(numbers.public_numbers.y),
    }
    told = json.dumps(public, separators=(",", ":"), sort_keys=True).encode()
    kid = base64.urlsafe_b64encode(hashlib.sha256(told).digest()).rstrip(b"=").decode()
    return {**public, "d": _base64url(numbers.private_value), "kid": kid, "alg": "ES256",
            "use": "sig"}  # fmt: skip


def states(keys: Sequence[Key], now: datetime) -> dict[str, State]:
    """By kid: what a key is for now."""
    able = [key for key in keys if "d" in key and _begun(key, now) and not _ended(key, now)]
    signer = max(able, key=lambda key: (key.get("nbf", 0), key["kid"]), default=None)
    found: dict[str, State] = {}
    for key in keys:
        if _ended(key, now):
            found[key["kid"]] = "ended"
        elif key is signer:
            found[key["kid"]] = "signing"
        else:
            found[key["kid"]] = "believed" if _begun(key, now) else "waiting"
    return found


def rotate(
    keys: Sequence[Key],
    fresh: Key,
    *,
    now: datetime,
    settle: timedelta = SETTLE,
    token_life: timedelta = LONGEST_TOKEN,
) -> tuple[list[Step], list[Key]]:
    """Let a fresh key take the place of the one that signs. Raises RefusedError while one waits."""
    known = states(keys, now)
    waiting = [kid for kid, state in known.items() if state == "waiting"]
    if waiting:
        raise RefusedError(
            f"the key {waiting[0][:12]}… is in the file and has not begun to sign: wait for it, or"
            " drop it with --finish --at-once"
        )
    # The first of all has nothing to overlap with but the secret, which goes on until it begins.
    begins = _whole(now + settle)
    ends = begins + token_life + LEEWAY
    steps: list[Step] = [NewKeyStep(kid=fresh["kid"], begins=begins)]
    kept: list[Key] = [{**fresh, "nbf": _seconds(begins)}]
    for key in keys:
        if known[key["kid"]] == "ended":
            steps.append(DropKeyStep(kid=key["kid"]))
        elif "exp" in key:
            kept.append(key)
        else:
            steps.append(EndKeyStep(kid=key["kid"], ends=ends))
            kept.append({**key, "exp": _seconds(ends)})
    return steps, kept


def replace(keys: Sequence[Key], fresh: Key, *, now: datetime) -> tuple[list[Step], list[Key]]:
    """Let a fresh key take the place of all others at once: for keys that others may have."""
    begins = _whole(now) - timedelta(seconds=1)
    steps: list[Step] = [DropKeyStep(kid=key["kid"]) for key in keys]
    return [NewKeyStep(kid=fresh["kid"], begins=begins), *steps], [
        {**fresh, "nbf": _seconds(begins)}
    ]


def finish(keys: Sequence[Key], *, now: datetime) -> tuple[list[Step], list[Key]]:
    """Drop the keys that have ended. Raises RefusedError while one is believed that will end."""
    known = states(keys, now)
    last = max(
        (key["exp"] for key in keys if "exp" in key and known[key["kid"]] != "ended"), default=None
    )
    if last is not None:
        raise RefusedError(
            f"tokens of the earlier key are good until {_time(last):%Y-%m-%d %H:%M:%S} UTC: finish"
            " after it"
        )
    dropped = [key for key in keys if known[key["kid"]] == "ended"]
    left = [key for key in keys if known[key["kid"]] != "ended"]
    return [DropKeyStep(kid=key["kid"]) for key in dropped], left


class TokenKey(msgspec.Struct, frozen=True, kw_only=True):
    """What may be told of a key."""

    kid: str
    state: State
    begins: datetime | None
    ends: datetime | None


def told(keys: Sequence[Key], now: datetime) -> list[TokenKey]:
    """The keys without their parts."""
    known = states(keys, now)
    return [
        TokenKey(
            kid=key["kid"],
            state=known[key["kid"]],
            begins=_time(key["nbf"]) if "nbf" in key else None,
            ends=_time(key["exp"]) if "exp" in key else None,
        )
        for key in keys
    ]


def _begun(key: Key, now: datetime) -> bool:
    return bool(key.get("nbf", 0) <= now.timestamp())


def _ended(key: Key, now: datetime) -> bool:
    return "exp" in key and bool(key["exp"] <= now.timestamp())


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode()


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0) + timedelta(seconds=1)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
