"""What is written about a backup into the database itself, where metrics and alerts see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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


def ending(made: Manifest) -> Ending:
    """Of a backup that is there."""
    return Ending(
        id=made.id,
        finished_at=made.finished_at,
        size_bytes=made.size_bytes,
        sha256=made.sha256,
        schema_version=made.schema_version,
        head=made.head,
    )


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A backup that was restored and found to be what it was made of."""

    manifest: Manifest
    location: str
    verified_at: datetime
    restore_seconds: float

    def values(self) -> tuple[str | int | float | None, ...]:
        """In the order of the statement's columns."""
        made = self.manifest
        return (
            made.id, made.kind, self.location, microseconds(made.started_at),
            microseconds(made.finished_at), made.size_bytes, made.sha256, made.schema_version,
            made.head, microseconds(self.verified_at), self.restore_seconds,
        )  # fmt: skip


COLUMNS = (
    "id", "kind", "location", "started_at", "finished_at", "size_bytes", "sha256",
    "schema_version", "head", "verified_at", "restore_seconds",
)  # fmt: skip


def statement(mark: str) -> str:
    """What writes a proof down; a database that never heard of the backup hears of it now.

    That is so of one that was restored from an older backup.
    """
    return (
        f"INSERT INTO backups ({', '.join(COLUMNS)})"  # noqa: S608
        f" VALUES ({', '.join([mark] * len(COLUMNS))}) ON CONFLICT (id) DO UPDATE SET"
        " verified_at = excluded.verified_at, restore_seconds = excluded.restore_seconds"
    )


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a dump is of."""

    tables: dict[str, int]
    schema: str | None
    schema_version: int
    head: int
    tools: dict[str, str]
    facts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is in a database."""

    tables: dict[str, int]
    facts: dict[str, int]
    schema_version: int
    head: int
    server: str
    """What keeps it, with its version."""


class Ledger(Protocol):
    """The table of backups in a gateway's database."""

    where: str
    """Without secrets."""

    def begin(self, entry: Entry) -> None:
        """Write down that a backup was begun."""

    def end(self, ending: Ending) -> None:
        """Write down how it ended."""

    def verified(self, proof: Proof) -> None:
        """Write down that it was restored and compared."""

    def removed(self, names: Sequence[str], at: datetime) -> None:
        """Write down that these are there no more."""


class Database(Ledger, Protocol):
    """A gateway's database, of either kind."""

    kind: Kind

    def require(self) -> None:
        """Raises DatabaseError where it is not a gateway's."""

    def take(self, dump: Path, *, allow_empty: bool) -> Taken:
        """Dump it as of one moment, and check the dump."""

    def restore(self, dump: Path, manifest: Manifest) -> Look:
        """Make it what the dump says; what is in it then. All or nothing."""

    def look(self) -> Look:
        """Count what is in it, and ask its facts."""
