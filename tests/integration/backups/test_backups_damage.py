"""What can happen to a backup, and to its making: none of it passes for a backup."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postgres_server import Postgres, present, programs
from running import required
from sightline.backups import archive
from sightline.backups.errors import BackupError, DatabaseError, ToolError
from sightline.backups.folder import FolderTarget
from sightline.backups.manifest import sealed
from sightline.backups.postgres import PostgresDatabase
from sightline.backups.target import MANIFEST, choose
from sites import TOOLS, Site, create, restore
from stores import commit, event, frame

Spoil = Callable[[Path], None]


def cut(share: float) -> Spoil:
    def spoil(place: Path) -> None:
        data = (place / "dump").read_bytes()
        (place / "dump").write_bytes(data[: int(len(data) * share)])

    return spoil


def flip(share: float) -> Spoil:
    def spoil(place: Path) -> None:
        data = bytearray((place / "dump").read_bytes())
        data[min(int(len(data) * share), len(data) - 1)] ^= 0x10
        (place / "dump").write_bytes(data)

    return spoil


def append(place: Path) -> None:
    with (place / "dump").open("ab") as dump:
        dump.write(b"\0")


def same_size(place: Path) -> None:
    size = (place / "dump").stat().st_size
    (place / "dump").write_bytes(bytes(size))


def no_dump(place: Path) -> None:
    (place / "dump").unlink()


def a_folder_for_a_dump(place: Path) -> None:
    no_dump(place)
    (place / "dump").mkdir()


def no_manifest(place: Path) -> None:
    (place / MANIFEST).unlink()


def text(content: bytes) -> Spoil:
    return lambda place: (place / MANIFEST).write_bytes(content) and None


def half_a_manifest(place: Path) -> None:
    data = (place / MANIFEST).read_bytes()
    (place / MANIFEST).write_bytes(data[: len(data) // 2])


def flip_manifest(place: Path) -> None:
    data = bytearray((place / MANIFEST).read_bytes())
    data[data.index(b"started_at") + 18] ^= 1
    (place / MANIFEST).write_bytes(data)


def said(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    def spoil(place: Path) -> None:
        told = json.loads((place / MANIFEST).read_bytes())
        change(told)
        # With a digest of its own, so that it is what is said that is looked at.
        (place / MANIFEST).write_bytes(sealed(json.dumps(told).encode()))

    return spoil


DAMAGE: dict[str, Spoil] = {
    "emptied": cut(0.0),
    "only its beginning": cut(0.1),
    "half of it": cut(0.5),
    "all but its end": cut(0.999),
    "a bit at its beginning": flip(0.0),
    "a bit in its middle": flip(0.5),
    "a bit at its end": flip(1.0),
    "a byte more": append,
    "zeroes of the same size": same_size,
    "no dump": no_dump,
    "a folder for a dump": a_folder_for_a_dump,
    "no manifest": no_manifest,
    "an empty manifest": text(b""),
    "half a manifest": half_a_manifest,
    "a manifest that is no JSON": text(b"\x00\xff\x00"),
    "a manifest that is a list": text(b"[]"),
    "another digest": said(lambda m: m.update(sha256="0" * 64)),
    "a digest that is none": said(lambda m: m.update(sha256="none")),
    "another size": said(lambda m: m.update(size_bytes=m["size_bytes"] + 1)),
    "a size of 0": said(lambda m: m.update(size_bytes=0)),
    "a field less": said(lambda m: m.pop("head")),
    "a field more": said(lambda m: m.update(extra=1)),
    "a format of tomorrow": said(lambda m: m.update(format=3)),
    "a kind that there is not": said(lambda m: m.update(kind="oracle")),
    "more rows than there are": said(lambda m: m["tables"].update(events=9)),
    "fewer rows than there are": said(lambda m: m["tables"].update(frames=3)),
    "rows below 0": said(lambda m: m["tables"].update(events=-1)),
    "a table more": said(lambda m: m["tables"].update(tracks=0)),
    "no tables": said(lambda m: m.update(tables={})),
    "a bit in its manifest": flip_manifest,
    "a fact that is none": said(lambda m: m["facts"].update(last_event=7)),
    "another's manifest": said(lambda m: m.update(id="20260101T000000Z-abcdef")),
    "a time without its zone": said(lambda m: m.update(finished_at="2026-11-26T02:00:00")),
}


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A site, and a backup of it."""
    servers = request.getfixturevalue("postgres") if request.param == "postgres" else None
    site = Site(request.param, tmp_path_factory.mktemp("site"), servers)
    site.fill()
    place, _ = create(site.database(), site.folder / "backups")
    return site, place


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_backup_is_not_restored(kept, name):
    site, place = kept
    DAMAGE[name](place)
    other = site.new()
    with pytest.raises(BackupError) as told:
        restore(site.database(other), place)
    assert str(told.value)
    if site.kind == "sqlite":
        assert not Path(other.removeprefix("sqlite:///")).exists()


