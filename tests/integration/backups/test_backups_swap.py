"""A backup instead of the database in use: compared first, then swapped, and the old one kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from cop_gateway.outbox.errors import StoreUnusableError
from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.postgres import PostgresOutbox
from sightline.backups import postgres_swap, sqlite_swap, swapping
from sightline.backups.errors import BackupError, RefusedError
from sightline.backups.folder import FolderTarget
from sightline.backups.postgres_swap import PostgresSwap
from sightline.backups.sqlite_swap import SqliteSwap
from sightline.backups.swapping import Swappable, Swapped
from sites import Site, create, fill
from stores import commit, event, frame


def swappable(site: Site) -> Swappable:
    database = site.database()
    return PostgresSwap(database) if site.kind == "postgres" else SqliteSwap(database)


class InUse:
    """A site with a backup of eight events, and three newer ones; its gateway is stopped."""

    def __init__(self, site: Site) -> None:
        self.site = site
        store = site.store()
        fill(store)
        self.place, self.made = create(site.database(), site.folder / "backups")
        commit(store, frame("newer", event(0), event(1), event(2)))
        self.later, self.made_later = create(site.database(), site.folder / "backups")
        store.close()

    def swap(self, **how: object) -> Swapped:
        return swapping.swap(
            swappable(self.site), FolderTarget(self.place.parent), self.place.name, **how
        )

    def events(self, url: str | None = None) -> int:
        store = self.site.store(url)
        found = len(store.events(Query(limit=100)))
        store.close()
        return found

    def kept(self, done: Swapped) -> str:
        """The URL of what was in use."""
        if self.site.kind == "postgres":
            return f"{self.site.url.rpartition('/')[0]}/{done.kept}"
        file = Path(self.site.url.removeprefix("sqlite:///"))
        return f"sqlite:///{file.with_name(done.kept)}"

    def beside(self) -> set[str]:
        """What is left of databases that were restored and not swapped."""
        if self.site.kind == "postgres":
            with psycopg.connect(self.site.url) as connection:
                rows = connection.execute("SELECT datname, datallowconn FROM pg_database")
                found = dict(rows.fetchall())
            assert found[self.site.url.rpartition("/")[2]], "it lets nobody in any more"
            return {name for name in found if "_restored_" in name}
        return {each.name for each in self.site.folder.glob("*restored_*")} | {
            each.name for each in self.site.folder.glob(".*restored_*")
        }


@pytest.fixture
def in_use(site: Site) -> InUse:
    return InUse(site)


def test_the_backup_is_in_use_and_what_was_is_kept(in_use):
    done = in_use.swap(discard=3)
    assert (done.discarded, done.tables) == (3, in_use.made.tables)
    assert in_use.events() == 8
    assert in_use.events(in_use.kept(done)) == 11
    assert in_use.beside() == set()
    # A gateway goes on from there.
    store = in_use.site.store()
    assert commit(store, frame("after", event(0))) == 9
    # What is known of backups is known still, also of those that came later.
    assert store.last_backup().finished_at == in_use.made_later.finished_at
    store.close()


@pytest.mark.parametrize("discard", [None, 2, "unknown"])
def test_newer_data_is_not_lost_unless_somebody_says_how_much(in_use, discard):
    with pytest.raises(RefusedError, match="has 3 events that came after"):
        in_use.swap(discard=discard)
    assert in_use.events() == 11
    assert in_use.beside() == set()


def test_a_database_that_is_not_newer_needs_no_word(in_use):
    done = swapping.swap(
        swappable(in_use.site), FolderTarget(in_use.later.parent), in_use.later.name
    )
    assert done.discarded == 0
    assert in_use.events() == 11


def test_a_gateway_that_has_it_is_not_robbed_of_it(in_use):
    store = in_use.site.store()
    with pytest.raises(RefusedError, match="in use by"):
        in_use.swap(discard=3)
    store.close()
    assert in_use.events() == 11


def test_where_there_is_nothing_it_is_restored(site, tmp_path):
    site.fill()
    place, made = create(site.database(), tmp_path / "backups")
    lost = site.new()
    if site.kind == "postgres":
        with psycopg.connect(site.url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{lost.rpartition("/")[2]}"')
    other = Site.__new__(Site)
    other.kind, other.folder, other.url, other._server = site.kind, tmp_path, lost, None
    done = swapping.swap(swappable(other), FolderTarget(place.parent), place.name)
    assert (done.kept, done.discarded) == (None, 0)
    store = site.store(lost)
    assert len(store.events(Query(limit=100))) == made.tables["events"]
    store.close()


def test_a_database_that_cannot_be_read_needs_a_word_of_its_own(in_use):
    ruin(in_use.site)
    with pytest.raises(RefusedError, match="--discard-newer unknown"):
        in_use.swap(discard=3)
    done = in_use.swap(discard="unknown")
    assert done.discarded is None
    assert in_use.events() == 8


def ruin(site: Site) -> None:
    if site.kind == "postgres":
        with psycopg.connect(site.url, autocommit=True) as connection:
            connection.execute("DROP TABLE outbox")
        return
    file = Path(site.url.removeprefix("sqlite:///"))
    data = bytearray(file.read_bytes())
    data[:4096] = b"\xff" * 4096
    file.write_bytes(data)


@pytest.mark.parametrize("where", ["restored", "carried", "renamed"])
def test_whoever_dies_on_the_way_leaves_the_one_or_the_other(in_use, monkeypatch, where):
    """Whatever step it is, the name means a whole database, and a gateway can start on it."""

    def die(*_args: object, **_named: object) -> None:
        raise KeyboardInterrupt

    module = postgres_swap if in_use.site.kind == "postgres" else sqlite_swap
    if where == "restored":
        monkeypatch.setattr(swapping.steps, "Swap", die)
    elif where == "carried":
        monkeypatch.setattr(module, "_carry", die)
    elif in_use.site.kind == "postgres":
        rename, calls = postgres_swap._rename, []

        def second(*names: str) -> object:
            calls.append(names)
            return die() if len(calls) == 2 else rename(*names)

        monkeypatch.setattr(postgres_swap, "_rename", second)
    else:
        monkeypatch.setattr(sqlite_swap.folder, "sync", _only_after(1, sqlite_swap.folder.sync))
    with pytest.raises((KeyboardInterrupt, BackupError)):
        in_use.swap(discard=3)
    monkeypatch.undo()
    assert in_use.events() in (8, 11)
    assert in_use.beside() == set()


def _only_after(times: int, real: Callable[[Path], None]) -> Callable[[Path], None]:
    """The restore syncs once; the swap is the next who does."""
    calls: list[Path] = []

    def sync(path: Path) -> None:
        calls.append(path)
        if len(calls) > times:
            raise KeyboardInterrupt
        real(path)

    return sync


class TestPostgres:
    def test_whoever_writes_meanwhile_stops_it(self, postgres, tmp_path, monkeypatch):
        in_use = InUse(Site("postgres", tmp_path, postgres))
        real = PostgresSwap._end_sessions

        def writing(self: PostgresSwap, admin: object, *, but: psycopg.Connection) -> None:
            # As one whose transaction was committed just before the door was closed.
            but.execute("UPDATE outbox SET head = head + 1")
            real(self, admin, but=but)

        monkeypatch.setattr(PostgresSwap, "_end_sessions", writing)
        with pytest.raises(RefusedError, match="written to meanwhile"):
            in_use.swap(discard=3)
        assert in_use.events() == 11
        assert in_use.beside() == set()

    def test_sessions_of_others_are_ended_and_the_next_get_the_new_one(self, postgres, tmp_path):
        in_use = InUse(Site("postgres", tmp_path, postgres))
        with psycopg.connect(in_use.site.url) as looking:
            in_use.swap(discard=3)
            with pytest.raises(psycopg.OperationalError):
                looking.execute("SELECT 1")
        assert in_use.events() == 8

    def test_nobody_who_comes_meanwhile_finds_no_database(self, postgres, tmp_path):
        """They find the one, the other, or a closed door: never that there is none."""
        in_use = InUse(Site("postgres", tmp_path, postgres))
        over, said = threading.Event(), set()

        def come() -> None:
            while not over.is_set():
                try:
                    with psycopg.connect(in_use.site.url, connect_timeout=5) as connection:
                        (head,) = connection.execute("SELECT head FROM outbox").fetchone()
                        said.add(str(head))
                except psycopg.Error as error:
                    said.add(" ".join(str(error).split()))

        coming = [threading.Thread(target=come) for _ in range(3)]
        for each in coming:
            each.start()
        try:
            in_use.swap(discard=3)
        finally:
            over.set()
            for each in coming:
                each.join()
        assert {"8", "11"} <= said
        unknown = [each for each in said if "does not exist" in each and "renamed" not in each]
        assert unknown == []

    def test_which_colour_delivers_stays_as_it_is_in_this_cluster(self, postgres, tmp_path):
        site = Site("postgres", tmp_path, postgres)
        in_use = InUse(site)
        blue, green = (PostgresOutbox(site.url, colour=each) for each in ("blue", "green"))
        blue.stand_down(stands_down=True, at=datetime.now(UTC))
        green.stand_down(stands_down=False, at=datetime.now(UTC))
        blue.close()
        green.close()
        in_use.swap(discard=3)
        after = PostgresOutbox(site.url, colour="blue")
        after.account("tak")
        assert after.hold("tak") is None, "blue delivers beside green"
        after.close()

    def test_a_door_that_somebody_left_closed_is_told(self, postgres, tmp_path):
        in_use = InUse(Site("postgres", tmp_path, postgres))
        name = in_use.site.url.rpartition("/")[2]
        with postgres[15].session() as admin:
            admin.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        with pytest.raises(RefusedError, match="ALLOW_CONNECTIONS true"):
            in_use.swap(discard=3)

    def test_a_name_that_is_too_long_is_told_before_anything_is_done(self, postgres, tmp_path):
        site = Site("postgres", tmp_path, postgres)
        site.url = site.url.rpartition("/")[0] + "/" + "n" * 50
        with pytest.raises(RefusedError, match="too long"):
            swappable(site)


def test_a_file_that_a_gateway_opens_meanwhile_waits_for_the_swap(tmp_path, monkeypatch):
    in_use, seen = InUse(Site("sqlite", tmp_path, None)), []
    real = sqlite_swap._carry

    def opening(old: Path, new: Path) -> None:
        with pytest.raises(StoreUnusableError) as refused:
            in_use.site.store()
        seen.append(str(refused.value))
        real(old, new)

    monkeypatch.setattr(sqlite_swap, "_carry", opening)
    in_use.swap(discard=3)
    assert "in use by another gateway" in seen[0]
