"""The SQLite outbox, on a real file: what it said is stored stays stored, in its order."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec.structs import replace

from cop_gateway.outbox.errors import OutboxError, StoreFailedError, StoreUnusableError
from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.migrations import SQLITE_STEPS
from cop_gateway.outbox.record import Delivery, EventRecord, FrameKey, FrameRecord, UnplacedRecord
from cop_gateway.outbox.sqlite import SqliteOutbox
from sightline.messages import Detection, Pixel, decode

NOW = datetime(2026, 11, 24, 10, 0, 0, 123_457, tzinfo=UTC)


def event(uid: str, *, index: int = 0, kind: Any = "detection", **changes: Any) -> EventRecord:
    base = EventRecord(
        kind=kind,
        uid=uid,
        cot_type="a-u-G-E-V-C",
        class_name="car",
        confidence=0.875,
        index=index,
        captured_at=NOW - timedelta(seconds=2),
        stale_at=NOW + timedelta(seconds=58),
        latitude=47.12345678,
        longitude=-8.5,
        hae=400.125,
        ce90_m=12.5,
        le90_m=3.25,
        course=None,
        speed_mps=None,
        xml=f"<event uid='{uid}'/>",
    )
    return replace(base, **changes)


def frame(name: str, *events: EventRecord, camera: str = "c-1", unplaced=()) -> FrameRecord:
    return FrameRecord(
        key=FrameKey(camera_id=camera, frame_id=name),
        captured_at=NOW - timedelta(seconds=2),
        receipt=f'{{"receipt of":"{name}"}}'.encode(),
        events=events,
        unplaced=tuple(unplaced),
    )


def up_to(last: int) -> Delivery:
    return Delivery(first=1, last=last, sent_at=NOW, settled_at=NOW, acknowledged=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gateway.db"


@pytest.fixture
def outbox(path):
    opened = SqliteOutbox(path)
    yield opened
    opened.close()


def xmls(outbox: SqliteOutbox, after: int = 0) -> list[str]:
    return [each.xml for each in outbox.after(after, 1_000)]


def test_an_empty_outbox(outbox):
    assert outbox.head() == 0
    assert outbox.after(0, 10) == []
    assert outbox.events(Query()) == []
    assert outbox.receipts([FrameKey("c-1", "1")]) == {}


def test_events_come_out_in_the_order_in_which_they_went_in(outbox):
    assert outbox.commit([frame("1", event("a"), event("b"))], NOW) == 2
    assert outbox.commit([frame("2", event("c")), frame("3"), frame("4", event("d"))], NOW) == 4
    assert outbox.head() == 4
    got = outbox.after(0, 10)
    assert [each.sequence for each in got] == [1, 2, 3, 4]
    assert [each.xml for each in got] == [event(uid).xml for uid in "abcd"]
    assert {each.committed_at for each in got} == {NOW}
    assert [each.sequence for each in outbox.after(1, 2)] == [2, 3]


def test_a_commit_is_all_or_nothing(outbox):
    outbox.commit([frame("1", event("a"))], NOW)
    again = frame("1", event("z"))
    with pytest.raises(StoreFailedError, match="could not commit"):
        outbox.commit([frame("2", event("b")), again, frame("3", event("c"))], NOW)
    assert outbox.head() == 1
    assert xmls(outbox) == [event("a").xml]
    assert set(outbox.receipts([FrameKey("c-1", n) for n in "123"])) == {FrameKey("c-1", "1")}
    # And goes on as if it had not been tried.
    outbox.commit([frame("2", event("b"))], NOW)
    assert xmls(outbox) == [event("a").xml, event("b").xml]


@pytest.mark.parametrize("broken", ["event", "unplaced"])
def test_a_commit_that_fails_at_its_last_row_leaves_nothing(outbox, path, broken):
    bad = event("b", latitude=None) if broken == "event" else event("b")
    twice = [_unplaced(0), _unplaced(0)] if broken == "unplaced" else ()
    with pytest.raises(StoreFailedError):
        outbox.commit([frame("1", event("a"), bad, unplaced=twice)], NOW)
    for table in ("frames", "events", "unplaced"):
        assert _rows(path, f"SELECT * FROM {table}") == []


def _unplaced(index: int) -> UnplacedRecord:
    detection = Detection(class_name="car", confidence=0.5, pixel=Pixel(1.0, 2.0))
    return UnplacedRecord(index=index, reason="above_horizon", detection=detection)


def _rows(path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as other:
        return other.execute(query).fetchall()


def test_a_frame_is_known_by_its_camera_and_its_name(outbox):
    outbox.commit([frame("1"), frame("1", camera="c-2")], NOW)
    asked = [FrameKey("c-1", "1"), FrameKey("c-2", "1"), FrameKey("c-2", "2")]
    assert outbox.receipts(asked) == {
        FrameKey("c-1", "1"): b'{"receipt of":"1"}',
        FrameKey("c-2", "1"): b'{"receipt of":"1"}',
    }


def test_what_could_not_be_placed_is_kept_with_its_reason(outbox, path):
    outbox.commit([frame("1", event("a"), unplaced=[_unplaced(1), _unplaced(2)])], NOW)
    rows = _rows(path, "SELECT camera_id, frame_id, position, reason, detection FROM unplaced")
    assert [row[:4] for row in rows] == [
        ("c-1", "1", 1, "above_horizon"),
        ("c-1", "1", 2, "above_horizon"),
    ]
    assert decode(rows[0][4], Detection) == _unplaced(1).detection


def test_a_commit_is_on_the_disk_when_it_returns(outbox):
    """WAL with synchronous FULL: SQLite then syncs the log at every commit."""
    writer = outbox._file._writer
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)


def test_another_reader_of_the_file_sees_what_was_committed_at_once(outbox, path):
    outbox.commit([frame("1", event("a"))], NOW)
    assert _rows(path, "SELECT xml FROM events") == [(event("a").xml,)]


# Cursors.


def test_a_new_sink_begins_at_the_head_and_stays_there(outbox):
    outbox.commit([frame("1", event("a"), event("b"))], NOW)
    assert outbox.account("tak").cursor == 2
    outbox.commit([frame("2", event("c"))], NOW)
    assert outbox.account("tak").cursor == 2
    assert outbox.account("later").cursor == 3


def test_a_cursor_moves_forward_only_and_only_its_own(outbox):
    outbox.commit([frame("1", *(event(uid) for uid in "abcde"))], NOW)
    outbox.commit([frame("2", *(event(uid) for uid in "fghij"))], NOW)
    for sink in ("tak", "other"):
        outbox.account(sink)
    outbox.commit([frame("3", *(event(uid) for uid in "klmno"))], NOW)
    outbox.settle("tak", [up_to(14)])
    outbox.settle("tak", [up_to(12)])
    assert outbox.account("tak").cursor == 14
    assert outbox.account("other").cursor == 10
    outbox.settle("tak", [up_to(15)])
    assert outbox.account("tak").cursor == 15


# History.


def test_the_history_is_newest_first_and_holds_sightings_alone(outbox):
    outbox.commit(
        [frame("1", event("a"), event("cam", kind="platform"), event("spi", kind="interest"))], NOW
    )
    outbox.commit([frame("2", event("b"))], NOW)
    assert [each.uid for each in outbox.events(Query())] == ["b", "a"]
    # To the sinks, everything goes.
    assert len(outbox.after(0, 10)) == 4


def test_an_event_of_the_history_is_what_was_committed(outbox):
    east = timezone(timedelta(hours=5, minutes=45))
    made = event(
        "a", index=3, course=271.5, speed_mps=12.25, captured_at=NOW.astimezone(east), ce90_m=45.0
    )
    outbox.commit([frame("1", made)], NOW)
    (got,) = outbox.events(Query())
    for name in ("uid", "cot_type", "class_name", "confidence", "index", "captured_at", "stale_at",
                 "ce90_m", "le90_m", "course", "speed_mps"):  # fmt: skip
        assert getattr(got, name) == getattr(made, name), name
    place = got.position
    assert (place.latitude, place.longitude, place.hae) == (47.12345678, -8.5, 400.125)
    assert (got.camera_id, got.frame_id, got.committed_at) == ("c-1", "1", NOW)
    assert got.captured_at.utcoffset() == timedelta(0)
    # 30 to 100 m is yellow; category IV of JP 3-09.3 is 31 to 91 m.
    assert (got.flag, got.tle_category) == ("YELLOW", 4)


def test_pages_filters_and_limits(outbox):
    for n in range(6):
        outbox.commit([frame(str(n), event("even" if n % 2 == 0 else "odd"))], NOW)
    assert [each.sequence for each in outbox.events(Query(limit=2))] == [6, 5]
    assert [each.sequence for each in outbox.events(Query(before=5, limit=2))] == [4, 3]
    assert [each.sequence for each in outbox.events(Query(since=3))] == [4, 5, 6]
    assert [each.sequence for each in outbox.events(Query(since=3, limit=2))] == [4, 5]
    assert [each.frame_id for each in outbox.events(Query(uid="odd"))] == ["5", "3", "1"]
    assert outbox.events(Query(uid="' OR 1=1 --")) == []


def test_a_frames_cot_is_that_of_its_detections_in_their_order(outbox):
    outbox.commit([frame("1", event("a"), event("b"), event("cam", kind="platform"))], NOW)
    outbox.commit([frame("2", event("c"))], NOW)
    assert outbox.frame_xml(FrameKey("c-1", "1")) == [event("a").xml, event("b").xml]
    assert outbox.frame_xml(FrameKey("c-1", "9")) == []


@pytest.mark.parametrize("text", ["", "\0", "ünï 🚁", "'; DROP TABLE events; --", "a" * 100_000])
def test_any_text_comes_back_as_it_was(outbox, text):
    outbox.commit([frame("1", event("a", class_name=text, xml=text))], NOW)
    assert outbox.after(0, 1)[0].xml == text
    assert outbox.events(Query())[0].class_name == text


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
def test_times_are_exact_to_the_microsecond(outbox, moment):
    outbox.commit([frame("1", event("a", captured_at=moment))], moment)
    (got,) = outbox.events(Query())
    assert got.captured_at == got.committed_at == moment


# Opening.


def test_opened_again_everything_is_still_there(path):
    first = SqliteOutbox(path)
    first.account("tak")
    first.commit([frame("1", event("a"), event("b"), unplaced=[_unplaced(2)])], NOW)
    first.settle("tak", [up_to(1)])
    history, going_out = first.events(Query()), first.after(0, 10)
    first.close()
    second = SqliteOutbox(path)
    assert second.events(Query()) == history
    assert second.after(0, 10) == going_out
    assert second.head() == 2
    assert second.account("tak").cursor == 1
    assert FrameKey("c-1", "1") in second.receipts([FrameKey("c-1", "1")])
    assert second.commit([frame("2", event("c"))], NOW) == 3
    second.close()


def test_a_log_that_was_not_folded_in_is_read_all_the_same(path, tmp_path):
    """As after kill -9: the file and its write-ahead log, copied while it is open."""
    copy = tmp_path / "copy.db"
    with_log = SqliteOutbox(path)
    with_log.commit([frame("1", event("a"))], NOW)
    for suffix in ("", "-wal"):
        copy.with_name(copy.name + suffix).write_bytes(
            path.with_name(path.name + suffix).read_bytes()
        )
    with_log.close()
    after = SqliteOutbox(copy)
    assert xmls(after) == [event("a").xml]
    after.close()


def test_a_second_owner_is_refused_until_the_first_lets_go(path):
    first = SqliteOutbox(path)
    with pytest.raises(StoreUnusableError, match=f"{path} is in use by another gateway"):
        SqliteOutbox(path)
    first.commit([frame("1", event("a"))], NOW)
    first.close()
    second = SqliteOutbox(path)
    assert second.head() == 1
    second.close()


def unusable(path) -> str:
    with pytest.raises(OutboxError) as caught:
        SqliteOutbox(path)
    assert isinstance(caught.value, StoreUnusableError)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    return sentence


def test_a_newer_schema_is_refused_in_one_sentence_and_left_as_it_is(path):
    SqliteOutbox(path).close()
    newer = len(SQLITE_STEPS) + 1
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {newer}")
    sentence = unusable(path)
    assert f"schema {newer}" in sentence
    assert "run a newer gateway" in sentence
    assert _rows(path, "PRAGMA user_version") == [(newer,)]


def test_a_refusal_does_not_keep_the_file(path):
    SqliteOutbox(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    # The error is still held, and with it whatever the refused store had opened.
    with pytest.raises(StoreUnusableError, match="schema 99") as refusal:
        SqliteOutbox(path)
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {len(SQLITE_STEPS)}")
    SqliteOutbox(path).close()
    assert refusal.value


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path):
    content = json.dumps({"this is": "no database"}).encode() * 100
    path.write_bytes(content)
    assert "cannot be used as a database" in unusable(path)
    assert path.read_bytes() == content


def test_a_database_that_is_cut_short_is_refused(path):
    opened = SqliteOutbox(path)
    opened.commit([frame(str(n), event("a" * 2_000)) for n in range(20)], NOW)
    opened.close()
    path.write_bytes(path.read_bytes()[:3_000])
    unusable(path)


def test_somebody_elses_database_is_refused_and_left_as_it_is(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE frames (whose TEXT)")
    other.close()
    unusable(path)
    assert _rows(path, "SELECT name FROM sqlite_schema") == [("frames",)]


def test_a_folder_in_the_way_or_missing_is_named(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    unusable(folder)
    with pytest.raises(StoreUnusableError, match=f"{tmp_path / 'missing'} does not exist"):
        SqliteOutbox(tmp_path / "missing" / "gateway.db")


def test_a_closed_store_says_that_it_failed(path):
    closed = SqliteOutbox(path)
    closed.close()
    for call in (
        closed.head,
        lambda: closed.events(Query()),
        lambda: closed.commit([frame("1")], NOW),
    ):
        with pytest.raises(StoreFailedError):
            call()
