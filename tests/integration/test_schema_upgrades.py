"""A store of each schema that there has been, opened by today's code: everything is still there.

Each file of tests/vectors/schema is one: add a file, get a test. What stands in it under "goes on
writing" is written after the upgrade, as the other colour of a release does.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.postgres import PostgresOutbox
from cop_gateway.outbox.record import FrameKey, FrameRecord
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.outbox.store import Outbox
from postgres_server import Postgres

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
VECTORS = sorted((Path(__file__).parents[1] / "vectors/schema").glob("*.sql"))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_nothing_is_missing_after_the_upgrade(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before, _, afterwards = path.read_text().partition("-- What code of that schema goes on")
    afterwards = afterwards.partition("\n")[2]
    if path.stem.startswith("sqlite"):
        file = tmp_path / "gateway.db"
        with sqlite3.connect(file) as connection:
            connection.executescript(before)
        connection.close()
        store: Outbox = SqliteOutbox(file)
        _whole(store)
        store.close()
        return
    server: Postgres = request.getfixturevalue("lone_postgres")
    url = server.create(path.stem)
    _run(url, before)
    store = PostgresOutbox(url)
    _run(url, afterwards)
    assert [each.sequence for each in store.after(3, 10)] == [4]
    _run(url, "DELETE FROM events WHERE sequence = 4; UPDATE outbox SET head = 3")
    _whole(store)
    store.close()


def _run(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements)  # type: ignore[arg-type]


def _whole(store: Outbox) -> None:
    keys = [FrameKey(camera_id="drone-1", frame_id=name) for name in ("f-1", "f-2")]
    assert set(store.receipts(keys)) == set(keys)
    assert store.head() == 3
    assert store.account("tak").cursor == 2
    assert [each.xml for each in store.after(2, 10)] == ['<event n="3"/>']
    assert len(store.events(Query(class_name="car"))) == 3
    assert store.frame_xml(keys[0]) == ['<event n="1"/>', '<event n="2"/>']
    assert store.retracted(["track-0"]) == {}
    # And it goes on: the next event comes after the last one, and the sink after its cursor.
    record = FrameRecord(
        key=FrameKey(camera_id="drone-1", frame_id="f-9"),
        captured_at=NOW,
        receipt=b"{}",
        events=(),
        unplaced=(),
    )
    assert store.commit([record], NOW) == 3
    assert store.forget(NOW, sinks=["tak"], portion=10) == 2
    assert [each.sequence for each in store.after(0, 10)] == [3]
