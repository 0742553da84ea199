"""The power fails in the middle of it: what was acknowledged is on the disk, whatever else is.

A writer's every write and sync to the database and its log is journalled (LD_PRELOAD). A power cut
at any moment leaves what was synced before it; of what was written to a file since its last sync,
any sectors and no others, old truncations included. Each such disk is opened by the real store.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cop_gateway.outbox.record import FrameKey
from cop_gateway.outbox.sqlite import SqliteOutbox
from running import required

POWER = Path(__file__).parents[1] / "power"
FRAMES, CUTS, SECTOR = 500, 40, 512
HEAD = struct.Struct("=cbqq")


@dataclass
class File:
    """What is surely on the disk, and what has been done to it since its last sync."""

    durable: bytearray = field(default_factory=bytearray)
    since: list[tuple[bytes, int, int, bytes]] = field(default_factory=list)

    def do(self, kind: bytes, offset: int, length: int, data: bytes) -> None:
        if kind != b"s":
            self.since.append((kind, offset, length, data))
            return
        for step in self.since:
            _apply(self.durable, *step)
        self.since.clear()

    def after_a_cut(self, rng: random.Random) -> bytes:
        image, share = bytearray(self.durable), rng.choice((0.0, 0.2, 0.5, 0.9, 1.0))
        for kind, offset, length, data in self.since:
            if kind == b"t":
                if rng.random() < share:
                    _apply(image, kind, offset, length, data)
                continue
            for at in range(0, length, SECTOR):
                if rng.random() < share:
                    part = data[at : at + SECTOR]
                    _apply(image, kind, offset + at, len(part), part)
        return bytes(image)


def _apply(image: bytearray, kind: bytes, offset: int, length: int, data: bytes) -> None:
    size = length if kind == b"t" else offset + length
    if len(image) < size:
        image.extend(bytes(size - len(image)))
    if kind == b"t":
        del image[length:]
    else:
        image[offset : offset + length] = data


@dataclass
class Run:
    """What the writer did, and when it had which frame acknowledged."""

    journal: bytes
    acknowledged: list[tuple[int, int]]
    """Frame, and where the journal ended then."""

    def disks(self, cuts: list[int], rng: random.Random) -> Iterator[tuple[int, list[bytes]]]:
        """For each cut (a place in the journal, ascending): how a disk may look after it."""
        files, at, left = [File(), File()], 0, iter(cuts)
        cut = next(left, None)
        while cut is not None:
            kind, which, offset, length = HEAD.unpack_from(self.journal, at)
            end = at + HEAD.size + (length if kind == b"w" else 0)
            while cut is not None and end > cut:
                yield cut, [file.after_a_cut(rng) for file in files]
                cut = next(left, None)
            files[which].do(kind, offset, length, self.journal[at + HEAD.size : end])
            at = end


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        required("journalling writes needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("power") / "journal.so"
    subprocess.run(
        [str(compiler), "-shared", "-fPIC", "-O2", "-o", library, POWER / "journal.c", "-ldl"],
        check=True,
    )
    return library


def recorded(folder: Path, library: Path, *, synchronous: str = "") -> Run:
    database, journal = folder / "gateway.db", folder / "journal"
    done = subprocess.run(
        [sys.executable, POWER / "writer.py", database, journal, str(FRAMES), synchronous],
        env=os.environ | {
            "LD_PRELOAD": str(library),
            "SIGHTLINE_JOURNAL": str(journal),
            "SIGHTLINE_JOURNAL_PREFIX": str(database),
        },
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == FRAMES
    return Run(journal.read_bytes(), [(int(frame), int(size)) for frame, size in lines])


def lost(run: Run, folder: Path, seed: int) -> list[str]:
    """What is wrong with the disks after cuts at random moments."""
    rng = random.Random(seed)
    first, last = run.acknowledged[0][1], len(run.journal) - 1
    cuts = sorted(rng.randint(first, last) for _ in range(CUTS))
    # Right after an acknowledgement is the moment that matters most.
    cuts = sorted([*cuts, *(size for _, size in rng.sample(run.acknowledged[:-1], CUTS // 2))])
    wrong: list[str] = []
    for number, (cut, images) in enumerate(run.disks(cuts, rng)):
        path = folder / f"cut-{number}" / "gateway.db"
        path.parent.mkdir()
        for image, name in zip(images, ("gateway.db", "gateway.db-wal"), strict=True):
            path.with_name(name).write_bytes(image)
        promised = [frame for frame, size in run.acknowledged if size <= cut]
        wrong += [f"cut at {cut}: {each}" for each in _wrong(path, promised)]
        shutil.rmtree(path.parent)
    return wrong


def _wrong(path: Path, promised: list[int]) -> list[str]:
    try:
        store = SqliteOutbox(path)
    except Exception as error:
        return [f"it does not open: {error}"]
    try:
        keys = [FrameKey(camera_id="c", frame_id=str(frame)) for frame in promised]
        missing = len(keys) - len(store.receipts(keys))
        events = store.after(0, 2 * FRAMES + 1)
        order = [each.sequence for each in events]
        found = [f"{missing} acknowledged frames are lost"] if missing else []
        if len(order) < 2 * len(promised) or order != list(range(1, len(order) + 1)):
            found.append(f"{len(order)} events for {len(promised)} acknowledged frames")
        if store.head() != len(order):
            found.append(f"the outbox ends at {store.head()} with {len(order)} events")
    except Exception as error:
        return [f"it cannot be read: {error}"]
    finally:
        store.close()
    with sqlite3.connect(path) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    return found if verdict == "ok" else [*found, verdict]


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path, recorder: Path) -> None:
    run = recorded(tmp_path, recorder)
    assert lost(run, tmp_path, seed=1) == []


@pytest.mark.slow
def test_these_cuts_find_a_store_that_does_not_wait_for_the_disk(
    tmp_path: Path, recorder: Path
) -> None:
    """The same with `synchronous = NORMAL`, which syncs the log only now and then."""
    run = recorded(tmp_path, recorder, synchronous="NORMAL")
    assert any("acknowledged frames are lost" in each for each in lost(run, tmp_path, seed=1))
