"""Proofs: a backup is really restored, compared and measured, and everybody hears of it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cop_gateway.outbox.migrations import POSTGRES_STEPS, SQLITE_STEPS
from sightline.backups import invariants, making, rooms, verifying
from sightline.backups.errors import BackupError, DamageError, RefusedError
from sightline.backups.folder import FolderTarget
from sightline.backups.ledger import Look
from sightline.backups.manifest import sealed
from sightline.backups.rooms import FileRoom, OwnServerRoom, Room, ServerRoom
from sightline.backups.s3 import S3Target
from sightline.backups.target import MANIFEST, VERIFIED
from sites import TOOLS, Site, create, restore


def room(site: Site) -> Room:
    return FileRoom() if site.kind == "sqlite" else ServerRoom(site.url)


def databases(site: Site) -> set[str]:
    """Of its server; none where there is none."""
    if site.kind == "sqlite":
        return set()
    with psycopg.connect(site.url) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def test_a_good_backup_is_proven_and_everybody_hears_of_it(filled, tmp_path):
    target = FolderTarget(tmp_path / "backups")
    made = making.create(filled.database(), target).manifest
    assert filled.live.last_verified() is None
    before = databases(filled)
    began = datetime.now(UTC) - timedelta(seconds=1)
    done = verifying.verify(target, made.id, room(filled), ledger=filled.database())
    assert done.good
    assert 0 < done.restore_seconds < 60
    assert {"fetch", "check", "restore", "compare"} == set(done.seconds)
    assert filled.live.last_verified() > began
    (found,) = target.found()
    assert found.verification == done
    assert databases(filled) == before, "the throwaway database is still there"
    # A gateway works on beside it.
    assert filled.live.last_backup().size_bytes == made.size_bytes


def test_a_database_that_never_heard_of_the_backup_hears_of_it(filled, tmp_path):
    target = FolderTarget(tmp_path / "backups")
    made = making.create(filled.database(), target).manifest
    other = filled.new()
    store = filled.store(other)
    verifying.verify(target, made.id, room(filled), ledger=filled.database(other))
    assert store.last_verified() is not None
    assert store.last_backup().finished_at == made.finished_at
    store.close()


def test_a_damaged_one_is_no_backup_and_that_is_written_down(filled, tmp_path):
    target = FolderTarget(tmp_path / "backups")
    made = making.create(filled.database(), target).manifest
    verifying.verify(target, made.id, room(filled))
    dump = tmp_path / "backups" / made.id / "dump"
    data = bytearray(dump.read_bytes())
    data[len(data) // 2] ^= 1
    dump.write_bytes(data)
    with pytest.raises(DamageError, match="SHA-256"):
        verifying.verify(target, made.id, room(filled), ledger=filled.database())
    (found,) = target.found()
    assert not found.verified, "it was good once, and is not any more"
    assert "SHA-256" in found.verification.problem
    assert filled.live.last_verified() is None


def test_of_an_encrypted_one_the_identity_is_needed(filled, tmp_path, key):
    from sightline.backups.encryption import Identities  # noqa: PLC0415

    public, identity = key
    target = FolderTarget(tmp_path / "backups")
    made = making.create(filled.database(), target, recipients=[public]).manifest
    place = tmp_path / "backups" / made.id
    assert {each.name for each in place.iterdir()} == {"dump.age", "manifest.json"}
    assert made.encryption.recipients == (public,)
    with pytest.raises(RefusedError, match="--identity"):
        verifying.verify(target, made.id, room(filled))
    assert not (place / VERIFIED).exists(), "that nobody has a key says nothing of the backup"
    done = verifying.verify(target, made.id, room(filled), keys=Identities([identity]))
    assert done.good
    assert "decrypt" in done.seconds


@pytest.mark.parametrize("site", ["postgres"], indirect=True)
def test_out_of_a_bucket_it_is_the_same(filled, s3, tmp_path):
    target = S3Target(s3.create(), scratch=tmp_path)
    made = making.create(filled.database(), target).manifest
    verifying.verify(target, made.id, room(filled), ledger=filled.database())
    (found,) = target.found()
    assert found.verified
    assert not list(tmp_path.glob(".sightline-backups-*")), "what was fetched is left behind"


BROKEN: dict[str, str] = {
    "two heads": "INSERT INTO outbox SELECT head FROM outbox",
    "a head before its events": "UPDATE outbox SET head = 3",
    "a cursor beyond the head": "INSERT INTO sinks (name, cursor) VALUES ('tak', 99)",
    "a delivery that its sink never took": "INSERT INTO sinks (name, cursor) VALUES ('tak', 2);"
    "INSERT INTO deliveries (sink, last, first, sent_at, settled_at, acknowledged)"
    " VALUES ('tak', 7, 1, 1, 1, 1)",
}


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", BROKEN)
def test_a_database_that_was_broken_already_is_no_proof(filled, tmp_path, name):
    with filled.live._database.writing("break it") as cursor:
        for statement in BROKEN[name].split(";"):
            cursor.execute(statement)
    target = FolderTarget(tmp_path / "backups")
    made = making.create(filled.database(), target).manifest
    with pytest.raises(DamageError, match="broken already"):
        verifying.verify(target, made.id, room(filled))
    # In need it is restored all the same: it is better than nothing.
    assert making.restore(filled.database(filled.new()), target, made.id).tables == made.tables


def test_what_retention_has_taken_breaks_no_invariant(filled, tmp_path):
    live = filled.live
    live.account("tak")
    live.bury("tak", 2, "too long")
    live.bury("tak", 7, "too long")
    assert live.forget(None, sinks=[], portion=3) == 3
    target = FolderTarget(tmp_path / "backups")
    made = making.create(filled.database(), target).manifest
    assert made.facts["first_event"] == 4
    assert verifying.verify(target, made.id, room(filled)).good


def test_a_newer_schema_is_for_the_release_that_made_it(filled, tmp_path):
    made = making.create(filled.database(), FolderTarget(tmp_path)).manifest
    look = Look(tables=made.tables, facts=made.facts, schema_version=99, head=8, server="")
    with pytest.raises(DamageError, match="newer than this release knows"):
        invariants.require_sound(made, look)


def test_the_newest_schema_that_is_known_is_the_gateways():
    assert {"sqlite": len(SQLITE_STEPS), "postgres": len(POSTGRES_STEPS)} == invariants.NEWEST


def test_a_postgres_backup_needs_a_server_and_says_how(postgres, tmp_path):
    site = Site("postgres", tmp_path, postgres)
    site.fill()
    target = FolderTarget(tmp_path / "backups")
    made = making.create(site.database(), target).manifest
    with pytest.raises(RefusedError, match="--with-own-server"):
        verifying.verify(target, made.id, FileRoom())


def test_a_server_of_its_own_needs_nobody_and_is_gone_afterwards(postgres, tmp_path):
    site = Site("postgres", tmp_path, postgres)
    site.fill()
    target = FolderTarget(tmp_path / "backups")
    made = making.create(site.database(), target).manifest
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for each in (tmp_path, *tmp_path.parents[:3]):
        # The server's user goes there.
        each.chmod(each.stat().st_mode | 0o011)
    done = verifying.verify(target, made.id, OwnServerRoom(scratch=scratch), scratch=scratch)
    assert done.server.startswith(f"PostgreSQL {TOOLS}.")
    assert list(scratch.iterdir()) == []
    running = [each for each in Path("/proc").glob("[0-9]*/cmdline") if scratch_in(each, scratch)]
    assert running == []


def scratch_in(cmdline: Path, scratch: Path) -> bool:
    try:
        return str(scratch).encode() in cmdline.read_bytes()
    except OSError:
        return False


def test_an_archive_of_newer_programs_asks_for_those(postgres, tmp_path):
    site = Site("postgres", tmp_path, postgres)
    site.fill()
    place, _ = create(site.database(), tmp_path / "backups")
    told = json.loads((place / MANIFEST).read_bytes())
    told["tools"]["pg_dump"] = "99beta1"
    (place / MANIFEST).write_bytes(sealed(json.dumps(told).encode()))
    with pytest.raises(BackupError, match="install postgresql-client-99"):
        restore(site.database(site.new()), place)


def test_a_throwaway_database_is_dropped_whatever_happens(postgres, tmp_path):
    site = Site("postgres", tmp_path, postgres)
    told: Any = type("Told", (), {"kind": "postgres", "id": "x"})
    before = databases(site)

    def failing() -> None:
        with rooms.ServerRoom(site.url).database(told):
            assert databases(site) > before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert databases(site) == before


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_the_note_is_for_people_too(filled, tmp_path):
    target = FolderTarget(tmp_path / "backups")
    made = making.create(filled.database(), target).manifest
    verifying.verify(target, made.id, room(filled))
    note = json.loads((tmp_path / "backups" / made.id / VERIFIED).read_text())
    assert note["problem"] is None
    assert note["sha256"] == made.sha256
    assert os.sep not in note["id"]
