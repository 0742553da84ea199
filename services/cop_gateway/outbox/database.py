"""What the tables need of a database: a transaction to read or to write in. Calls block.

SQL is written once, for SQLite and PostgreSQL: question marks for values, times as microseconds,
truth as 0 and 1, and nothing that only one of them knows.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Cursor(Protocol):
    """As in the database API (PEP 249)."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Any:
        """Run one statement."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Any:
        """Run one statement for each row."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The rest of the rows."""


class Database(Protocol):
    """Where the tables are. `doing` names what failed in a StoreFailedError."""

    def reading(self, doing: str) -> AbstractContextManager[Cursor]:
        """Look at a consistent state."""

    def writing(self, doing: str) -> AbstractContextManager[Cursor]:
        """Change something, all of it or nothing; durable when the block has ended."""


@functools.lru_cache(maxsize=4_096)
def microseconds(moment: datetime) -> int:
    """How times are stored: microseconds since the epoch."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


# The events of one frame, and of one commit, share their times: one object each, hashed once.
@functools.lru_cache(maxsize=4_096)
def moment_of(stored: int) -> datetime:
    """A stored time."""
    return _EPOCH + timedelta(microseconds=stored)


def marks(count: int) -> str:
    """So many question marks, for a list of values."""
    return ", ".join("?" * count)


def portions(values: Sequence[Any], size: int = 500) -> Iterable[Sequence[Any]]:
    """Values in portions: a statement takes only so many."""
    return (values[i : i + size] for i in range(0, len(values), size))
