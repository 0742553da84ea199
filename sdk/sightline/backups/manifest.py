"""What a backup says of itself: `manifest.json`, written last.

Format 2 has a `digest` over its own bytes (with 64 zeros where the digest stands), so that a bit
that turns in it is noticed like one in the dump. Format 1 had none, and knew no encryption.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from sightline.backups.errors import DamageError

Kind: TypeAlias = Literal["sqlite", "postgres"]
Count = Annotated[int, Meta(ge=0)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

FORMAT = 2
_NONE = "0" * 64
_DIGEST = re.compile(rb'("digest":\s*")([0-9a-f]{64})(")')


class Encryption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the dump is kept from those who have no key, and what it is for those who have."""

    method: Literal["age"] = "age"
    recipients: Annotated[tuple[str, ...], Meta(min_length=1)]
    """Public keys; any one's identity opens it."""
    plain_bytes: Annotated[int, Meta(ge=1)]
    plain_sha256: Digest


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one backup."""

    format: Literal[1, 2] = 2
    id: Annotated[str, Meta(min_length=1)]
    kind: Kind
    source: str
    """Where the database was, without secrets."""
    schema: str | None = None
    """PostgreSQL: the schema that its tables are in."""
    started_at: Annotated[datetime, Meta(tz=True)]
    finished_at: Annotated[datetime, Meta(tz=True)]
    size_bytes: Annotated[int, Meta(ge=1)]
    """Of what is stored."""
    sha256: Digest
    """Of what is stored."""
    encryption: Encryption | None = None
    tables: Annotated[dict[str, Count], Meta(min_length=1)]
    """Rows of each table, as of the very moment that the dump is of."""
    facts: dict[str, int] = {}
    """What else was so at that moment, and must be so once it is restored: see invariants."""
    schema_version: Annotated[int, Meta(ge=1)]
    head: Count
    """The newest event."""
    tools: dict[str, str]
    """What made it, by name: versions."""
    schedule: str | None = None
    digest: Digest | None = None

    @property
    def dump(self) -> str:
        """The name of the file beside it."""
        return "dump" if self.encryption is None else "dump.age"

    @property
    def plain_bytes(self) -> int:
        """How large the dump is that a database is restored from."""
        return self.size_bytes if self.encryption is None else self.encryption.plain_bytes


def read(data: bytes, *, where: str) -> Manifest:
    """Raises DamageError."""
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamageError(f"{where} is damaged: {error}") from error
    if found.format == 1:
        if found.digest is not None or found.encryption is not None:
            raise DamageError(f"{where} is damaged: format 1 has no digest and no encryption")
        return found
    blank, times = _DIGEST.subn(rb"\g<1>" + _NONE.encode() + rb"\g<3>", data)
    if times != 1 or hashlib.sha256(blank).hexdigest() != found.digest:
        raise DamageError(f"{where} is damaged: it is not what was written once")
    return found


def written(manifest: Manifest) -> bytes:
    """For people, too."""
    blank = msgspec.structs.replace(manifest, digest=_NONE)
    return sealed(msgspec.json.format(msgspec.json.encode(blank), indent=2) + b"\n")


def sealed(blank: bytes) -> bytes:
    """Its text, with the digest where 64 digits stood."""
    blank = _DIGEST.sub(rb"\g<1>" + _NONE.encode() + rb"\g<3>", blank)
    digest = hashlib.sha256(blank).hexdigest().encode()
    return _DIGEST.sub(rb"\g<1>" + digest + rb"\g<3>", blank)
