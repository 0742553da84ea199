"""Swapping databases of a PostgreSQL server by name.

Both renames are one transaction, which takes the lock that everybody needs who comes in: whoever
asks for the name gets the one or the other, whenever power fails.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from sightline.backups import swapping, tables
from sightline.backups.errors import DatabaseError, RefusedError
from sightline.backups.ledger import Database
from sightline.backups.manifest import Kind
from sightline.backups.postgres import PostgresDatabase
from sightline.backups.swapping import Live

GATEWAY = "sightline-cop-gateway"
"""What the sessions of gateways are called."""
_MAINTENANCE = "postgres"
_NAME_BYTES = 63
_LEAVE_MS = 5_000
_GONE_SECONDS = 3.0


class PostgresSwap:
    """The database of a URL; its role must own it, and may create others."""

    kind: Kind = "postgres"

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._server = database.named(_MAINTENANCE)
        self.name, self.where = database.name, database.where
        if len(swapping.kept_as(self.name, "20260101T000000Z").encode()) > _NAME_BYTES:
            raise RefusedError(f"the name {self.name} is too long to be swapped")

    @contextlib.contextmanager
    def held(self) -> Iterator[Live]:
        """What it is now; gateways are kept out only while it is swapped."""
        found = self._looked_at()
        until = time.monotonic() + _GONE_SECONDS
        # A session that was just ended is there for a moment still.
        while found is not None and found[1] and time.monotonic() < until:
            time.sleep(0.1)
            found = self._looked_at()
        if found is None:
            yield Live(exists=False, head=0)
            return
        lets_in, gateways = found
        if not lets_in:
            raise RefusedError(
                f"{self.where} lets nobody in; where a swap died, say: ALTER DATABASE"
                f' "{self.name}" WITH ALLOW_CONNECTIONS true'
            )
        yield Live(exists=True, head=self._head(), gateways=gateways)

    def _looked_at(self) -> tuple[bool, int] | None:
        """Whether it lets anybody in, and how many sessions of gateways it has."""
        with self._server.connected() as admin:
            return admin.execute(
                "SELECT datallowconn, (SELECT count(*) FROM pg_stat_activity AS a"
                " WHERE a.datname = d.datname AND a.application_name = %s)"
                " FROM pg_database AS d WHERE d.datname = %s",
                (GATEWAY, self.name),
            ).fetchone()

    def _head(self) -> int | None:
        """None where it cannot be read; 0 where nobody has ever put anything into it."""
        try:
            with self._database.connected() as connection:
                return _head(connection)
        except DatabaseError:
            return None

    @contextlib.contextmanager
    def beside(self, stamp: str) -> Iterator[Database]:
        """A new one, like the one in use; dropped afterwards if it still has its first name."""
        name = f"{self.name}_restored_{stamp.lower()}"
        with self._server.connected() as admin:
            admin.execute(_created(admin, name, like=self.name))
        try:
            yield self._database.named(name)
        finally:
            with self._server.connected() as admin:
                admin.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )

    def exchange(self, beside: Database, *, kept: str, live: Live) -> None:
        """Let nobody in, look whether somebody wrote meanwhile, and rename both at once."""
        assert isinstance(beside, PostgresDatabase)
        if not live.exists:
            with self._server.connected() as admin:
                admin.execute(_rename(beside.name, self.name))
            return
        with self._server.connected() as admin, contextlib.ExitStack() as stack:
            last = None
            if live.head is not None:
                last = stack.enter_context(self._database.connected())
            with self._closed(admin, kept):
                self._end_sessions(admin, but=last)
                if last is not None:
                    if _head(last) != live.head:
                        raise RefusedError(
                            f"{self.where} was written to meanwhile: all is as it was"
                        )
                    with beside.connected() as new:
                        _carry(last, new)
                    last.close()
                with admin.transaction():
                    admin.execute(_rename(self.name, kept))
                    admin.execute(_rename(beside.name, self.name))

    @contextlib.contextmanager
    def _closed(self, admin: psycopg.Connection[Any], kept: str) -> Iterator[None]:
        """Nobody gets in; whatever happens, afterwards it is open again under the name it has."""
        allow = "ALTER DATABASE {} WITH ALLOW_CONNECTIONS "
        admin.execute(sql.SQL(allow + "false").format(sql.Identifier(self.name)))
        try:
            yield
        finally:
            shut = admin.execute(
                "SELECT datname FROM pg_database WHERE datname IN (%s, %s) AND NOT datallowconn",
                (self.name, kept),
            ).fetchall()
            for (name,) in shut:
                admin.execute(sql.SQL(allow + "true").format(sql.Identifier(name)))

    def _end_sessions(
        self, admin: psycopg.Connection[Any], *, but: psycopg.Connection[Any] | None
    ) -> None:
        admin.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> %s",
            (_LEAVE_MS, self.name, 0 if but is None else but.info.backend_pid),
        )


def _head(connection: psycopg.Connection[Any]) -> int:
    if connection.execute("SELECT to_regclass('outbox')").fetchone() == (None,):
        some = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace ="
            " (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
        ).fetchone()
        if some == (0,):
            return 0
        raise DatabaseError("it is no database of a gateway")
    row = connection.execute("SELECT head FROM outbox").fetchone()
    if row is None:
        raise DatabaseError("its outbox has no head")
    return int(row[0])


def _rename(name: str, to: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
        sql.Identifier(name), sql.Identifier(to)
    )


def _created(admin: psycopg.Connection[Any], name: str, *, like: str) -> sql.Composed:
    """With the owner and the order of letters of another one, if that is there."""
    found = admin.execute(
        "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype,"
        " datlocprovider FROM pg_database WHERE datname = %s",
        (like,),
    ).fetchone()
    created = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
    if found is None:
        return created
    owner, encoding, collate, ctype, provider = found
    created += sql.SQL(" OWNER {} ENCODING {}").format(sql.Identifier(owner), sql.Literal(encoding))
    if provider in ("c", b"c"):
        created += sql.SQL(" LC_COLLATE {} LC_CTYPE {}").format(
            sql.Literal(collate), sql.Literal(ctype)
        )
    return created


def _carry(old: psycopg.Connection[Any], new: psycopg.Connection[Any]) -> None:
    """What is true of the site and not of one database: its backups, and which colour delivers."""
    if old.execute("SELECT to_regclass('backups')").fetchone() != (None,):
        rows = old.execute(
            sql.SQL("SELECT {} FROM backups").format(
                sql.SQL(", ").join(map(sql.Identifier, swapping.CARRIED))
            )
        ).fetchall()
        with new.cursor() as cursor:
            cursor.executemany(swapping.carry("%s").encode(), rows)
    there = [
        each.execute("SELECT to_regclass(%s)", (tables.ROSTER,)).fetchone() for each in (old, new)
    ]
    if (None,) not in there:
        rows = old.execute("SELECT name, stands_down, code, changed_at FROM colours").fetchall()
        with new.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO colours (name, stands_down, code, changed_at) VALUES (%s, %s, %s, %s)",
                rows,
            )
