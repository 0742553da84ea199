"""What was found when a backup was restored for proof: `verified.json`, beside its manifest."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sightline.backups.errors import DamageError
from sightline.backups.manifest import Digest, Manifest


class Verification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one backup, the last time."""

    format: Literal[1] = 1
    id: str
    sha256: Digest
    """Of the stored dump that it speaks of: it says nothing of another."""
    verified_at: Annotated[datetime, Meta(tz=True)]
    problem: str | None = None
    """Why it is no backup; None: it was restored, and all was as it had been."""
    restore_seconds: float
    """From the first byte fetched to the last invariant compared: the measured RTO."""
    seconds: dict[str, float]
    """How long each step took."""
    server: str
    """Where it was restored into, with its version."""

    @property
    def good(self) -> bool:
        """Whether it was restored and found to be what it had been."""
        return self.problem is None

    def speaks_of(self, manifest: Manifest) -> bool:
        """Whether it is that backup's."""
        return (self.id, self.sha256) == (manifest.id, manifest.sha256)


def read(data: bytes, *, where: str) -> Verification:
    """Raises DamageError."""
    try:
        return msgspec.json.decode(data, type=Verification)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamageError(f"{where} is damaged: {error}") from error


def written(verification: Verification) -> bytes:
    """For people, too."""
    return msgspec.json.format(msgspec.json.encode(verification), indent=2) + b"\n"
