"""A backup as it is found in its place, and what its id says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

import msgspec

from sightline.backups.manifest import Manifest
from sightline.backups.verification import Verification

ID = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}")


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
