"""What is true of every gateway's database, beyond how many rows it has.

Each fact is a number that a statement tells, alike in SQLite and in PostgreSQL. It is asked when
the dump is made, of the very moment that the dump is of, and again of what was restored.
"""

from __future__ import annotations

from collections.abc import Callable

from sightline.backups import tables
from sightline.backups.errors import DamageError
from sightline.backups.ledger import Look
from sightline.backups.manifest import Kind, Manifest

_HEAD = "(SELECT max(head) FROM outbox)"
_OLDEST = "(SELECT min(sequence) FROM events)"
FACTS: dict[str, str] = {
    "heads": "SELECT count(*) FROM outbox",
    "first_event": "SELECT coalesce(min(sequence), 0) FROM events",
    "last_event": "SELECT coalesce(max(sequence), 0) FROM events",
    # Retention takes the oldest: between the oldest that is left and the newest there is no hole.
    "missing_events": "SELECT coalesce(max(sequence) - min(sequence) + 1, 0) - count(*)"
    " FROM events",
    "events_beyond_head": f"SELECT count(*) FROM events WHERE sequence > {_HEAD}",  # noqa: S608
    "frames_beyond_head": f"SELECT count(*) FROM frames WHERE last_sequence > {_HEAD}",  # noqa: S608
    "cursors_beyond_head": f"SELECT count(*) FROM sinks WHERE cursor > {_HEAD}",  # noqa: S608
    "deliveries_beyond_cursor": "SELECT count(*) FROM deliveries AS d JOIN sinks AS s"
    " ON s.name = d.sink WHERE d.last > s.cursor",
    # One whose event retention has taken lies below the oldest that is left.
    "dead_letters_without_event": "SELECT count(*) FROM dead_letters AS d"  # noqa: S608
    f" WHERE d.sequence > {_HEAD} OR (d.sequence >= {_OLDEST} AND NOT EXISTS"
    " (SELECT 1 FROM events AS e WHERE e.sequence = d.sequence))",
    "cursors": "SELECT coalesce(sum(cursor), 0) FROM sinks",
    "delivered": "SELECT coalesce(sum(last - first + 1), 0) FROM deliveries",
}
ALWAYS: dict[str, int] = {
    "heads": 1,
    "events_beyond_head": 0,
    "frames_beyond_head": 0,
    "cursors_beyond_head": 0,
    "deliveries_beyond_cursor": 0,
}
"""What a gateway never leaves otherwise: where it differs, the database itself was broken."""
NEWEST: dict[Kind, int] = {"sqlite": 5, "postgres": 5}
"""The newest schema whose invariants these are."""


def ask(one: Callable[[str], int]) -> dict[str, int]:
    """Each fact, by a function that runs a statement which tells one number."""
    return {name: one(statement) for name, statement in FACTS.items()}


def compare(manifest: Manifest, found: Look) -> None:
    """Raises DamageError where a table or a fact is not as it was."""
    tables.compare(manifest.tables, found.tables, what="restored")
    told: dict[str, tuple[int, int | None]] = {
        "schema": (manifest.schema_version, found.schema_version),
        "head": (manifest.head, found.head),
    }
    told |= {
        name: (was, found.facts.get(name)) for name, was in manifest.facts.items() if name in FACTS
    }
    different = [f"{name}: {was}, and now {now}" for name, (was, now) in told.items() if was != now]
    if different:
        raise DamageError(f"it is not what it was: {', '.join(different)}")


def require_sound(manifest: Manifest, found: Look) -> None:
    """Raises DamageError for what was broken already, or what nobody here can judge.

    A restore in need takes that, too: it is better than nothing. A proof does not.
    """
    if found.schema_version > NEWEST[manifest.kind]:
        raise DamageError(
            f"schema {found.schema_version} is newer than this release knows"
            f" ({NEWEST[manifest.kind]}): use the release that made it"
        )
    facts = found.facts
    broken = [f"{name} is {facts[name]}" for name, must in ALWAYS.items() if facts[name] != must]
    if broken:
        raise DamageError(
            f"it is as it was, and the database was broken already: {', '.join(broken)}"
        )
