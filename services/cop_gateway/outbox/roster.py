"""Which colour is on duty: kept in the database that both share, so that every process obeys.

Both colours take frames in at any time. Only the one on duty delivers: a release that nobody has
looked at yet, in the idle colour, must not get hold of a sink when the active colour loses it for
a moment. A colour that nobody has enlisted delivers, as a gateway without colours does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from cop_gateway.outbox.database import microseconds

COLOURS = ("blue", "green")
STANDS_DOWN = "SELECT 1 FROM colours WHERE name = %s AND stands_down = 1"


class Connection(Protocol):
    """As psycopg's; what is executed is committed by whoever called."""

    def execute(self, query: Any, params: Any = ..., /) -> Any:
        """Run one statement; gives its rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Colour:
    """What is known of one."""

    stands_down: bool
    code: int
    """The schema of the code that was last started in it."""


def read(connection: Connection) -> Mapping[str, Colour]:
    """Every colour that was ever started."""
    rows = connection.execute("SELECT name, stands_down, code FROM colours", ())
    return {row[0]: Colour(stands_down=bool(row[1]), code=int(row[2])) for row in rows.fetchall()}


def enlist(connection: Connection, colour: str, *, code: int) -> None:
    """This colour's code runs. One that is new stands down where the other is on duty."""
    if colour not in COLOURS:
        return
    connection.execute(
        "INSERT INTO colours (name, stands_down, code)"
        " SELECT %s, count(*), %s FROM colours WHERE name <> %s AND stands_down = 0"
        " ON CONFLICT (name) DO UPDATE SET code = excluded.code",
        (colour, code, colour),
    )


def appoint(connection: Connection, colour: str) -> bool:
    """Put this colour on duty where no switch has ever decided; whether it is so now."""
    if connection.execute("SELECT 1 FROM colours WHERE changed_at IS NOT NULL", ()).fetchone():
        return False
    for name in COLOURS:
        connection.execute(
            "INSERT INTO colours (name, stands_down, code) VALUES (%s, %s, 0)"
            " ON CONFLICT (name) DO UPDATE SET stands_down = excluded.stands_down",
            (name, int(name != colour)),
        )
    return True


def change(connection: Connection, colour: str, *, stands_down: bool, at: datetime) -> None:
    """Somebody decided: this colour stands down, or is on duty."""
    connection.execute(
        "UPDATE colours SET stands_down = %s, changed_at = %s WHERE name = %s",
        (int(stands_down), microseconds(at), colour),
    )
