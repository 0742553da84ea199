"""What a backup says of itself: `manifest.json`, written last."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from sightline.backups.errors import DamageError

Kind: TypeAlias = Literal["sqlite", "postgres"]
Count = Annotated[int, Meta(ge=0)]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one backup."""

    format: Literal[1] = 1
    id: Annotated[str, Meta(min_length=1)]
    kind: Kind
    source: str
    """Where the database was, without secrets."""
    schema: str | None = None
    """PostgreSQL: the schema that its tables are in."""
    started_at: Annotated[datetime, Meta(tz=True)]
    finished_at: Annotated[datetime, Meta(tz=True)]
    size_bytes: Annotated[int, Meta(ge=1)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    tables: Annotated[dict[str, Count], Meta(min_length=1)]
    """Rows of each table, as of the very moment that the dump is of."""
    schema_version: Annotated[int, Meta(ge=1)]
    head: Count
    """The newest event."""
    tools: dict[str, str]
    """What made it, by name: versions."""
    schedule: str | None = None


def read(data: bytes, *, where: str) -> Manifest:
    """Raises DamageError."""
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise DamageError(f"{where} is damaged: {error}") from error


def written(manifest: Manifest) -> bytes:
    """For people, too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
