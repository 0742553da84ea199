"""Where a backup is restored for proof: a database made for that, and gone afterwards."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sightline.backups import programs
from sightline.backups.errors import RefusedError
from sightline.backups.ledger import Database
from sightline.backups.manifest import Manifest
from sightline.backups.opening import room_in
from sightline.backups.sqlite import SqliteDatabase


class Room(Protocol):
    """Makes throwaway databases of a backup's kind."""

    where: str

    def database(self, told: Manifest) -> AbstractContextManager[Database]:
        """One with nothing in it; gone when the block is left."""


class FileRoom:
    """SQLite: a temporary file."""

    where = "a temporary SQLite file"

    def __init__(self, scratch: Path | None = None) -> None:
        self._scratch = scratch

    @contextlib.contextmanager
    def database(self, told: Manifest) -> Iterator[Database]:
        """One with nothing in it; gone when the block is left."""
        if told.kind != "sqlite":
            raise RefusedError(
                f"{told.id} is of PostgreSQL: name a server to restore it into with --server or"
                " --server-file, or say --with-own-server"
            )
        with room_in(self._scratch) as room:
            yield SqliteDatabase(room / "proof.db")


class ServerRoom:
    """PostgreSQL: a database that is created on a server, and dropped again."""

    def __init__(self, url: str, *, tools: Path | None = None) -> None:
        from sightline.backups.postgres import PostgresDatabase  # noqa: PLC0415 - an extra

        self._server = PostgresDatabase(url, tools=tools)
        self.where = f"a throwaway database beside {self._server.where}"

    @contextlib.contextmanager
    def database(self, told: Manifest) -> Iterator[Database]:
        """One with nothing in it; gone when the block is left."""
        from psycopg import sql  # noqa: PLC0415 - an extra

        if told.kind != "postgres":
            raise RefusedError(f"{told.id} is of SQLite: it needs no server")
        name = f"sightline_proof_{secrets.token_hex(6)}"
        quoted = sql.Identifier(name)
        with self._server.connected() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(quoted))
        try:
            yield self._server.named(name)
        finally:
            with self._server.connected() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted))


class OwnServerRoom:
    """PostgreSQL: a server that is started for it in a temporary folder, on a socket alone."""

    where = "a PostgreSQL server of its own"

    def __init__(self, *, tools: Path | None = None, scratch: Path | None = None) -> None:
        self._tools, self._scratch = tools, scratch

    @contextlib.contextmanager
    def database(self, told: Manifest) -> Iterator[Database]:
        """One with nothing in it; gone when the block is left, its server, too."""
        from sightline.backups import own_server  # noqa: PLC0415 - an extra

        least = programs.major_of(told.tools.get("server", ""))
        with (
            own_server.running(least, tools=self._tools, scratch=self._scratch) as url,
            ServerRoom(url, tools=self._tools).database(told) as database,
        ):
            yield database
