"""What is known of backups: `sightline backups` writes it down, metrics tell it.

A backup is there once `finished_at` is set and `error` is not; it is good once `verified_at` is
set, too: it was restored and compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cop_gateway.outbox.database import Database, moment_of


@dataclass(frozen=True, kw_only=True, slots=True)
class LastBackup:
    """The newest backup that is there."""

    finished_at: datetime
    duration: timedelta
    size_bytes: int


class BackupTables:
    """Reading, over any database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last_backup(self) -> LastBackup | None:
        """None while there is none. One that failed or was deleted since is none."""
        with self._database.reading("read about backups") as cursor:
            cursor.execute(
                "SELECT started_at, finished_at, size_bytes FROM backups"
                " WHERE finished_at IS NOT NULL AND error IS NULL AND deleted_at IS NULL"
                " ORDER BY finished_at DESC LIMIT 1"
            )
            row = cursor.fetchone()
        if row is None:
            return None
        started_at, finished_at = moment_of(row[0]), moment_of(row[1])
        return LastBackup(
            finished_at=finished_at, duration=finished_at - started_at, size_bytes=int(row[2] or 0)
        )

    def last_verified(self) -> datetime | None:
        """When a backup that is still there was last restored and compared; None for never."""
        with self._database.reading("read about backups") as cursor:
            cursor.execute("SELECT max(verified_at) FROM backups WHERE deleted_at IS NULL")
            stored = cursor.fetchone()[0]
        return None if stored is None else moment_of(stored)
