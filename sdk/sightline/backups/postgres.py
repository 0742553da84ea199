"""A gateway's database in PostgreSQL: dumped as of one moment, restored in one transaction."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
from psycopg import conninfo, sql

from sightline.backups import archive, invariants, programs, tables
from sightline.backups.errors import BackupError, DamageError, DatabaseError, RefusedError
from sightline.backups.ledger import Ending, Entry, Look, Proof, Taken, microseconds, statement
from sightline.backups.manifest import Kind, Manifest
from sightline.backups.programs import Programs

CONNECT_SECONDS = 10
_PAUSE_SECONDS = 0.5
LOCK_WAIT = "60s"
"""For a migration that holds a table; then the dump fails instead of waiting for ever."""
_SECRET = ("password", "sslpassword")


class PostgresDatabase:
    """By its URL, which may have a password in it; that goes to programs by their environment."""

    kind: Kind = "postgres"

    def __init__(self, url: str, *, tools: Path | None = None) -> None:
        try:
            self._parts = conninfo.conninfo_to_dict(url, connect_timeout=CONNECT_SECONDS)
        except psycopg.ProgrammingError as error:
            # Its own words may quote the URL, with the password.
            raise DatabaseError("the database's URL cannot be read") from error
        self._tools = tools
        self.where = (
            f"{self._parts.get('host', 'localhost')}:{self._parts.get('port', 5432)}"
            f"/{self._parts.get('dbname', '')}"
        )

    @property
    def name(self) -> str:
        """Of the database on its server."""
        return str(self._parts.get("dbname") or self._parts.get("user") or "")

    @property
    def url(self) -> str:
        """As a gateway takes it, with its password, if it has one: for files and environments."""
        return f"postgresql:///?{urlencode(self._parts)}"

    def named(self, name: str) -> PostgresDatabase:
        """Another database of the same server."""
        return PostgresDatabase(
            conninfo.make_conninfo("", **{**self._parts, "dbname": name}), tools=self._tools
        )

    @staticmethod
    def has_password(url: str) -> bool:
        """Whether there is a password in it, or something that cannot be read at all."""
        try:
            parts = conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            return True
        return any(parts.get(name) for name in _SECRET)

    def wait(self, seconds: float) -> None:
        """Until it answers at all, but no longer: who may not enter is told at once.

        Where network policies have yet to learn of a new pod, all it asks is refused for a while.
        """
        address = conninfo.make_conninfo("", **self._parts).encode()
        silent = (psycopg.pq.Ping.NO_RESPONSE, psycopg.pq.Ping.REJECT)
        until = time.monotonic() + seconds
        while time.monotonic() < until and psycopg.pq.PGconn.ping(address) in silent:
            time.sleep(_PAUSE_SECONDS)

    def begin(self, entry: Entry) -> None:
        """Write down that a backup was begun."""
        with self.connected() as connection:
            connection.execute(
                "INSERT INTO backups (id, kind, location, started_at) VALUES (%s, %s, %s, %s)",
                entry.values(self.kind),
            )

    def end(self, ending: Ending) -> None:
        """Write down how it ended."""
        with self.connected() as connection:
            connection.execute(
                "UPDATE backups SET finished_at = %s, error = %s, size_bytes = %s, sha256 = %s,"
                " schema_version = %s, head = %s WHERE id = %s",
                ending.values(),
            )

    def verified(self, proof: Proof) -> None:
        """Write down that it was restored and compared."""
        with self.connected() as connection:
            connection.execute(statement("%s").encode(), proof.values())

    def removed(self, names: Sequence[str], at: datetime) -> None:
        """Write down that these are there no more."""
        with self.connected() as connection:
            connection.execute(
                "UPDATE backups SET deleted_at = %s WHERE id = ANY(%s)",
                (microseconds(at), list(names)),
            )

    def newest(self) -> int:
        """The newest event."""
        with self.connected() as connection:
            return int(_one(connection, "SELECT head FROM outbox"))

    def look(self) -> Look:
        """Count what is in it, and ask its facts."""
        with self.connected(autocommit=False) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return self._look(connection)

    def _look(self, connection: psycopg.Connection[Any]) -> Look:
        counts = _counts(connection)
        tables.require(counts, where=self.where)
        server = connection.info.parameter_status("server_version") or "unknown"
        return Look(
            tables=counts,
            facts=_facts(connection),
            schema_version=int(_one(connection, "SELECT version FROM schema_version")),
            head=int(_one(connection, "SELECT head FROM outbox")),
            server=f"PostgreSQL {server}",
        )

    def require(self) -> None:
        """Raises DatabaseError where it is not a gateway's."""
        with self.connected() as connection:
            tables.require(_counts(connection, fast=True), where=self.where)

    def take(self, dump: Path, *, allow_empty: bool) -> Taken:
        """Dump it, and count each table's rows in the very same snapshot."""
        with self.connected(autocommit=False) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # It does nothing while the dump starts, and must still be there then.
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            found = _one(connection, "SELECT pg_export_snapshot()")
            schema = _schema(connection)
            tools = programs.fitting(connection.info.server_version // 10000, self._tools)
            running = programs.start(
                tools.pg_dump,
                [
                    "--format=custom", f"--file={dump}", f"--snapshot={found}",
                    f"--schema={schema}", "--no-password", f"--lock-wait-timeout={LOCK_WAIT}",
                    f"--dbname={self._open()}",
                ],
                environ=self._secrets(),
            )  # fmt: skip
            with programs.ending(running):
                counts = _counts(connection)
                version = int(_one(connection, "SELECT version FROM schema_version"))
                head = int(_one(connection, "SELECT head FROM outbox"))
                facts = _facts(connection)
            programs.finish(running, doing=f"dump of {self.where}")
            server = connection.info.parameter_status("server_version") or "unknown"
        tables.require(counts, where=self.where)
        if not allow_empty:
            tables.require_data(counts, where=self.where)
        _verify(tools, dump, counts)
        return Taken(
            tables=counts,
            schema=schema,
            schema_version=version,
            head=head,
            tools={"pg_dump": tools.version, "server": server},
            facts=facts,
        )

    def restore(self, dump: Path, manifest: Manifest) -> Look:
        """Into a database without anything in it; what is in it then. All or nothing."""
        schema = manifest.schema or "public"
        with self.connected() as connection:
            # An archive is read by programs as new as those that made it.
            made_by = programs.major_of(manifest.tools.get("pg_dump", ""))
            major = max(connection.info.server_version // 10000, made_by)
            tools = programs.fitting(major, self._tools)
            if _schema(connection) != schema:
                raise RefusedError(
                    f"{self.where}: its tables would be in schema {_schema(connection)}, and the"
                    f" backup's are in {schema}"
                )
            listed = archive.listed(tools, dump)
            if set(manifest.tables) - listed:
                raise DamageError(
                    f"{dump} lacks {', '.join(sorted(set(manifest.tables) - listed))}"
                )
            present = _counts(connection)
            tables.require_room(present, where=self.where)
            if "outbox" in present and int(_one(connection, "SELECT head FROM outbox")):
                raise RefusedError(
                    f"{self.where} has had events before: restore into a new database"
                )
            # What a gateway or a migration has made, and nobody has put anything into.
            for name in sorted(set(present) & (tables.KNOWN | set(manifest.tables))):
                connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
        running = programs.start(
            tools.pg_restore,
            [
                "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges",
                f"--schema={schema}", "--no-password", f"--dbname={self._open()}", str(dump),
            ],
            environ=self._secrets(),
        )  # fmt: skip
        programs.finish(running, doing=f"restore into {self.where}")
        with self.connected() as connection:
            connection.execute("ANALYZE")
            found = self._look(connection)
            if tables.ROSTER in found.tables:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(tables.ROSTER)))
        # Tables of others were there before, if there are any.
        rows = {name: rows for name, rows in found.tables.items() if name in manifest.tables}
        return dataclasses.replace(found, tables=rows)

    @contextlib.contextmanager
    def connected(self, *, autocommit: bool = True) -> Iterator[psycopg.Connection[Any]]:
        """A session; what goes wrong in it is told without the password."""
        try:
            with psycopg.connect(**self._parts, autocommit=autocommit) as connection:  # type: ignore[arg-type]
                yield connection
        except psycopg.Error as error:
            raise DatabaseError(f"{self.where}: {self._clean(error)}") from error

    def _open(self) -> str:
        """What of it anybody may read."""
        shown: dict[str, Any] = {
            name: part for name, part in self._parts.items() if name not in _SECRET
        }
        return conninfo.make_conninfo(**shown)

    def _secrets(self) -> dict[str, str]:
        if self._parts.get("sslpassword"):
            raise BackupError("sslpassword cannot be given to pg_dump: use a key without one")
        password = self._parts.get("password")
        return {} if password is None else {"PGPASSWORD": str(password)}

    def _clean(self, error: Exception) -> str:
        """In one line, and without the password whatever it quotes."""
        said = " ".join(str(error).split())
        for name in _SECRET:
            if value := self._parts.get(name):
                said = said.replace(str(value), "…")
        return said


