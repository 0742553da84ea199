"""Where backups lie: what every such place can do, and what is found there.

A backup appears in it whole or not at all: its manifest comes last, and goes first.
"""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sightline.backups.errors import RefusedError
from sightline.backups.found import Found

MANIFEST, VERIFIED = "manifest.json", "verified.json"


def new_id(now: datetime) -> str:
    """Sorts by time; two of one second differ."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


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
