"""A gateway's database in a SQLite file: copied as of one moment, beside whoever writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from sightline.backups import folder, invariants, tables
from sightline.backups.errors import DamageError, DatabaseError, RefusedError
from sightline.backups.ledger import Ending, Entry, Look, Proof, Taken, microseconds, statement
from sightline.backups.manifest import Kind, Manifest

BUSY_SECONDS = 30.0
MAGIC = b"SQLite format 3\0"


class SqliteDatabase:
    """By its file."""

    kind: Kind = "sqlite"

    def __init__(self, file: Path) -> None:
        self._file = file
        self.where = str(file)

    def require(self) -> None:
        """Raises DatabaseError where it is not a gateway's."""
        with self.connected() as connection:
            tables.require(dict.fromkeys(_names(connection), 0), where=self.where)

    def begin(self, entry: Entry) -> None:
        """Write down that a backup was begun."""
        with self.connected() as connection:
            connection.execute(
                "INSERT INTO backups (id, kind, location, started_at) VALUES (?, ?, ?, ?)",
                entry.values(self.kind),
            )

    def end(self, ending: Ending) -> None:
        """Write down how it ended."""
        with self.connected() as connection:
            connection.execute(
                "UPDATE backups SET finished_at = ?, error = ?, size_bytes = ?, sha256 = ?,"
                " schema_version = ?, head = ? WHERE id = ?",
                ending.values(),
            )

    def verified(self, proof: Proof) -> None:
        """Write down that it was restored and compared."""
        with self.connected() as connection:
            connection.execute(statement("?"), proof.values())

    def removed(self, names: Sequence[str], at: datetime) -> None:
        """Write down that these are there no more."""
        with self.connected() as connection:
            connection.executemany(
                "UPDATE backups SET deleted_at = ? WHERE id = ?",
                [(microseconds(at), name) for name in names],
            )

    def newest(self) -> int:
        """The newest event."""
        with self.connected() as connection:
            return _number(connection, "SELECT head FROM outbox")

    def look(self) -> Look:
        """Count what is in it, and ask its facts."""
        with self.connected() as connection:
            connection.execute("BEGIN")
            return self._look(connection, _counts(connection))

    def _look(self, connection: sqlite3.Connection, counts: dict[str, int]) -> Look:
        tables.require(counts, where=self.where)
        return Look(
            tables=counts,
            facts=_facts(connection),
            schema_version=_number(connection, "PRAGMA user_version"),
            head=_number(connection, "SELECT head FROM outbox"),
            server=f"SQLite {sqlite3.sqlite_version}",
        )

    def take(self, dump: Path, *, allow_empty: bool) -> Taken:
        """Copy it (SQLite's own online backup), and look at the copy."""
        with self.connected() as connection, _opened(dump) as copy:
            try:
                connection.backup(copy)
                # One file, that can be read without others beside it.
                copy.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.Error as error:
                raise DatabaseError(f"{self.where} cannot be copied: {error}") from error
            counts = _checked(copy, where=f"the copy of {self.where}")
            version = _number(copy, "PRAGMA user_version")
            tables.require(counts, where=self.where)
            if not allow_empty:
                tables.require_data(counts, where=self.where)
            head, facts = _number(copy, "SELECT head FROM outbox"), _facts(copy)
        return Taken(
            tables=counts,
            schema=None,
            schema_version=version,
            head=head,
            tools={"sqlite": sqlite3.sqlite_version},
            facts=facts,
        )

    def restore(self, dump: Path, manifest: Manifest) -> Look:
        """To a file that is not there, or has nothing in it; what is in it then."""
        if not self._file.absolute().parent.is_dir():
            raise RefusedError(f"the folder {self._file.parent} does not exist")
        with self.claimed():
            if self._file.exists():
                with self.connected() as connection:
                    present = _counts(connection)
                    tables.require_room(present, where=self.where)
                    if (
                        "outbox" in present
                        and connection.execute("SELECT max(head) FROM outbox").fetchone()[0]
                    ):
                        raise RefusedError(f"{self.where} has had events before: name a new file")
            partial = self._file.with_name(f".{self._file.name}.restored")
            try:
                shutil.copyfile(dump, partial)
                found = self._restored(partial, dump)
                invariants.compare(manifest, found)
                with partial.open("rb") as written:
                    os.fsync(written.fileno())
                # A log of the file that was there would be played into this one.
                for ending in ("-wal", "-shm", "-journal"):
                    self._file.with_name(self._file.name + ending).unlink(missing_ok=True)
                partial.replace(self._file)
                folder.sync(self._file.absolute().parent)
            except OSError as error:
                raise DatabaseError(f"{self.where} cannot be written: {error.strerror}") from error
            finally:
                partial.unlink(missing_ok=True)
        return found

    def _restored(self, copy: Path, dump: Path) -> Look:
        """What is in a copy of a dump. Raises DamageError."""
        try:
            with _opened(copy) as connection:
                counts = _checked(connection, where=str(dump))
                size = _number(connection, "PRAGMA page_count") * _number(
                    connection, "PRAGMA page_size"
                )
                # A page that is cut short reads as if zeroes followed.
                if copy.stat().st_size != size:
                    raise DamageError(
                        f"{dump} is damaged: it has {copy.stat().st_size} bytes, and {size} in"
                        " its pages"
                    )
                return self._look(connection, counts)
        except DatabaseError as error:
            raise DamageError(f"{dump} is damaged: {error}") from error

    @contextlib.contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """A connection to a file that is there."""
        if not self._file.exists():
            raise DatabaseError(f"{self._file} does not exist")
        with _opened(self._file) as connection:
            yield connection

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """No gateway may have it, nor come meanwhile: its own lock says so."""
        lock = self._file.with_name(self._file.name + ".lock")
        try:
            with lock.open("w", encoding="utf-8") as guard:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError as error:
            raise RefusedError(f"{self.where} is in use by a gateway: stop it first") from error
        except PermissionError as error:
            raise DatabaseError(f"{lock} cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(file, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        yield connection
    except sqlite3.Error as error:
        raise DatabaseError(f"{file}: {error}") from error
    finally:
        connection.close()


def _checked(connection: sqlite3.Connection, *, where: str) -> dict[str, int]:
    try:
        found = connection.execute("PRAGMA integrity_check").fetchall()
        if found != [("ok",)]:
            raise DamageError(f"{where} is damaged: {found[0][0]}")
        return _counts(connection)
    except sqlite3.DatabaseError as error:
        raise DamageError(f"{where} is damaged: {error}") from error


def _facts(connection: sqlite3.Connection) -> dict[str, int]:
    return invariants.ask(lambda statement: _number(connection, statement))


def _number(connection: sqlite3.Connection, statement: str) -> int:
    row = connection.execute(statement).fetchone()
    if row is None:
        raise DatabaseError("a row is missing that every gateway's database has")
    return int(row[0])


def _names(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
        " ESCAPE '\\'"
    ).fetchall()
    return [str(name) for (name,) in rows]


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    return {
        name: int(connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])  # noqa: S608
        for name in _names(connection)
    }
