"""The shared store: PostgreSQL, for any number of gateways at once.

The one row of `outbox` is locked while a group is worked on and committed: sequences are then in
the order of the commits, so that nobody who reads on from a cursor can miss one, and each gateway
sees what the others committed before it tracks on. A sink is held by a session's advisory lock; an
epoch fences whoever lost it and does not know yet.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolTimeout

from cop_gateway.outbox import roster
from cop_gateway.outbox.database import marks
from cop_gateway.outbox.errors import (
    HoldLostError,
    StoreAwayError,
    StoreFailedError,
    StoreUnusableError,
)
from cop_gateway.outbox.health import Health, Way
from cop_gateway.outbox.history_tables import EVENT, event_of
from cop_gateway.outbox.intake_tables import (
    EVENT_COLUMNS,
    FRAME_COLUMNS,
    UNPLACED_COLUMNS,
    Rows,
    move_head,
    read_head,
    read_receipts,
)
from cop_gateway.outbox.postgres_schema import describe, migrate, read_schema, sentence
from cop_gateway.outbox.record import (
    SEEN_OR_RETRACTED,
    Delivery,
    FrameKey,
    FrameRecord,
    Schema,
    Space,
)
from cop_gateway.outbox.store import Outbox
from sightline.messages import Event

_SINK_LOCKS = 0x5169_6853
_NEWS = 5_000
_WAIT_SECONDS = 5.0
# A peer that is gone without a word is noticed on both sides in 3 to 4 seconds: a probe a second,
# and the first one after tcp_user_timeout ends it (keepalives_count yields to it, see tcp(7)).
_SESSION = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 3000,
    "application_name": "sightline-cop-gateway",
    "options": "-c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=3000 -c synchronous_commit=on",
}


class PostgresCursor:
    """A psycopg cursor that takes question marks."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self.inner = cursor

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""
        return self.inner.rowcount

    def execute(self, statement: str, values: Sequence[Any] = ()) -> PostgresCursor:
        """Run one statement."""
        self.inner.execute(_translated(statement), values)
        return self

    def executemany(self, statement: str, rows: Any) -> PostgresCursor:
        """Run one statement for each row."""
        self.inner.executemany(_translated(statement), rows)
        return self

    def fetchone(self) -> Any:
        """The next row, or None."""
        return self.inner.fetchone()

    def fetchall(self) -> list[Any]:
        """The rest of the rows."""
        return self.inner.fetchall()


class PostgresDatabase:
    """A pool of connections; a broken one is replaced, and the call that met it fails."""

    def __init__(self, url: str, *, colour: str = "none", pool_size: int = 8) -> None:
        self.url = url
        self.health = Health()
        self._pool = ConnectionPool(
            url, min_size=1, max_size=pool_size, kwargs=_SESSION, open=False, timeout=_WAIT_SECONDS,
            check=ConnectionPool.check_connection, name="sightline",
        )  # fmt: skip
        try:
            with self.alone(autocommit=False) as connection:
                migrate(connection, colour=colour)
            # With its first connection: closed while it makes one, a pool is never free of it.
            self._pool.open(wait=True, timeout=_WAIT_SECONDS)
        except psycopg.OperationalError as error:
            raise StoreAwayError(f"database: {describe(url)}: {sentence(error)}") from error
        except psycopg.Error as error:
            raise StoreUnusableError(f"database: {describe(url)}: {sentence(error)}") from error

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def alone(self, *, autocommit: bool = True) -> psycopg.Connection[Any]:
        """A connection of its own, outside of the pool."""
        return psycopg.connect(self.url, autocommit=autocommit, **_SESSION)  # type: ignore[arg-type]

    @contextmanager
    def reading(self, doing: str) -> Iterator[PostgresCursor]:
        """A look at what is committed, all of one moment."""
        with self.failing(doing, "read"), self._pool.connection() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield PostgresCursor(connection.cursor())

    @contextmanager
    def writing(self, doing: str) -> Iterator[PostgresCursor]:
        """A transaction: all of it or nothing."""
        with self.failing(doing, "write"), self._pool.connection() as connection:
            yield PostgresCursor(connection.cursor())

    @contextmanager
    def failing(self, doing: str, way: Way) -> Iterator[None]:
        """What PostgreSQL says, as an error of the store."""
        try:
            yield
        except (psycopg.Error, PoolTimeout) as error:
            self.health.failed(way)
            raise StoreFailedError(f"the store could not {doing}: {sentence(error)}") from error
        self.health.answered(way)


class PostgresHold:
    """An advisory lock of a session that does nothing else."""

    def __init__(self, connection: psycopg.Connection[Any], colour: str) -> None:
        self._connection = connection
        self._colour = colour

    def alive(self) -> bool:
        """Whether the session, and with it the lock, still stands, and its colour is on duty."""
        try:
            found = self._connection.execute(roster.STANDS_DOWN, (self._colour,)).fetchone()
        except psycopg.Error:
            return False
        return found is None

    def release(self) -> None:
        """End the session: the server frees the lock at once."""
        self._connection.close()


