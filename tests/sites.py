"""Databases of a gateway of either kind, with something in them, and others to restore into."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from cop_gateway.outbox.postgres import PostgresOutbox
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.outbox.store import Outbox
from postgres_server import Servers
from sightline.backups import making
from sightline.backups.folder import FolderTarget
from sightline.backups.ledger import Database
from sightline.backups.making import Restored
from sightline.backups.manifest import Manifest
from sightline.backups.postgres import PostgresDatabase
from sightline.backups.sqlite import SqliteDatabase
from stores import commit, event, frame

TOOLS = 15
"""Debian's programs of PostgreSQL; they work with a server of that version."""
_numbers = itertools.count()


def fill(store: Outbox, frames: int = 4) -> None:
    for number in range(frames):
        # What stands in a row must not look like the end of one.
        commit(
            store, frame(f"f{number}", event(0, class_name="a\\.\tb\n\\.\nc"), event(1), unplaced=1)
        )


def create(database: Database, folder: Path, **how: Any) -> tuple[Path, Manifest]:
    """A backup in a folder of backups: its own folder, and its manifest."""
    made = making.create(database, FolderTarget(folder), **how)
    return Path(made.location), made.manifest


def restore(database: Database, place: Path, **how: Any) -> Restored:
    """Of a backup, by its folder."""
    return making.restore(database, FolderTarget(place.parent), place.name, **how)


class Site:
    """A database, and others beside it to restore into."""

    def __init__(self, kind: str, folder: Path, servers: Servers | None) -> None:
        self.kind, self.folder = kind, folder
        self._server = None if servers is None else servers[TOOLS]
        self.url = self.new()

    def new(self) -> str:
        """A database that has nothing in it."""
        name = f"backup{next(_numbers)}"
        if self._server is not None:
            return self._server.create(name)
        return f"sqlite:///{self.folder / name}.db"

    def store(self, url: str | None = None) -> Outbox:
        url = url or self.url
        if self.kind == "postgres":
            return PostgresOutbox(url)
        return SqliteOutbox(Path(url.removeprefix("sqlite:///")))

    def fill(self, url: str | None = None, frames: int = 4) -> None:
        """Put something into it."""
        store = self.store(url)
        fill(store, frames)
        store.close()

    def database(self, url: str | None = None, **how: Path) -> Database:
        url = url or self.url
        if self.kind == "postgres":
            return PostgresDatabase(url, **how)
        return SqliteDatabase(Path(url.removeprefix("sqlite:///")))
