"""Restore beside the database in use, compare, and only then swap the two by name.

What was in use is kept under another name. While they are swapped nobody gets in, and no moment
exists at which the name means neither of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import msgspec

from sightline.backups import making, opening, steps
from sightline.backups.errors import RefusedError
from sightline.backups.ledger import Database, ending
from sightline.backups.making import Now, utc
from sightline.backups.manifest import Kind, Manifest
from sightline.backups.opening import Keys
from sightline.backups.target import Source
from sightline.journal import Journal
from sightline.steps import Step

Discard: TypeAlias = int | Literal["unknown"] | None
"""How many events that came after the backup may go; `unknown` where nobody can count them."""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The database in use, before anything is done to it."""

    exists: bool
    head: int | None
    """None: it cannot be read."""
    gateways: int = 0
    """How many sessions of gateways it has."""


class Swapped(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is in use now."""

    id: str
    location: str
    database: str
    kept: str | None
    """Where what was in use is now; None where there was nothing."""
    discarded: int | None
    """How many events are there alone; None: nobody could count them."""
    tables: dict[str, int]
    seconds: float
    swap_seconds: float
    """For how long nobody could get in."""


class Swappable(Protocol):
    """A database by its name, that another one can take the place of."""

    kind: Kind
    where: str
    name: str

    def held(self) -> AbstractContextManager[Live]:
        """What it is; where it can be, gateways are kept out as long as this lasts."""

    def beside(self, stamp: str) -> AbstractContextManager[Database]:
        """A new one beside it, gone afterwards if it was not swapped."""

    def exchange(self, beside: Database, *, kept: str, live: Live) -> None:
        """Swap them. Raises RefusedError where somebody wrote meanwhile; then all is as before."""


def plan(
    source: str, told: Manifest, live: Swappable, found: Live, *, now: Now = utc
) -> list[Step]:
    """What `restore --swap` does."""
    restore = making.plan_restore(source, told, f"a new database beside {live.where}")
    kept = kept_as(live.name, f"{now():%Y%m%dT%H%M%SZ}") if found.exists else "nothing"
    return [*restore, steps.Swap(name=live.name, kept=kept)]


def kept_as(name: str, stamp: str) -> str:
    """What the one in use is called afterwards."""
    return f"{name}_before_{stamp.lower()}"


def refuse(live: Live, told: Manifest, *, where: str, discard: Discard) -> int | None:
    """How many events go; raises RefusedError where nobody has agreed to that many."""
    if live.gateways:
        raise RefusedError(
            f"{where} is in use by {live.gateways} session(s) of gateways: stop them first"
        )
    if not live.exists:
        return 0
    if live.head is None:
        if discard != "unknown":
            raise RefusedError(
                f"{where} cannot be read, so nobody knows what would be lost: say"
                " --discard-newer unknown"
            )
        return None
    newer = max(0, live.head - told.head)
    if newer and (not isinstance(discard, int) or discard < newer):
        raise RefusedError(
            f"{where} has {newer} events that came after {told.id}, and they would be lost: say"
            f" --discard-newer {newer}, or choose a newer backup"
        )
    return newer


def swap(
    live: Swappable,
    source: Source,
    name: str,
    *,
    discard: Discard = None,
    keys: Keys | None = None,
    scratch: Path | None = None,
    journal: Journal | None = None,
    now: Now = utc,
) -> Swapped:
    """Raises BackupError; then what was in use is in use still."""
    journal = journal or Journal()
    stamp = f"{now():%Y%m%dT%H%M%SZ}"
    with (
        opening.plain(source, name, keys=keys, scratch=scratch, journal=journal) as (told, dump),
        live.held() as found,
    ):
        if told.kind != live.kind:
            raise RefusedError(f"{told.id} is of {told.kind}, and {live.where} is {live.kind}")
        discarded = refuse(found, told, where=live.where, discard=discard)
        kept = kept_as(live.name, stamp)
        with live.beside(stamp) as beside:
            restored = making.fill(beside, told, dump, journal=journal)
            beside.end(ending(told))
            with journal.step(steps.Swap(name=live.name, kept=kept)):
                live.exchange(beside, kept=kept, live=found)
    return Swapped(
        id=told.id,
        location=f"{source.where}/{name}",
        database=live.where,
        kept=kept if found.exists else None,
        discarded=discarded,
        tables=restored.tables,
        seconds=round(sum(each.seconds for each in journal.times), 3),
        swap_seconds=journal.times[-1].seconds,
    )


CARRIED: Sequence[str] = (
    "id", "kind", "location", "started_at", "finished_at", "error", "size_bytes", "sha256",
    "schema_version", "head", "verified_at", "restore_seconds", "deleted_at",
)  # fmt: skip
"""Of the table of backups: what is known of them is true whatever database is in use."""


def carry(mark: str) -> str:
    """The statement that takes such a row over."""
    columns = ", ".join(CARRIED)
    news = ", ".join(f"{each} = excluded.{each}" for each in CARRIED[1:])
    return (
        f"INSERT INTO backups ({columns}) VALUES ({', '.join([mark] * len(CARRIED))})"  # noqa: S608
        f" ON CONFLICT (id) DO UPDATE SET {news}"
    )
