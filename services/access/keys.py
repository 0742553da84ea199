"""API keys: who holds them and what they may do. A file holds digests only, never a key.

    [[keys]]
    id = "drone-7"
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    roles = ["detect"]
    expires = 2027-01-01T00:00:00Z      # optional
    earlier = [{sha256 = "…", expires = 2026-12-01T00:00:00Z}]   # optional: keys that it replaces

A key is `sl_ID_SECRET` with 256 random bits, so that its plain digest cannot be searched.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from access.errors import KeysError, NotKnownError
from access.roles import Role

_KEY = re.compile(r"sl_([a-z0-9][a-z0-9-]{0,63})_([A-Za-z0-9_-]{43})", re.ASCII)
_NOBODY = "0" * 64


class _Earlier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    expires: datetime


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    roles: Annotated[tuple[Role, ...], Meta(min_length=1)]
    expires: datetime | None = None
    earlier: tuple[_Earlier, ...] = ()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keys: tuple[_Entry, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who a key belongs to."""

    id: str
    roles: frozenset[Role]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRing:
    """The keys of one file."""

    entries: Mapping[str, _Entry]

    @classmethod
    def parse(cls, text: str, *, name: str) -> KeyRing:
        """Read a file's text. Raises KeysError that names the file and the entry."""
        try:
            file = msgspec.convert(tomllib.loads(text), _File)
        except tomllib.TOMLDecodeError as error:
            raise KeysError(f"{name}: not TOML: {error}") from error
        except msgspec.ValidationError as error:
            raise KeysError(f"{name}: {error}") from error
        entries: dict[str, _Entry] = {}
        for entry in file.keys:
            if entry.id in entries:
                raise KeysError(f"{name}: keys: {entry.id} is there more than once")
            times = (entry.expires, *(each.expires for each in entry.earlier))
            if any(time is not None and time.tzinfo is None for time in times):
                raise KeysError(f"{name}: keys: {entry.id}: expires has no time zone: add Z")
            entries[entry.id] = entry
        return cls(entries=entries)

    def holder(self, key: str, *, now: datetime) -> Holder:
        """Who holds this key. Raises NotKnownError; a wrong id takes as long as a right one."""
        match = _KEY.fullmatch(key)
        entry = self.entries.get(match[1]) if match else None
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        right = hmac.compare_digest(digest, entry.sha256 if entry else _NOBODY)
        if entry is None or not (right or _replaced(entry, digest, now)):
            raise NotKnownError("the API key is not known")
        if entry.expires is not None and now >= entry.expires:
            raise NotKnownError(f"the API key of {entry.id} ended on {entry.expires:%Y-%m-%d}")
        return Holder(id=entry.id, roles=frozenset(entry.roles))


def _replaced(entry: _Entry, digest: str, now: datetime) -> bool:
    """Whether it is one of the keys that this one replaces, and has not ended."""
    for each in entry.earlier:
        if hmac.compare_digest(digest, each.sha256):
            if now < each.expires:
                return True
            raise NotKnownError(
                f"this API key of {entry.id} was replaced, and ended on {each.expires:%Y-%m-%d}"
            )
    return False


def is_key(text: str) -> bool:
    """Whether this is a key by its form, and not a token."""
    return text.startswith("sl_")


def new_key(identity: str, roles: tuple[Role, ...]) -> tuple[str, str]:
    """A new key, and the entry for the file that lets it in. The key itself is kept nowhere."""
    key = f"sl_{identity}_{secrets.token_urlsafe(32)}"
    if not _KEY.fullmatch(key):
        raise KeysError(f"{identity!r} is not an id: 1 to 64 of a-z, 0-9 and -")
    return key, entry_of(key, roles)


def entry_of(
    key: str, roles: tuple[Role, ...], *, earlier: Mapping[str, datetime] | None = None
) -> str:
    """The entry that lets this key in, for the file of keys. Raises KeysError if it is none.

    `earlier` are digests of keys that it replaces, and when they end.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise KeysError("this is no API key: sl_ID_SECRET")
    listed = ", ".join(f'"{role}"' for role in roles)
    digest = hashlib.sha256(key.encode()).hexdigest()
    replaced = ", ".join(
        f'{{sha256 = "{each}", expires = {ends.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}}}'
        for each, ends in sorted((earlier or {}).items())
    )
    return (
        f"[[keys]]  # entered on {datetime.now(UTC):%Y-%m-%d}\n"
        f'id = "{match[1]}"\nsha256 = "{digest}"\nroles = [{listed}]\n'
        + (f"earlier = [{replaced}]\n" if replaced else "")
    )