def test_a_backup_that_was_never_finished_is_none(kept):
    site, place = kept
    partial = place.with_name(f".{place.name}.partial")
    place.rename(partial)
    with pytest.raises(BackupError, match="never finished"):
        restore(site.database(site.new()), partial)
    with pytest.raises(BackupError, match="no backup in"):
        choose(FolderTarget(partial.parent), None)


def test_the_dump_of_another_backup_is_not_taken_for_it(kept):
    site, place = kept
    store = site.store()
    commit(store, frame("one more", event(0)))
    store.close()
    later, _ = create(site.database(), site.folder / "backups")
    shutil.copyfile(later / "dump", place / "dump")
    with pytest.raises(BackupError, match="damaged"):
        restore(site.database(site.new()), place)


def tools(folder: Path, script: str) -> Path:
    """A pg_dump that does what a script makes of the real one, REAL; and a real pg_restore."""
    folder.mkdir()
    real = programs(TOOLS)
    (folder / "pg_restore").symlink_to(real / "pg_restore")
    dump = folder / "pg_dump"
    dump.write_text(f"#!/bin/sh\nREAL={real}/pg_dump\n{script}\n")
    dump.chmod(stat.S_IRWXU | stat.S_IXOTH | stat.S_IROTH)
    return folder


VERSION = '[ "$1" = --version ] && exec $REAL --version\n'
FILE = "for each; do case $each in --file=*) file=${each#--file=};; esac; done\n"

LIES = {
    "an empty dump": (f"{VERSION}exit 0", "empty"),
    "half a dump": (
        f'{VERSION}{FILE}$REAL "$@" || exit\nsize=$(stat -c %s "$file")\n'
        'truncate -s $((size / 2)) "$file"\nexit 0',
        "cannot be|differ|no data",
    ),
    "a dump without its last byte of data": (
        f'{VERSION}{FILE}$REAL --format=custom --compress=0 "$@" || exit\n'
        'truncate -s -1 "$file"\nexit 0',
        "cannot be read to its end|cannot be listed|differ",
    ),
    "a dump without events": (f'{VERSION}exec $REAL "$@" --exclude-table-data=events', "events"),
    "a dump without a table": (f'{VERSION}exec $REAL "$@" --exclude-table=events', "events"),
    "a dump of the schema alone": (f'{VERSION}exec $REAL "$@" --schema-only', "has no data of"),
    "something else": (f'{VERSION}{FILE}echo hello > "$file"; exit 0', "cannot be listed"),
    "a failure after all is written": (
        f'{VERSION}$REAL "$@"; echo no space left >&2; exit 3', "ended with 3: no space left",
    ),
    "death": (f"{VERSION}kill -9 $$", "killed by signal 9"),
    "a version that is too old": ('echo "pg_dump (PostgreSQL) 12.9"', "postgresql-client-15"),
    "no version at all": ("echo hello", "not in"),
}  # fmt: skip


@pytest.fixture
def server(postgres, tmp_path):
    site = Site("postgres", tmp_path, postgres)
    site.fill()
    return site


