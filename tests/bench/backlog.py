"""Whether a backlog costs anything: intake, history and memory beside 0, 1 and 10 million events.

The outbox is filled with events that no sink has taken (an outage of days), at a steady rate over a
week, eight classes, a hundred cameras. Then, with each size on the same disk: what a group commit
costs; how long the history of one hour and one class takes; what a real gateway takes in over HTTP
while its sink cannot be reached, and how much memory it needs at most.

    python tests/bench/backlog.py [--millions 0 1 10] [--seconds 5]

Ten million events take about 15 GB of disk (--folder says where) and some minutes to write.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from gateway_http import Load, body, over_http
from rich.console import Console
from rich.table import Table

from cop_gateway.app import world
from cop_gateway.outbox.database import microseconds
from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.intake_tables import EVENT_COLUMNS, FRAME_COLUMNS
from cop_gateway.outbox.record import FrameKey, FrameRecord
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.pipeline import Picture, advance
from cop_gateway.settings import Settings
from sightline.messages import DetectionReport, decode

CLASSES = ("car", "truck", "bus", "person", "boat", "motorcycle", "van", "tank")
A_FRAME, PORTION, SPAN = 20, 200_000, timedelta(days=7)
NOBODY = "tcp://127.0.0.1:9"
"""The discard port: nobody listens."""


def example() -> FrameRecord:
    """A frame of twenty, as the pipeline writes it."""
    settings = Settings(database="sqlite:///x", ground_height_m=400.0, platform_interval_seconds=0)
    report = decode(body("0", "bench", A_FRAME), DetectionReport)
    _, (record,) = advance(Picture(), [report], world(settings))
    return record


def fill(path: Path, count: int, record: FrameRecord, now: datetime) -> None:
    """Write so many events in plain SQL, indexes last; the sink `tak` has none of them yet."""
    store = SqliteOutbox(path)
    store.account("tak")
    store.close()
    event = record.events[0]
    began, step = microseconds(now - SPAN), SPAN // timedelta(microseconds=1) // max(count, 1)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    numbers = "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
    names = ", ".join(f"({i}, '{name}')" for i, name in enumerate(CLASSES))
    for first in range(1, count + 1, PORTION):
        last = min(first + PORTION - 1, count)
        connection.execute("BEGIN")
        connection.execute(
            f"{numbers}, c(i, name) AS (VALUES {names}) INSERT INTO events"
            f" ({', '.join(EVENT_COLUMNS)}) SELECT n.i, 'detection', 'track-' || (n.i / 50), ?,"
            " c.name, 0.9, 'camera-' || (n.i / 20 % 100), n.i / 20, n.i % 20, ? + n.i * ?,"
            " ? + n.i * ?, ? + n.i * ?, 47.0 + n.i % 1000 / 1e4, 8.0 + n.i % 777 / 1e4, 455.0,"
            " 6.0, 5.0, NULL, NULL, ? FROM n JOIN c ON c.i = n.i % 8",
            (first, last, event.cot_type, *(began, step) * 3, event.xml),
        )
        connection.execute(
            f"{numbers} INSERT INTO frames ({', '.join(FRAME_COLUMNS)})"
            " SELECT 'camera-' || (i % 100), i, ? + i * 20 * ?, ? + i * 20 * ?, ?,"
            " ? + i * 20 * ?, NULL, NULL, i * 20, i * 20 + 19 FROM n",
            (first // 20, last // 20 - 1, *(began, step) * 2, record.receipt, began, step),
        )
        connection.execute("COMMIT")
    for _, statement in indexes:
        connection.execute(statement)
    connection.execute("UPDATE outbox SET head = ?", (count,))
    connection.close()


def commits(store: SqliteOutbox, record: FrameRecord, seconds: float) -> float:
    """Microseconds an event of group commits of eight frames."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        tag = f"{time.time_ns()}"
        rows = [
            replace(record, key=FrameKey(camera_id="bench", frame_id=f"{tag}-{i}"))
            for i in range(8)
        ]
        store.commit(rows, datetime.now(UTC))
        count += 8 * A_FRAME
    return (time.perf_counter() - began) / count * 1e6


def history(store: SqliteOutbox, now: datetime) -> tuple[float, float]:
    """Milliseconds of a page of 100, of one class: the last hour's, and hours' within the week."""

    def asked(end: datetime, name: str) -> float:
        began = time.perf_counter()
        store.events(
            Query(class_name=name, captured_from=end - timedelta(hours=1), captured_to=end)
        )
        return (time.perf_counter() - began) * 1e3

    last = median(asked(now, name) for name in CLASSES)
    within = [asked(now - timedelta(hours=7 * i + 3), CLASSES[i % len(CLASSES)]) for i in range(20)]
    return last, max(within)


def main() -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, nargs="+", default=[0, 1, 10])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--folder", type=Path, help="on which disk")
    options = parser.parse_args()
    record = example()
    table = Table(title="SQLite with a backlog that nobody takes; twenty detections a frame")
    for column in ("backlog", "file GB", "commit µs/event", "hour+class ms", "worst of 20 ms",
                   "HTTP events/s", "p99 ms", "gateway MB"):  # fmt: skip
        table.add_column(column, justify="right")
    for millions in options.millions:
        with tempfile.TemporaryDirectory(prefix="sightline-bench-", dir=options.folder) as name:
            folder, now = Path(name), datetime.now(UTC)
            path = folder / "gateway.db"
            fill(path, int(millions * 1e6), record, now)
            size = path.stat().st_size / 1e9
            store = SqliteOutbox(path)
            cost = commits(store, record, options.seconds)
            last, worst = history(store, now)
            store.close()
            got = over_http(
                folder,
                Load(connections=32, detections=A_FRAME, seconds=options.seconds),
                sink=NOBODY,
            )
        table.add_row(
            f"{millions:g} M", f"{size:.1f}", f"{cost:.1f}", f"{last:.1f}", f"{worst:.1f}",
            f"{got['events_per_s']:.0f}", f"{got['p99_ms']:.0f}", f"{got['peak_mb']:.0f}",
        )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
