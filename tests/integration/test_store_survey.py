"""What metrics tell of a store: backups, schema, health, and whether an event was left out.

Asked of SQLite and every PostgreSQL that the gateway supports.
"""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from cop_gateway.outbox.database import microseconds
from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.outbox.migrations import POSTGRES_STEPS, SQLITE_STEPS
from cop_gateway.outbox.postgres import PostgresOutbox
from cop_gateway.outbox.record import Delivery
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.outbox.store import Outbox
from cop_gateway.survey import Survey
from postgres_server import Postgres
from running import started
from stores import NOW, commit, event, frame


def run(store: Outbox, statement: str) -> None:
    """As another program does beside the gateway."""
    if isinstance(store, SqliteOutbox):
        with sqlite3.connect(store._file.path) as connection:
            connection.execute(statement)
        connection.close()
        return
    assert isinstance(store, PostgresOutbox)
    with psycopg.connect(store._postgres.url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[arg-type]


def backup(store: Outbox, name: str, *, began: float, **columns: object) -> None:
    """So many hours ago, and it took ten minutes."""
    start = microseconds(NOW - timedelta(hours=began))
    row = {
        "id": name,
        "kind": "sqlite",
        "location": "/backups",
        "started_at": start,
        "finished_at": start + 600_000_000,
        "size_bytes": 1000,
        **columns,
    }
    values = ", ".join("NULL" if each is None else repr(each) for each in row.values())
    run(store, f"INSERT INTO backups ({', '.join(row)}) VALUES ({values})")


def delivered(store: Outbox, first: int, last: int) -> None:
    store.settle(
        "tak",
        [Delivery(first=first, last=last, sent_at=NOW, settled_at=NOW, acknowledged=True)],
    )


def held(store: Outbox, events: int) -> Survey:
    """A store with so many events, whose one sink is ours."""
    store.account("tak")
    assert store.hold("tak") is not None
    commit(store, frame("f-1", *(event(index) for index in range(events))))
    return Survey(store, sinks=["tak"])


def test_the_newest_backup_that_is_there_counts(store: Outbox) -> None:
    assert store.last_backup() is None
    assert store.last_verified() is None
    backup(store, "older", began=30, size_bytes=900, verified_at=microseconds(NOW))
    backup(store, "newer", began=6, size_bytes=1234)
    backup(store, "failed", began=4, error="the disk is full")
    backup(store, "pruned", began=3, deleted_at=microseconds(NOW))
    backup(store, "under way", began=1, finished_at=None, size_bytes=None)
    last = store.last_backup()
    assert last is not None
    assert last.finished_at == NOW - timedelta(hours=6) + timedelta(minutes=10)
    assert last.duration == timedelta(minutes=10)
    assert last.size_bytes == 1234
    assert store.last_verified() == NOW


def test_a_pruned_backup_proves_nothing_any_more(store: Outbox) -> None:
    at = microseconds(NOW)
    backup(store, "gone", began=30, verified_at=at, deleted_at=at)
    assert store.last_verified() is None


def test_the_schema_is_this_codes(store: Outbox) -> None:
    steps = SQLITE_STEPS if isinstance(store, SqliteOutbox) else POSTGRES_STEPS
    assert store.schema().database == len(steps)


def test_deliveries_without_a_gap_miss_nothing(store: Outbox) -> None:
    survey = held(store, 9)
    delivered(store, 1, 3)
    survey.look()
    delivered(store, 4, 6)
    delivered(store, 5, 9)  # twice, after a crash
    survey.look()
    assert survey.missing_of("tak") == 0


def test_events_that_no_batch_covers_are_counted_once(store: Outbox) -> None:
    survey = held(store, 20)
    delivered(store, 1, 3)
    survey.look()
    delivered(store, 6, 8)
    survey.look()
    assert survey.missing_of("tak") == 2
    delivered(store, 9, 10)
    delivered(store, 12, 20)
    survey.look()
    survey.look()
    assert survey.missing_of("tak") == 3


def test_a_gap_is_still_seen_by_the_process_that_comes_after(store: Outbox) -> None:
    held(store, 9)
    delivered(store, 1, 3)
    delivered(store, 6, 9)
    again = Survey(store, sinks=["tak"])
    again.look()
    assert again.missing_of("tak") == 2


def test_what_other_sinks_did_is_no_gap(store: Outbox) -> None:
    survey = held(store, 9)
    delivered(store, 1, 9)
    other = Survey(store, sinks=["tak", "new"])
    other.look()
    survey.look()
    assert (other.missing_of("new"), survey.missing_of("tak")) == (0, 0)


def test_dead_letters_are_those_that_lie_there(store: Outbox) -> None:
    survey = held(store, 5)
    store.bury("tak", 2, "too large")
    store.bury("tak", 3, "too large")
    survey.look()
    assert survey.dead_letters_of("tak") == 2
    store.revive("tak", [2, 3])
    survey.look()
    assert survey.dead_letters_of("tak") == 0
    assert survey.dead_letters_of("other") == 0


def test_a_store_is_down_until_it_does_again_what_it_failed(store: Outbox) -> None:
    store.account("tak")
    assert store.health.up
    assert store.health.failures == 0
    run(store, "ALTER TABLE sinks RENAME TO elsewhere")
    with pytest.raises(StoreFailedError):
        store.pause("tak", paused=True)
    assert not store.health.up
    store.head()
    # It can be looked at, and still takes nothing.
    assert not store.health.up
    assert store.health.failures == 1
    run(store, "ALTER TABLE elsewhere RENAME TO sinks")
    store.pause("tak", paused=True)
    assert store.health.up
    assert store.health.failures == 1


def test_a_server_that_is_gone_is_down_and_up_again_by_itself(tmp_path: Path) -> None:
    server = Postgres(tmp_path)
    with started(server):
        there = PostgresOutbox(server.create("there"))
        server.crash()
        with pytest.raises(StoreFailedError):
            there.head()
        with pytest.raises(StoreFailedError):
            there.hold("tak")
        assert not there.health.up
        server.start()
        there.head()
        assert not there.health.up
        there.hold("tak")
        assert there.health.up
        there.close()
