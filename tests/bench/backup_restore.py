"""What a backup costs, and how soon a site is back: create, a proven restore, and a swap.

A database of either kind is filled with events of a week, as `backlog.py` makes them; then it is
backed up plain and encrypted, and each backup is verified: fetched, checked, decrypted, restored
into a throwaway database (PostgreSQL: on a server of its own, durable as in production), each table
and each invariant compared. That whole way is the RTO.

    python tests/bench/backup_restore.py [--millions 1] [--kinds sqlite postgres] [--folder FOLDER]

A million events of SQLite take about 5 GB of disk meanwhile (--folder says where).
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pyrage
from backlog import A_FRAME, CLASSES, SPAN, example, fill
from rich.console import Console
from rich.table import Table

from cop_gateway.outbox.database import microseconds
from cop_gateway.outbox.postgres import PostgresOutbox
from cop_gateway.outbox.record import FrameRecord
from sightline.backups import making, own_server, verifying
from sightline.backups.encryption import Identities
from sightline.backups.folder import FolderTarget
from sightline.backups.ledger import Database
from sightline.backups.postgres import PostgresDatabase
from sightline.backups.rooms import FileRoom, Room, ServerRoom
from sightline.backups.sqlite import SqliteDatabase
from sightline.journal import Journal


def fill_postgres(url: str, count: int, record: FrameRecord, now: datetime) -> None:
    """The same events as `backlog.fill`, in PostgreSQL."""
    store = PostgresOutbox(url)
    store.account("tak")
    store.close()
    event = record.events[0]
    began, step = microseconds(now - SPAN), SPAN.total_seconds() * 1e6 // max(count, 1)
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO events SELECT i, 'detection', 'track-' || (i / 50), %s::text,"
            " (%s::text[])[1 + (i %% 8)::int], 0.9, 'camera-' || (i / 20 %% 100),"
            " (i / 20)::text, i %% 20,"
            " %s + i * %s, %s + i * %s, %s + i * %s, 47.0 + i %% 1000 / 1e4, 8.0 + i %% 777 / 1e4,"
            " 455.0, 6.0, 5.0, NULL, NULL, %s::text FROM generate_series(1::bigint, %s) AS i",
            (event.cot_type, list(CLASSES), *(began, int(step)) * 3, event.xml, count),
        )
        connection.execute(
            "INSERT INTO frames (camera_id, frame_id, captured_at, committed_at, receipt,"
            " received_at, first_sequence, last_sequence) SELECT 'camera-' || (i %% 100), i::text,"
            " %s + i * 20 * %s, %s + i * 20 * %s, %s, %s + i * 20 * %s, i * 20, i * 20 + 19"
            " FROM generate_series(0::bigint, %s) AS i",
            (*(began, int(step)) * 2, record.receipt, began, int(step), count // A_FRAME - 1),
        )
        connection.execute("UPDATE outbox SET head = %s", (count,))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def measured(
    database: Database, room: Room, folder: Path, recipients: Sequence[str], keys: Identities
) -> list[str]:
    """The cells of one row."""
    target = FolderTarget(folder)
    began = time.perf_counter()
    made = making.create(database, target, recipients=recipients).manifest
    took = time.perf_counter() - began
    done = verifying.verify(target, made.id, room, keys=keys, journal=Journal())
    steps = done.seconds
    target.remove(made.id)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        database.kind, "age" if recipients else "plain", f"{made.size_bytes / 1e6:.0f}",
        f"{took:.1f}", f"{steps['check']:.1f}", f"{steps.get('decrypt', 0.0):.1f}",
        f"{steps['restore']:.1f}", f"{done.restore_seconds:.1f}", f"{memory:.0f}",
    ]  # fmt: skip


def main() -> None:
    """Measure each kind, plain and encrypted, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, default=1)
    parser.add_argument("--kinds", nargs="+", default=["sqlite", "postgres"])
    parser.add_argument("--folder", type=Path, help="on which disk")
    options = parser.parse_args()
    count, record, now = int(options.millions * 1e6), example(), datetime.now(UTC)
    identity = pyrage.x25519.Identity.generate()
    table = Table(title=f"{options.millions:g} M events: seconds, and MB of memory at most")
    for column in (
        "database",
        "backup",
        "MB",
        "create",
        "check",
        "decrypt",
        "restore",
        "RTO",
        "mem",
    ):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory(prefix="sightline-bench-", dir=options.folder) as name:
        folder = Path(name)
        folder.chmod(0o711)  # who runs the server, where we are root, must get there
        (folder / "identity").write_text(str(identity))
        keys = Identities([folder / "identity"])
        for recipients in ([], [str(identity.to_public())]):
            if "sqlite" in options.kinds:
                file = folder / "gateway.db"
                if not file.exists():
                    fill(file, count, record, now)
                database = SqliteDatabase(file)
                room = FileRoom(folder)
                table.add_row(*measured(database, room, folder / "sqlite", recipients, keys))
        (folder / "gateway.db").unlink(missing_ok=True)
        if "postgres" in options.kinds:
            with own_server.running(0, scratch=folder) as admin:
                server = PostgresDatabase(admin)
                with server.connected() as connection:
                    connection.execute("CREATE DATABASE gateway")
                source = server.named("gateway")
                fill_postgres(source.url, count, record, now)
                for recipients in ([], [str(identity.to_public())]):
                    cells = measured(
                        source, ServerRoom(admin), folder / "postgres", recipients, keys
                    )
                    table.add_row(*cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
