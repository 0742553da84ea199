"""Stores for tests, SQLite and every PostgreSQL that there is, and what is put into them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cop_gateway.outbox.postgres import PostgresOutbox
from cop_gateway.outbox.record import EventRecord, FrameKey, FrameRecord, UnplacedRecord
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.outbox.store import Outbox
from postgres_server import MAJORS, Servers, servers
from sightline.messages import (
    Detection,
    GroundPosition,
    Pixel,
    Placement,
    Receipt,
    Unplaced,
    encode,
)

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
Open = Callable[[], Outbox]
_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("servers")) as each:
        yield each


@pytest.fixture(params=["sqlite", *(f"postgres-{major}" for major in MAJORS)])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same store again and again; SQLite's must be closed between."""
    opened: list[Outbox] = []
    kind, _, major = request.param.partition("-")
    if kind == "postgres":
        url = request.getfixturevalue("postgres")[int(major)].create(f"test{next(_numbers)}")

    def opening() -> Outbox:
        if kind == "postgres":
            opened.append(PostgresOutbox(url))
        else:
            opened.append(SqliteOutbox(tmp_path / "store.db"))
        return opened[-1]

    yield opening
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Open) -> Outbox:
    return open_store()


def event(
    index: int,
    *,
    uid: str = "track-1",
    at: datetime = NOW,
    kind: str = "detection",
    class_name: str = "car",
    where: tuple[float, float] = (47.0, 8.0),
) -> EventRecord:
    return EventRecord(
        kind=kind,  # type: ignore[arg-type]
        uid=uid,
        cot_type="a-u-G-E-V-C",
        class_name=class_name,
        confidence=0.875,
        index=index,
        captured_at=at,
        stale_at=at + timedelta(seconds=60),
        latitude=where[0],
        longitude=where[1],
        hae=455.5,
        ce90_m=6.25,
        le90_m=1.5,
        course=None if index else 271.5,
        speed_mps=None if index else 12.25,
        xml=f"<event uid='{uid}' n='{index}'/>",
    )


def frame(
    name: str, *events: EventRecord, camera: str = "drone-1", unplaced: int = 0
) -> FrameRecord:
    placed = [
        Placement(
            index=each.index,
            uid=each.uid,
            cot_type=each.cot_type,
            position=GroundPosition(latitude=each.latitude, longitude=each.longitude, hae=each.hae),
            ce90_m=each.ce90_m,
            le90_m=each.le90_m,
            flag="GREEN",
            tle_category=2,
        )
        for each in events
        if each.kind == "detection"
    ]
    lost = [
        Unplaced(index=len(placed) + i, reason="above_horizon", message="the sky")
        for i in range(unplaced)
    ]
    return FrameRecord(
        key=FrameKey(camera_id=camera, frame_id=name),
        captured_at=NOW,
        receipt=encode(Receipt(frame_id=name, camera_id=camera, results=(*placed, *lost))),
        events=events,
        unplaced=tuple(
            UnplacedRecord(
                index=each.index,
                reason="above_horizon",
                detection=Detection(class_name="bird", confidence=0.5, pixel=Pixel(1.0, 2.0)),
            )
            for each in lost
        ),
        received_at=NOW - timedelta(milliseconds=3),
        trace_id="0af7651916cd43dd8448eb211c80319c",
    )


def commit(store: Outbox, *frames: FrameRecord, at: datetime = NOW) -> int:
    with store.turn():
        return store.commit(frames, at)
