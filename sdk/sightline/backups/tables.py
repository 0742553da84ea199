"""The gateway's tables, as far as a backup must know them, and what their counts mean."""

from __future__ import annotations

from collections.abc import Mapping

from sightline.backups.errors import DamageError, DatabaseError, RefusedError

CORE = frozenset({"frames", "events", "unplaced", "sinks", "outbox", "deliveries", "dead_letters"})
"""Without these it is not a gateway's database."""
BOOKKEEPING = frozenset({"schema_version", "outbox", "backups", "colours"})
"""What an empty database has rows in, too."""
KNOWN = CORE | BOOKKEEPING
ROSTER = "colours"
"""Which colour delivers: that is of the cluster that a backup was made in, not of where it goes."""


def require(found: Mapping[str, int], *, where: str) -> None:
    """Raises DatabaseError where it is not a gateway's database, or too old a one."""
    missing = sorted(CORE - set(found))
    if missing:
        raise DatabaseError(f"{where} is no database of a gateway: it has no {', '.join(missing)}")
    if "backups" not in found:
        raise DatabaseError(f"{where} has no table backups: start this version's gateway once")


def data(found: Mapping[str, int]) -> dict[str, int]:
    """The tables that hold something worth keeping, and how much."""
    return {name: rows for name, rows in found.items() if rows and name not in BOOKKEEPING}


def require_data(found: Mapping[str, int], *, where: str) -> None:
    """Raises RefusedError for a database with nothing in it: most often it is the wrong one."""
    if not data(found):
        raise RefusedError(
            f"{where} has no rows in any table: is it the right one? --allow-empty backs it up"
        )


def require_room(found: Mapping[str, int], *, where: str) -> None:
    """Raises RefusedError for a database that holds something."""
    if rows := data(found):
        raise RefusedError(f"{where} is not empty ({told(rows)}): restore into a new database")


def compare(expected: Mapping[str, int], found: Mapping[str, int], *, what: str) -> None:
    """Raises DamageError where counts differ."""
    different = {
        name: (expected.get(name), found.get(name))
        for name in sorted({*expected, *found})
        if expected.get(name) != found.get(name)
    }
    if different:
        lines = ", ".join(
            f"{name}: {_count(was)} in the manifest, {_count(now)} {what}"
            for name, (was, now) in different.items()
        )
        raise DamageError(f"rows differ: {lines}")


def _count(rows: int | None) -> str:
    return "no such table" if rows is None else str(rows)


def told(rows: Mapping[str, int]) -> str:
    """Counts, as words."""
    return ", ".join(f"{name}: {count}" for name, count in sorted(rows.items()))