class PostgresOutbox(Outbox):
    """The store in a PostgreSQL database. Raises StoreUnusableError when it cannot be used."""

    def __init__(self, url: str, *, colour: str = "none") -> None:
        self._postgres = PostgresDatabase(url, colour=colour)
        self._colour = colour
        super().__init__(self._postgres)
        self.health = self._postgres.health
        self._turn: PostgresCursor | None = None
        self._known = self.head()
        """Up to where the tracker has seen what was committed."""
        self._epochs: dict[str, int] = {}

    def close(self) -> None:
        """Close every connection."""
        self._postgres.close()

    @contextmanager
    def turn(self) -> Iterator[Sequence[Event]]:
        """This gateway's turn to commit; what the others committed since its last one.

        What is committed within is durable once the block has ended.
        """
        with self._postgres.writing("commit") as cursor:
            cursor.execute("SELECT head FROM outbox FOR UPDATE")
            head = int(cursor.fetchone()[0])
            news: list[Event] = []
            if head > self._known:
                cursor.execute(
                    f"SELECT {EVENT} FROM events WHERE sequence > ?"  # noqa: S608
                    f" AND kind IN ({marks(len(SEEN_OR_RETRACTED))})"
                    " ORDER BY sequence DESC LIMIT ?",
                    (self._known, *SEEN_OR_RETRACTED, _NEWS),
                )
                news = [event_of(row) for row in cursor.fetchall()]
            self._turn = cursor
            try:
                yield news
                reached = read_head(cursor)
            finally:
                self._turn = None
        self._known = reached

    def receipts(self, keys: Sequence[FrameKey]) -> dict[FrameKey, bytes]:
        """The receipts of those frames that are committed already."""
        if self._turn is None:
            with self._postgres.reading("look frames up") as cursor:
                return read_receipts(cursor, keys)
        return read_receipts(self._turn, keys)

    def commit(self, records: Sequence[FrameRecord], committed_at: datetime) -> int:
        """Add all frames to this turn; the newest sequence. Durable when the turn has ended."""
        if self._turn is None:
            with self.turn():
                return self.commit(records, committed_at)
        cursor = self._turn
        rows = Rows(records, head=read_head(cursor), committed_at=committed_at)
        _copy(cursor, "frames", FRAME_COLUMNS, rows.frames)
        _copy(cursor, "events", EVENT_COLUMNS, rows.events)
        _copy(cursor, "unplaced", UNPLACED_COLUMNS, rows.unplaced)
        move_head(cursor, rows.head)
        return rows.head

    def space(self) -> Space:
        """What the database takes; the disk is the server's."""
        with self._postgres.reading("measure the store") as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return Space(used=int(cursor.fetchone()[0]), free=None)

    def schema(self) -> Schema:
        """The database's is newer than ours when a later release has been started on it."""
        with self._postgres.reading("read the schema's version") as cursor:
            return read_schema(cursor.inner)

    def appoint(self, colour: str) -> bool:
        """Put a colour on duty where no switch has ever decided; whether it is so now."""
        with self._postgres.writing("appoint a colour") as cursor:
            return roster.appoint(cursor.inner, colour)

    def stand_down(self, *, stands_down: bool, at: datetime) -> None:
        """Our colour delivers no more, or again: all of its processes, from now on."""
        with self._postgres.writing("change duty") as cursor:
            roster.change(cursor.inner, self._colour, stands_down=stands_down, at=at)

    def hold(self, sink: str) -> PostgresHold | None:
        """The right to deliver; None while another process has it, or our colour stands down."""
        with self._postgres.failing("take hold of a sink", "hold"):
            connection = self._postgres.alone()
            try:
                if connection.execute(roster.STANDS_DOWN, (self._colour,)).fetchone():
                    connection.close()
                    return None
                row = connection.execute(
                    "SELECT pg_try_advisory_lock(%s, hashtext(%s))", (_SINK_LOCKS, sink)
                ).fetchone()
                if row is None or not row[0]:
                    connection.close()
                    return None
                row = connection.execute(
                    "UPDATE sinks SET epoch = epoch + 1 WHERE name = %s RETURNING epoch", (sink,)
                ).fetchone()
            except BaseException:
                connection.close()
                raise
        self._epochs[sink] = int(row[0]) if row else 0
        return PostgresHold(connection, self._colour)

    def settle(self, sink: str, deliveries: Sequence[Delivery]) -> None:
        """Move the cursor. Raises HoldLostError when another process has taken the sink over."""
        if not deliveries:
            return
        with self._postgres.writing("move a cursor") as cursor:
            cursor.execute("SELECT epoch FROM sinks WHERE name = ? FOR UPDATE", (sink,))
            row = cursor.fetchone()
            if row is None or int(row[0]) != self._epochs.get(sink):
                raise HoldLostError(f"another process delivers to {sink} now")
            self._settle(cursor, sink, deliveries)


@functools.cache
def _translated(statement: str) -> sql.SQL:
    return sql.SQL(statement.replace("%", "%%").replace("?", "%s"))


def _copy(
    cursor: PostgresCursor, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    if not rows:
        return
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with cursor.inner.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
