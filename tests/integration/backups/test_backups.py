"""Backups of both kinds of database, made of real ones and restored into real ones."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.postgres import PostgresOutbox
from sightline.backups import folder, tables
from sightline.backups.errors import BackupError, DatabaseError, RefusedError
from sightline.backups.folder import FolderTarget
from sightline.backups.ledger import Database
from sightline.backups.manifest import sealed
from sightline.backups.target import MANIFEST, choose
from sites import Site, create, fill, restore
from stores import commit, event, frame

KEPT = {"frames": 4, "events": 8, "unplaced": 4}


def last(database: Database, site: Site) -> tuple[str, str | None, bool]:
    """Of the newest row in the table of backups: its id, its error, and whether it ended."""
    store = site.store() if not hasattr(site, "live") else site.live
    with store._database.reading("look") as cursor:
        cursor.execute(
            "SELECT id, error, finished_at FROM backups ORDER BY started_at DESC LIMIT 1"
        )
        name, error, finished = cursor.fetchone()
    return name, error, finished is not None


def test_what_is_restored_is_what_was_there(filled, tmp_path):
    place, made = create(filled.database(), tmp_path / "backups")
    assert {name: made.tables[name] for name in KEPT} == KEPT
    assert made.head == 8
    fresh = filled.new()
    done = restore(filled.database(fresh), place)
    assert done.tables == made.tables
    restored = filled.store(fresh)
    assert restored.events(Query(limit=100)) == filled.live.events(Query(limit=100)) != []
    # And a gateway goes on from there.
    assert commit(restored, frame("f9", event(0)))
    restored.close()


def test_which_colour_delivered_there_does_not_bind_who_it_is_restored_for(postgres, tmp_path):
    site = Site("postgres", tmp_path, postgres)
    blue = PostgresOutbox(site.url, colour="blue")
    green = PostgresOutbox(site.url, colour="green")
    # A switch from blue to green, long ago.
    blue.stand_down(stands_down=True, at=datetime.now(UTC))
    green.stand_down(stands_down=False, at=datetime.now(UTC))
    fill(green)
    place, _ = create(site.database(), tmp_path / "backups")
    fresh = site.new()
    restore(site.database(fresh), place)
    alone = PostgresOutbox(fresh, colour="blue")
    hold = alone.hold("tak")
    assert hold is not None
    hold.release()
    for each in (blue, green, alone):
        each.close()


def test_metrics_see_a_backup_from_its_row(filled, tmp_path):
    before = datetime.now(UTC) - timedelta(seconds=1)
    place, made = create(filled.database(), tmp_path)
    assert last(filled.database(), filled) == (made.id, None, True)
    backup = filled.live.last_backup()
    assert backup.size_bytes == made.size_bytes == (place / "dump").stat().st_size
    assert backup.finished_at > before


def test_the_manifest_says_what_made_it_and_no_secret(filled, tmp_path):
    place, _ = create(filled.database(), tmp_path, schedule="nightly")
    told = json.loads((place / MANIFEST).read_bytes())
    assert told["schedule"] == "nightly"
    assert told["kind"] == filled.kind
    assert set(told["tools"]) == ({"sqlite"} if filled.kind == "sqlite" else {"pg_dump", "server"})
    assert {each.name for each in place.iterdir()} == {"dump", MANIFEST}
    assert place.stat().st_mode & 0o077 == 0


def test_of_a_folder_of_backups_the_newest_is_restored(filled, tmp_path):
    for seconds in (0, 10):
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        _, made = create(filled.database(), tmp_path, now=lambda moment=moment: moment)
    assert choose(FolderTarget(tmp_path), None) == made.id


def test_writing_meanwhile_neither_waits_nor_tears_a_backup(filled, tmp_path):
    over, errors, written = threading.Event(), [], 0

    def write() -> None:
        nonlocal written
        try:
            while not over.is_set():
                commit(filled.live, frame(f"more{written}", event(0), event(1)))
                written += 1
        except Exception as error:
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [create(filled.database(), tmp_path) for _ in range(3)]
    finally:
        over.set()
        writer.join()
    assert errors == []
    assert written > 3
    for place, manifest in made:
        # Of one moment: each frame that is in it has both its events, and the head is the newest.
        assert manifest.tables["events"] == 2 * manifest.tables["frames"]
        assert manifest.head == manifest.tables["events"]
        assert restore(filled.database(filled.new()), place).tables == manifest.tables


def test_two_at_once_are_two_backups(filled, tmp_path):
    made = []

    def one() -> None:
        made.append(create(filled.database(), tmp_path))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len({place for place, _ in made}) == 2
    for place, manifest in made:
        assert restore(filled.database(filled.new()), place).tables == manifest.tables


def test_a_database_without_a_row_is_refused_unless_it_is_meant(site, tmp_path):
    site.store().close()
    with pytest.raises(RefusedError, match="has no rows in any table"):
        create(site.database(), tmp_path)
    assert list(tmp_path.glob("2*")) == []
    _, error, ended = last(site.database(), site)
    assert "no rows" in error
    assert ended
    _, made = create(site.database(), tmp_path, allow_empty=True)
    assert made.tables["events"] == 0


def test_a_database_that_holds_something_is_not_restored_into(filled, tmp_path):
    place, _ = create(filled.database(), tmp_path / "backups")
    other = filled.new()
    filled.fill(other, frames=1)
    with pytest.raises(RefusedError, match="events: 2, frames: 1, unplaced: 1"):
        restore(filled.database(other), place)
    again = filled.store(other)
    assert len(again.events(Query(limit=10))) == 2
    again.close()


def test_one_that_a_gateway_has_made_and_nobody_used_is(filled, tmp_path):
    place, made = create(filled.database(), tmp_path / "backups")
    other = filled.new()
    filled.store(other).close()
    assert restore(filled.database(other), place).tables == made.tables


def test_what_is_no_gateways_database_is_told(site, tmp_path):
    with pytest.raises(DatabaseError):
        create(site.database(), tmp_path)
    assert list(tmp_path.glob("2*")) == []


def test_a_target_that_cannot_be_written_is_told_and_noted(filled, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackupError, match="cannot be written"):
        create(filled.database(), tmp_path / "file")
    assert "cannot be written" in (last(filled.database(), filled)[1] or "")


def test_what_is_interrupted_leaves_nothing_but_its_row(filled, tmp_path, monkeypatch):
    def interrupt(*_args: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "digest", interrupt)
    with pytest.raises(KeyboardInterrupt):
        create(filled.database(), tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []
    assert last(filled.database(), filled)[1:] == ("interrupted", True)


def test_counts_that_differ_are_told_table_by_table():
    with pytest.raises(BackupError) as told:
        tables.compare({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5}, what="restored")
    said = str(told.value)
    assert "b: 2 in the manifest, 5 restored" in said
    assert "c: 3 in the manifest, no such table restored" in said
    assert "a:" not in said


def test_a_backup_of_one_kind_is_not_restored_into_the_other(filled, tmp_path):
    place, _ = create(filled.database(), tmp_path / "backups")
    manifest = json.loads((place / MANIFEST).read_bytes())
    manifest["kind"] = "sqlite" if filled.kind == "postgres" else "postgres"
    (place / MANIFEST).write_bytes(sealed(json.dumps(manifest).encode()))
    with pytest.raises(RefusedError, match="is of"):
        restore(filled.database(filled.new()), place)


def test_a_running_gateways_file_is_not_restored_over(tmp_path):
    site = Site("sqlite", tmp_path, None)
    store = site.store()
    fill(store)
    place, _ = create(site.database(), tmp_path / "backups")
    other = site.new()
    running = site.store(other)
    with pytest.raises(RefusedError, match="in use by a gateway"):
        restore(site.database(other), place)
    running.close()
    store.close()


def test_the_log_of_a_file_that_is_gone_is_not_played_into_the_one_restored(tmp_path):
    site = Site("sqlite", tmp_path, None)
    store = site.store()
    fill(store)
    place, made = create(site.database(), tmp_path / "backups")
    store.close()
    other = Path(site.new().removeprefix("sqlite:///"))
    other.with_name(other.name + "-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(4096))
    site.database(f"sqlite:///{other}")
    assert restore(site.database(f"sqlite:///{other}"), place).tables == made.tables
    assert not other.with_name(other.name + "-wal").exists()
