"""The schema of a PostgreSQL database: what it is, and bringing it up to this code's.

One process at a time (an advisory lock). Steps only add, so that the other colour goes on working;
one that no longer works with the code of the colour on duty is refused before anything is changed.
"""

from __future__ import annotations

from typing import Any

import psycopg

from cop_gateway.outbox import roster
from cop_gateway.outbox.errors import StoreUnusableError
from cop_gateway.outbox.migrations import POSTGRES_OLDEST, POSTGRES_STEPS
from cop_gateway.outbox.record import Schema

_MIGRATION_LOCK = 0x5169_6854
_WITH_COLOURS = 5
"""The step that brought the roster."""


def read_schema(connection: roster.Connection) -> Schema:
    """Ours, the database's, and the oldest code that the database's works with."""
    row = connection.execute("SELECT version, oldest_code FROM schema_version", ()).fetchone()
    return Schema(code=len(POSTGRES_STEPS), database=int(row[0]), oldest_code=int(row[1]))


def migrate(connection: psycopg.Connection[Any], *, colour: str) -> None:
    """Bring the schema up to this code's, and enlist our colour. Raises StoreUnusableError."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version"
            " (version INTEGER NOT NULL, oldest_code INTEGER NOT NULL)"
        )
        row = connection.execute("SELECT version, oldest_code FROM schema_version").fetchone()
        version, oldest = row if row is not None else (0, 0)
        ours = len(POSTGRES_STEPS)
        if version > ours and oldest > ours:
            raise StoreUnusableError(
                f"database: its schema {version} is newer than this gateway's {ours}, and"
                f" works with code for schema {oldest} and later: run a newer gateway"
            )
        if version < ours:
            if version >= _WITH_COLOURS:
                _spare_the_other(connection, colour)
            for step in POSTGRES_STEPS[version:]:
                connection.execute(step)
            if row is None:
                connection.execute(
                    "INSERT INTO schema_version VALUES (%s, %s)", (ours, POSTGRES_OLDEST)
                )
            else:
                connection.execute(
                    "UPDATE schema_version SET version = %s, oldest_code = %s",
                    (ours, POSTGRES_OLDEST),
                )
        roster.enlist(connection, colour, code=ours)


def _spare_the_other(connection: psycopg.Connection[Any], colour: str) -> None:
    """The colour on duty must be able to start again on what we make of the schema."""
    for name, other in roster.read(connection).items():
        if name != colour and not other.stands_down and 0 < other.code < POSTGRES_OLDEST:
            raise StoreUnusableError(
                f"database: this release works with code for schema {POSTGRES_OLDEST} and later,"
                f" and {name}, which is on duty, runs code for schema {other.code}: release what"
                " lies between first"
            )


def describe(url: str) -> str:
    """Where the database is, without the password."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "the database"
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def sentence(error: BaseException) -> str:
    """What PostgreSQL says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
