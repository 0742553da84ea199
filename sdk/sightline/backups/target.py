"""Where backups lie: what every such place can do, and what is found there.

A backup appears in it whole or not at all: its manifest comes last, and goes first.
"""

from __future__ import annotations

import re
import secrets
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from sightline.backups.errors import RefusedError
from sightline.backups.manifest import Manifest
from sightline.backups.verification import Verification

MANIFEST, VERIFIED = "manifest.json", "verified.json"
ID = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}")


def new_id(now: datetime) -> str:
    """Sorts by time; two of one second differ."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def moment_of(name: str) -> datetime | None:
    """When a backup of that id was begun; None for what is no id."""
    match = ID.fullmatch(name)
    if match is None:
        return None
    return datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A backup in its place, as far as it can be told without reading the whole dump."""

    id: str
    state: Literal["whole", "damaged", "unfinished"]
    problem: str | None = None
    """Of one that is damaged."""
    stored_bytes: int
    manifest: Manifest | None = None
    verification: Verification | None = None
    """The last one, good or bad, if it speaks of this very dump."""
    locked_until: datetime | None = None

    @property
    def verified(self) -> bool:
        """Whether it was restored once, and was what it had been."""
        return self.verification is not None and self.verification.good


class Source(Protocol):
    """A place to restore from."""

    where: str
    """Without secrets."""

    def found(self) -> tuple[Found, ...]:
        """All that is there, the oldest first."""

    def present(self, name: str) -> AbstractContextManager[Path]:
        """A folder on this machine with the files of one backup, as long as it lasts."""


class Target(Source, Protocol):
    """A place for backups."""

    def appearing(self, name: str) -> AbstractContextManager[Path]:
        """A folder to fill; there by that name once it is left well, gone if it is not."""

    def note(self, name: str, data: bytes) -> None:
        """Put `verified.json` beside a manifest, instead of the one before."""

    def remove(self, name: str) -> None:
        """Take it away, whatever state it is in."""


def choose(source: Source, name: str | None) -> str:
    """The backup that is meant: that one, or the newest that is whole. Raises RefusedError."""
    if name is not None:
        return name
    whole = [each.id for each in source.found() if each.state == "whole"]
    if not whole:
        raise RefusedError(f"there is no backup in {source.where}")
    return whole[-1]