def _verify(tools: Programs, dump: Path, counts: dict[str, int]) -> None:
    if not dump.exists() or dump.stat().st_size == 0:
        raise DamageError(f"pg_dump {tools.version} said success, and its dump is empty")
    missing = sorted(set(counts) - archive.listed(tools, dump))
    if missing:
        raise DamageError(f"the dump has no data of {', '.join(missing)}")
    tables.compare(counts, archive.rows(tools, dump), what="in the dump")


def _schema(connection: psycopg.Connection[Any]) -> str:
    return str(_one(connection, "SELECT current_schema()"))


def _counts(connection: psycopg.Connection[Any], *, fast: bool = False) -> dict[str, int]:
    """Rows of each table in the schema; `fast`: 0 for all."""
    names = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    ).fetchall()
    if fast:
        return {str(name): 0 for (name,) in names}
    return {
        str(name): int(
            _one(connection, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)))
        )
        for (name,) in names
    }


def _facts(connection: psycopg.Connection[Any]) -> dict[str, int]:
    return invariants.ask(lambda statement: int(_one(connection, statement.encode())))


def _one(connection: psycopg.Connection[Any], statement: Any) -> Any:
    row = connection.execute(statement).fetchone()
    if row is None:
        raise DatabaseError("a row is missing that every gateway's database has")
    return row[0]
