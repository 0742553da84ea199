"""What is written about a backup into the database itself, where metrics and alerts see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sightline.backups.manifest import Kind, Manifest


def microseconds(moment: datetime) -> int:
    """How the gateway stores times: since the epoch."""
    return round(moment.timestamp() * 1_000_000)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A backup that is begun."""

    id: str
    location: str
    started_at: datetime

    def values(self, kind: Kind) -> tuple[str | int, ...]:
        """In the order of the statement's columns."""
        return self.id, kind, self.location, microseconds(self.started_at)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How it ended: with an error, or there it is."""

    id: str
    finished_at: datetime
    error: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    schema_version: int | None = None
    head: int | None = None

    def values(self) -> tuple[str | int | None, ...]:
        """In the order of the statement's columns, the id last."""
        return (
            microseconds(self.finished_at), self.error, self.size_bytes, self.sha256,
            self.schema_version, self.head, self.id,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a dump is of."""

    tables: dict[str, int]
    schema: str | None
    schema_version: int
    head: int
    tools: dict[str, str]


class Database(Protocol):
    """A gateway's database, of either kind."""

    kind: Kind
    where: str
    """Without secrets."""

    def require(self) -> None:
        """Raises DatabaseError where it is not a gateway's."""

    def begin(self, entry: Entry) -> None:
        """Write down that a backup was begun."""

    def end(self, ending: Ending) -> None:
        """Write down how it ended."""

    def take(self, dump: Path, *, allow_empty: bool) -> Taken:
        """Dump it as of one moment, and check the dump."""

    def restore(self, dump: Path, manifest: Manifest) -> dict[str, int]:
        """Make it what the dump says; the rows of each table then. All or nothing."""
