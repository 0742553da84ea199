"""What is asked all the time never reads a whole table: an outbox may hold ten million events."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.record import (
    SEEN_OR_RETRACTED,
    Delivery,
    EventRecord,
    FrameKey,
    FrameRecord,
)
from cop_gateway.outbox.sqlite import SqliteOutbox

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
KEYS = [FrameKey(camera_id="c", frame_id=f"f-{i}") for i in range(3)]
HOUR = {"captured_from": NOW - timedelta(hours=1), "captured_to": NOW}
GROWING = re.compile(r"\bSCAN (events|frames|unplaced|deliveries|dead_letters|e|f|d)\b(.*)")


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[tuple[SqliteOutbox, list[str]]]:
    """An outbox, and every statement that it runs from now on."""
    store = SqliteOutbox(tmp_path / "gateway.db")
    store.account("tak")
    store.commit([record("before")], NOW)
    statements: list[str] = []
    for connection in (store._file._writer, store._file._reader):
        connection.set_trace_callback(statements.append)
    yield store, statements
    store.close()


def record(name: str = "f-0") -> FrameRecord:
    event = EventRecord(
        kind="detection", uid="u", cot_type="a-u-G", class_name="car", confidence=0.9, index=0,
        captured_at=NOW, stale_at=NOW, latitude=47.0, longitude=8.0, hae=400.0, ce90_m=5.0,
        le90_m=1.0, course=None, speed_mps=None, xml="<event/>",
    )  # fmt: skip
    return FrameRecord(
        key=FrameKey(camera_id="c", frame_id=name),
        captured_at=NOW,
        receipt=b'{"camera_id":"c","frame_id":"f","results":[]}',
        events=(event,),
        unplaced=(),
    )


CALLS: dict[str, Callable[[SqliteOutbox], object]] = {
    "receipts": lambda s: s.receipts(KEYS),
    "commit": lambda s: s.commit([record()], NOW),
    "head": lambda s: s.head(),
    "next events": lambda s: s.after(5, 100),
    "these events": lambda s: s.these([1, 2, 3]),
    "newest of each uid": lambda s: s.newest(["a", "b"]),
    "a sink's account": lambda s: s.account("tak"),
    "settle": lambda s: s.settle(
        "tak", [Delivery(first=1, last=1, sent_at=NOW, settled_at=NOW, acknowledged=True)]
    ),
    "bury": lambda s: s.bury("tak", 1, "why"),
    "recalled": lambda s: s.recalled("tak", 100),
    "dead letters": lambda s: s.dead_letters("tak"),
    "forget by age": lambda s: s.forget(NOW, sinks=["tak"], portion=100),
    "forget by size": lambda s: s.forget(None, sinks=["tak"], portion=100),
    "one object": lambda s: s.events(Query(uid="u", kinds=SEEN_OR_RETRACTED, limit=1)),
    "an hour of a class": lambda s: s.events(Query(class_name="car", **HOUR)),
    "an hour": lambda s: s.events(Query(**HOUR)),
    "retracted": lambda s: s.retracted(["a", "b"]),
    "retracted since": lambda s: s.retracted_since(0, 100),
    "a frame's CoT": lambda s: s.frame_xml(KEYS[0]),
    "audit trail": lambda s: s.audit(FrameKey(camera_id="c", frame_id="before")),
    "space": lambda s: s.space(),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_whole_table_is_read(asked: tuple[SqliteOutbox, list[str]], name: str) -> None:
    store, statements = asked
    CALLS[name](store)
    plans = [
        str(step[3])
        for statement in set(statements)
        if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", statement)
        for step in sqlite3.connect(store._file.path).execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    read = [
        plan for plan in plans
        # The oldest by an index, and only so many of them, is no reading of everything.
        if (found := GROWING.search(plan)) and "INDEX" not in found[2]
    ]  # fmt: skip
    assert read == [], statements
    assert statements


def test_the_check_sees_a_whole_table_being_read(asked: tuple[SqliteOutbox, list[str]]) -> None:
    store, _ = asked
    plan = store._file._reader.execute(
        "EXPLAIN QUERY PLAN SELECT 1 FROM frames WHERE receipt = ''"
    ).fetchall()
    assert GROWING.search(str(plan))
