"""A hundred ways to lose a backup without noticing: each is noticed, loudly, 100 of 100.

First with the digests that were written when all was well. Then as if the dump had been bad when
they were written, so that only a real restore can tell: cut off at a hundred places.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest

from sightline.backups import postgres, programs, verifying
from sightline.backups.encryption import Identities
from sightline.backups.errors import BackupError, DatabaseError
from sightline.backups.folder import FolderTarget
from sightline.backups.manifest import sealed
from sightline.backups.rooms import FileRoom, Room, ServerRoom
from sightline.backups.target import MANIFEST, VERIFIED
from sites import TOOLS, Site, create, fill
from stores import commit, event, frame

Spoil = Callable[[bytes], bytes]
SEED = 20261126


class Kept:
    """A backup, another of the same database, and one of another database; copies to spoil."""

    def __init__(self, site: Site, other: Site, *, encrypted: bool) -> None:
        self.site = site
        identity = pyrage.x25519.Identity.generate()
        self.stranger = pyrage.x25519.Identity.generate()
        file = site.folder / "identity"
        file.write_text(str(identity))
        self.keys = Identities([file])
        how: dict[str, Any] = {"recipients": [str(identity.to_public())]} if encrypted else {}
        store = site.store()
        fill(store, 40)
        self.place, self.made = create(site.database(), site.folder / "backups", **how)
        commit(store, frame("later", event(0)))
        store.close()
        self.later, _ = create(site.database(), site.folder / "backups", **how)
        other.fill(frames=41)
        self.others, _ = create(other.database(), site.folder / "others", **how)
        self.dump = self.made.dump
        self.room: Room = FileRoom() if site.kind == "sqlite" else ServerRoom(site.url)
        self.pristine = {each: (self.place / each).read_bytes() for each in (self.dump, MANIFEST)}

    def mend(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        for name, data in self.pristine.items():
            (self.place / name).write_bytes(data)

    def noticed(self) -> bool:
        """Whether it is no backup any more: it cannot be proven, and is not taken for proven."""
        target = FolderTarget(self.place.parent)
        try:
            verifying.verify(target, self.place.name, self.room, keys=self.keys)
        except DatabaseError:
            raise  # that a server does not answer says nothing of a backup
        except BackupError as error:
            (found,) = (each for each in target.found() if each.id == self.place.name)
            return bool(str(error)) and not found.verified
        return False


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["plain", "encrypted"])
def kept(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    servers = request.getfixturevalue("postgres") if kind == "postgres" else None
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    sites = (Site(kind, tmp_path / name, servers) for name in ("one", "other"))
    return Kept(*sites, encrypted=request.param == "encrypted")


def cut(at: int) -> Spoil:
    return lambda data: data[:at]


def flip(at: int, bit: int) -> Spoil:
    return lambda data: data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def zero(at: int, size: int) -> Spoil:
    return lambda data: data[:at] + bytes(len(data[at : at + size])) + data[at + size :]


def ways(kept: Kept, dice: random.Random) -> Iterator[tuple[str, Callable[[], None]]]:
    """A hundred, each by its name."""
    dump, told = kept.place / kept.dump, kept.place / MANIFEST
    size, words = len(kept.pristine[kept.dump]), len(kept.pristine[MANIFEST])

    def on(file: Path, spoil: Spoil) -> Callable[[], None]:
        return lambda: file.write_bytes(spoil(file.read_bytes())) and None

    for at in (0, 1, size // 2, size - 1, *(dice.randrange(size) for _ in range(36))):
        yield f"the dump cut off at {at} of {size}", on(dump, cut(at))
    for _ in range(30):
        at, bit = dice.randrange(size), dice.randrange(8)
        yield f"bit {bit} of byte {at} of the dump", on(dump, flip(at, bit))
    for _ in range(10):
        at, bit = dice.randrange(words), dice.randrange(8)
        yield f"bit {bit} of byte {at} of the manifest", on(told, flip(at, bit))
    for at in (0, *(dice.randrange(words) for _ in range(3))):
        yield f"the manifest cut off at {at}", on(told, cut(at))
    pages = [dice.randrange(size) for _ in range(4)]
    for at in pages:
        yield f"a page lost at {at}", on(dump, lambda data, at=at: zero(at, 4096)(data[:-1] + b"!"))
    for name, place in (("a later one's", kept.later), ("another database's", kept.others)):
        yield f"{name} dump", lambda place=place: shutil.copy(place / kept.dump, dump) and None
        yield f"{name} manifest", lambda place=place: shutil.copy(place / MANIFEST, told) and None
        yield (
            f"{name} files",
            lambda place=place: shutil.copytree(place, kept.place, dirs_exist_ok=True) and None,
        )
    yield "no dump", dump.unlink
    yield "no manifest", told.unlink
    yield "the dump twice", on(dump, lambda data: data * 2)
    yield "all zeroes", on(dump, lambda data: bytes(len(data)))
    yield "for another key", on(dump, lambda _: pyrage.encrypt(b"x", [kept.stranger.to_public()]))
    yield (
        "a dump of the other kind of storage",
        lambda: dump.rename(dump.with_name("dump.age" if kept.dump == "dump" else "dump")) and None,
    )


def test_a_hundred_ways_and_each_is_noticed(kept):
    kept.mend()
    assert not kept.noticed(), "it is good before it is spoilt"
    all_ = list(ways(kept, random.Random(SEED)))
    assert len({name for name, _ in all_}) == len(all_) == 100
    unnoticed = []
    for name, spoil in all_:
        kept.mend()
        before = {each: (kept.place / each).read_bytes() for each in kept.pristine}
        spoil()
        after = {
            each: (kept.place / each).read_bytes() if (kept.place / each).exists() else None
            for each in kept.pristine
        }
        assert after != before, f"{name} changes nothing"
        if not kept.noticed():
            unnoticed.append(name)
    assert unnoticed == []


def agree(place: Path, dump: str) -> None:
    """Let the manifest say of the dump what it has become."""
    data = (place / dump).read_bytes()
    told = json.loads((place / MANIFEST).read_bytes())
    told["size_bytes"], told["sha256"] = len(data), hashlib.sha256(data).hexdigest()
    (place / MANIFEST).write_bytes(sealed(json.dumps(told).encode()))


def cuts(size: int, count: int) -> list[int]:
    """Places to cut at: the ends are where it is hardest to notice."""
    dice = random.Random(SEED)
    near = [size - back for back in (1, 2, 3, 5, 8, 13, 100, 1000)]
    return [1, *near, *(dice.randrange(2, size - 1) for _ in range(count - 1 - len(near)))]


def truncated(kept: Kept, count: int) -> list[int]:
    """Where it was cut off, of those that nobody noticed."""
    size, unnoticed = len(kept.pristine[kept.dump]), []
    for at in cuts(size, count):
        kept.mend()
        (kept.place / VERIFIED).unlink(missing_ok=True)
        (kept.place / kept.dump).write_bytes(kept.pristine[kept.dump][:at])
        agree(kept.place, kept.dump)
        if not kept.noticed():
            unnoticed.append(at)
    return unnoticed


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_cut_off_before_it_was_written_down_and_each_is_noticed(kept):
    assert truncated(kept, 100) == []


@pytest.mark.e2e
@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_an_archive_cut_off_before_it_was_written_down_and_each_is_noticed(kept):
    assert truncated(kept, 100) == []


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
@pytest.mark.parametrize("kept", ["plain"], indirect=True)
def test_an_archive_that_pg_dump_cut_off_is_noticed_when_it_is_made(kept):
    """What `create` looks at; a proof does so again, with all of a hundred: see above."""
    tools, data = programs.fitting(TOOLS, None), kept.pristine["dump"]
    file = kept.place.parent / "cut"
    unnoticed = []
    for at in cuts(len(data), 25):
        file.write_bytes(data[:at])
        try:
            postgres._verify(tools, file, kept.made.tables)
        except BackupError:
            continue
        unnoticed.append(at)
    assert unnoticed == []