@pytest.mark.parametrize("name", LIES)
def test_a_dump_that_is_not_whole_is_no_backup_whatever_pg_dump_says(server, tmp_path, name):
    script, words = LIES[name]
    target = tmp_path / "backups"
    database = PostgresDatabase(server.url, tools=tools(tmp_path / "tools", script))
    with pytest.raises(BackupError, match=words):
        create(database, target)
    assert not target.exists() or list(target.iterdir()) == []
    store = server.store()
    assert store.last_backup() is None
    with store._database.reading("look") as cursor:
        cursor.execute("SELECT error FROM backups")
        assert cursor.fetchone()[0]
    store.close()


def test_a_newer_server_asks_for_newer_programs(postgres, tmp_path):
    newer = [major for major in present() if major > TOOLS]
    if not newer:
        required("no newer server is here: make postgres")
    url = postgres[newer[-1]].create("newer")
    site = Site("postgres", tmp_path, postgres)
    site.fill(url)
    with pytest.raises(ToolError, match=f"install postgresql-client-{newer[-1]} or newer"):
        create(PostgresDatabase(url, tools=programs(TOOLS)), tmp_path)


@pytest.fixture
def asking(tmp_path):
    """A server that asks who comes for a password."""
    rules = tmp_path / "pg_hba.conf"
    rules.write_text(
        "host all sightline 127.0.0.1/32 trust\nhost all keeper 127.0.0.1/32 scram-sha-256\n"
    )
    rules.chmod(0o644)
    server = Postgres(tmp_path / "server", major=TOOLS, settings=[f"hba_file={rules}"])
    server.start()
    with server.session() as connection:
        connection.execute("CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'right and proper'")
    yield server
    server.crash()


def test_a_password_gets_in_and_a_wrong_one_is_told_without_it(asking, tmp_path):
    site = Site("postgres", tmp_path, {TOOLS: asking})
    site.fill()
    with_password = site.url.replace("sightline@", "keeper:{}@")
    place, made = create(
        PostgresDatabase(with_password.format("right%20and%20proper")), tmp_path / "backups"
    )
    assert made.tables["events"] == 8
    assert "right and proper" not in (place / MANIFEST).read_text()
    secret = "hunter2-and-more"
    with pytest.raises(DatabaseError, match="password authentication failed") as told:
        create(PostgresDatabase(with_password.format(secret)), tmp_path / "backups")
    assert secret not in str(told.value)


def test_a_url_that_cannot_be_read_is_not_quoted():
    secret = "hunter2-and-more"
    with pytest.raises(DatabaseError) as told:
        PostgresDatabase(f"postgresql://keeper:{secret}@host:port:what/x y z")
    assert secret not in str(told.value)


def test_a_password_is_in_no_argument(server, tmp_path):
    secret = "hunter2-and-more"
    noted = tmp_path / "arguments"
    script = f'{VERSION}echo "$@" >> {noted}; env >> {noted}.env; exec $REAL "$@"'
    url = server.url.replace("sightline@", f"sightline:{secret}@")
    database = PostgresDatabase(url, tools=tools(tmp_path / "tools", script))
    place, _ = create(database, tmp_path / "backups")
    assert "--snapshot=" in noted.read_text()
    assert secret not in noted.read_text()
    assert f"PGPASSWORD={secret}" in (tmp_path / "arguments.env").read_text()
    assert secret not in (place / MANIFEST).read_text()


def test_rows_are_lines_of_a_copy_whatever_they_hold():
    script = [
        b"COPY public.events (a, b) FROM stdin;\n", b"1\tCOPY public.x (a) FROM stdin;\n",
        b"2\t\\\\.\n", b"\\.\n", b"\n", b'COPY public."odd" (a) FROM stdin;\n', b"\\.\n",
    ]  # fmt: skip
    assert archive.counted(script) == {"events": 2, "odd": 0}


def test_every_kind_of_damage_is_tried():
    assert len(DAMAGE) + len(LIES) >= 20


def test_the_real_programs_are_what_is_lied_about():
    done = subprocess.run(
        [programs(TOOLS) / "pg_dump", "--version"], capture_output=True, text=True, check=True
    )
    assert f" {TOOLS}." in done.stdout
    assert os.access(programs(TOOLS) / "pg_restore", os.X_OK)
