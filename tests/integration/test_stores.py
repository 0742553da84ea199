"""What the gateway relies on in its store, asked of SQLite and every PostgreSQL that it supports.

A major version that this machine lacks is skipped (`make postgres` brings it).
"""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from msgspec.structs import replace

from cop_gateway.outbox.errors import HoldLostError, StoreFailedError, StoreUnusableError
from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.postgres import PostgresOutbox
from cop_gateway.outbox.record import Delivery, FrameKey, Traced
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.outbox.store import Outbox
from postgres_server import MAJORS, Servers
from sightline.messages import (
    Placement,
    Unplaced,
)
from stores import NOW, Open, commit, event, frame

_numbers = itertools.count(1_000)


def delivered(first: int, last: int, **skipped: tuple[int, ...]) -> Delivery:
    return Delivery(
        first=first,
        last=last,
        sent_at=NOW,
        settled_at=NOW + timedelta(milliseconds=20),
        acknowledged=True,
        skipped=skipped,
    )


class TestIntake:
    def test_what_was_committed_is_there_again_after_opening_anew(self, open_store: Open) -> None:
        store = open_store()
        wanted = frame("f-1", event(0), event(1, uid="track-2"), unplaced=1)
        assert commit(store, wanted) == 2
        if isinstance(store, SqliteOutbox):
            store.close()
        again = open_store()
        assert again.head() == 2
        assert again.receipts([wanted.key]) == {wanted.key: wanted.receipt}
        first, second = again.events(Query(since=0))
        assert (first.uid, second.uid) == ("track-1", "track-2")
        assert (first.captured_at, first.committed_at) == (NOW, NOW)
        assert (first.course, first.speed_mps, second.course) == (271.5, 12.25, None)
        assert (first.position.hae, first.ce90_m, first.confidence) == (455.5, 6.25, 0.875)

    def test_receipts_of_many_frames_at_once(self, store: Outbox) -> None:
        frames = [frame(f"f-{i}", event(0)) for i in range(450)]
        commit(store, *frames)
        asked = [each.key for each in frames] + [FrameKey("drone-1", "nothing")]
        assert store.receipts(asked) == {each.key: each.receipt for each in frames}

    def test_a_commit_that_fails_leaves_nothing(self, store: Outbox) -> None:
        commit(store, frame("f-1", event(0)))
        with pytest.raises(StoreFailedError):
            commit(store, frame("f-2", event(0)), frame("f-1", event(0)))
        assert store.head() == 1
        assert store.receipts([FrameKey("drone-1", "f-2")]) == {}
        assert commit(store, frame("f-2", event(0))) == 2

    def test_sequences_are_in_the_order_of_commits(self, store: Outbox) -> None:
        def work(camera: str) -> None:
            for number in range(30):
                commit(store, frame(f"{number}", event(0), event(1), camera=camera))

        if isinstance(store, SqliteOutbox):
            work("a")
        else:
            # Each as a gateway of its own.
            stores = [PostgresOutbox(store._postgres.url) for _ in range(3)]
            threads = [
                threading.Thread(
                    target=lambda s=each, c=f"camera-{i}": [
                        commit(s, frame(f"{n}", event(0), event(1), camera=c)) for n in range(30)
                    ]
                )
                for i, each in enumerate(stores)
            ]
            seen: list[int] = []
            for thread in threads:
                thread.start()
            # A reader that goes on from its cursor while they commit misses nothing.
            while any(thread.is_alive() for thread in threads) or len(seen) < 180:
                seen += [each.sequence for each in store.after(seen[-1] if seen else 0, 7)]
            for thread, each in zip(threads, stores, strict=True):
                thread.join()
                each.close()
            assert seen == list(range(1, 181))


class TestDelivery:
    def test_a_new_sink_begins_at_the_newest_event(self, store: Outbox) -> None:
        commit(store, frame("f-1", event(0), event(1)))
        assert store.account("tak").cursor == 2
        commit(store, frame("f-2", event(0)))
        assert store.account("tak").cursor == 2
        assert [each.sequence for each in store.after(2, 10)] == [3]

    def test_events_are_dispatched_with_what_filters_ask(self, store: Outbox) -> None:
        commit(store, frame("f-1", event(0, where=(47.5, 8.5)), event(1, kind="platform")))
        first, second = store.after(0, 10)
        assert (first.kind, second.kind) == ("detection", "platform")
        assert (first.latitude, first.longitude, first.ce90_m) == (47.5, 8.5, 6.25)
        assert (first.uid, first.class_name, first.cot_type) == ("track-1", "car", "a-u-G-E-V-C")
        assert (first.committed_at, first.stale_at) == (NOW, NOW + timedelta(seconds=60))
        assert first.xml == "<event uid='track-1' n='0'/>"
        assert [each.sequence for each in store.these([2, 1, 99])] == [1, 2]
        assert store.after(0, 1) == [first]

    def test_frames_are_traced_where_somebody_keeps_their_traces(self, store: Outbox) -> None:
        kept = frame("f-1", event(0), event(1), event(2, kind="platform"))
        commit(
            store,
            dataclasses.replace(
                kept, trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331"
            ),
            dataclasses.replace(frame("f-2", event(0)), trace_id="1" * 32),
            frame("f-3", event(0)),
        )
        (first,) = store.traced([1, 3, 4, 5, 99])
        assert first == Traced(
            FrameKey("drone-1", "f-1"), "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331",
            2, NOW,
        )  # fmt: skip
        assert store.traced([4, 5]) == store.traced([]) == []
        assert store.traced(range(1, 2_000))[0].events == 3

    def test_the_newest_of_each_object(self, store: Outbox) -> None:
        commit(store, frame("f-1", event(0), event(1, uid="track-2"), event(2)))
        assert store.newest(["track-1", "track-2", "nobody"]) == {"track-1": 3, "track-2": 2}

    def test_a_cursor_moves_forward_only_and_pongs_are_remembered(self, open_store: Open) -> None:
        store = open_store()
        store.account("tak")
        hold = store.hold("tak")
        assert hold is not None
        commit(store, frame("f-1", *(event(i) for i in range(6))))
        store.settle("tak", [delivered(1, 2), delivered(3, 5)])
        store.settle("tak", [delivered(1, 4)])
        assert store.account("tak").cursor == 5
        assert store.account("tak").ponged
        assert not store.account("other").ponged
        hold.release()

    def test_pausing_is_remembered(self, store: Outbox) -> None:
        store.account("tak")
        store.pause("tak", paused=True)
        assert store.account("tak").paused
        store.pause("tak", paused=False)
        assert not store.account("tak").paused

    def test_dead_letters(self, store: Outbox) -> None:
        commit(store, frame("f-1", event(0), event(1, uid="track-2")))
        store.bury("tak", 2, "too large")
        store.bury("tak", 1, "poison")
        store.bury("other", 1, "poison")
        letters = store.dead_letters("tak")
        assert [(each.sequence, each.uid, each.reason) for each in letters] == [
            (1, "track-1", "poison"), (2, "track-2", "too large"),
        ]  # fmt: skip
        assert store.dead_letters("tak", after=1, limit=1) == letters[1:]
        assert store.count_dead_letters() == {"tak": 2, "other": 1}
        assert store.recalled("tak", 10) == []
        assert store.retry("tak", [2, 77]) == 1
        assert store.recalled("tak", 10) == [2]
        store.bury("tak", 2, "still too large")  # and so it is no longer tried
        assert store.recalled("tak", 10) == []
        assert store.retry("tak") == 2
        store.revive("tak", [1, 2])
        assert store.count_dead_letters() == {"other": 1}


class TestHistory:
    def test_queries(self, store: Outbox) -> None:
        hours = [NOW + timedelta(hours=i) for i in range(4)]
        commit(store, frame("f-1", event(0, at=hours[0]), event(1, at=hours[1], uid="track-2")))
        commit(
            store,
            frame("f-2", event(0, at=hours[2], class_name="boat", where=(-10.0, 179.5))),
            frame("f-3", event(0, at=hours[3], where=(-10.0, -179.5)), camera="mast"),
        )
        commit(store, frame("f-4", event(0, kind="platform")))

        def found(**query: object) -> list[int]:
            return [each.sequence for each in store.events(Query(**query))]  # type: ignore[arg-type]

        assert found() == [4, 3, 2, 1]
        assert found(limit=2) == [4, 3]
        assert found(limit=2, before=3) == [2, 1]
        assert found(since=1, limit=2) == [2, 3]
        assert found(uid="track-2") == [2]
        assert found(camera_id="mast") == [4]
        assert found(class_name="boat") == [3]
        assert found(captured_from=hours[1], captured_to=hours[3]) == [3, 2]
        assert found(box=(46.0, 7.0, 48.0, 9.0)) == [2, 1]
        assert found(box=(-20.0, 179.0, 0.0, -179.0)) == [4, 3]
        assert found(box=(-20.0, -179.9, 0.0, 179.9)) == [4, 3]
        assert [seq for seq, _ in store.xml_of(Query(class_name="boat"))] == [3]

    def test_the_cot_of_one_frame(self, store: Outbox) -> None:
        commit(store, frame("f-1", event(0)), frame("f-2", event(0, uid="a"), event(1, uid="b")))
        commit(store, frame("f-3", event(0, kind="platform")))
        assert store.frame_xml(FrameKey("drone-1", "f-2")) == [
            "<event uid='a' n='0'/>", "<event uid='b' n='1'/>",
        ]  # fmt: skip
        assert store.frame_xml(FrameKey("drone-1", "f-3")) == []
        assert store.frame_xml(FrameKey("drone-1", "f-9")) == []

    def test_the_audit_trail_tells_of_every_sink(self, store: Outbox) -> None:
        for sink in ("far", "mesh", "strict", "tak"):
            store.account(sink)
            assert store.hold(sink) is not None
        commit(store, frame("f-1", event(0), event(1, uid="track-2"), unplaced=1))
        store.settle("tak", [delivered(1, 2)])
        store.settle("mesh", [delivered(1, 2, filtered=(2,))])
        store.settle("strict", [delivered(1, 2, dead=(1,))])
        store.bury("strict", 1, "poison")
        entries = store.audit(FrameKey("drone-1", "f-1"))
        assert entries is not None
        first, second, lost = entries
        assert (first.received_at, first.committed_at) == (NOW - timedelta(milliseconds=3), NOW)
        assert first.trace_id == "0af7651916cd43dd8448eb211c80319c"
        assert isinstance(first.result, Placement)
        assert (first.result.uid, first.sequence) == ("track-1", 1)
        assert {each.sink: each.outcome for each in first.sinks} == {
            "far": "waiting", "mesh": "acknowledged", "strict": "dead", "tak": "acknowledged",
        }  # fmt: skip
        assert {each.sink: (each.outcome, each.reason) for each in second.sinks} == {
            "far": ("waiting", None), "mesh": ("skipped", "filtered"),
            "strict": ("acknowledged", None), "tak": ("acknowledged", None),
        }  # fmt: skip
        assert next(each for each in first.sinks if each.sink == "strict").reason == "poison"
        assert isinstance(lost.result, Unplaced)
        assert (lost.sequence, lost.sinks) == (None, ())
        assert store.audit(FrameKey("drone-1", "f-2")) is None


class TestUpkeep:
    def test_what_is_old_and_delivered_goes_oldest_first(self, store: Outbox) -> None:
        for sink in ("tak", "slow"):
            store.account(sink)
            assert store.hold(sink) is not None
        for hour in range(6):
            commit(store, frame(f"f-{hour}", event(0), unplaced=1), at=NOW + timedelta(hours=hour))
        store.settle("tak", [delivered(1, 6)])
        store.settle("slow", [delivered(1, 4)])
        later = NOW + timedelta(hours=5)
        sinks = ["tak", "slow"]
        assert store.forget(later, sinks=sinks, portion=3) == 3
        assert [each.sequence for each in store.after(0, 10)] == [4, 5, 6]
        # The fifth is old enough, too, but one sink has not settled it yet.
        assert store.forget(later, sinks=sinks, portion=3) == 1
        assert store.forget(later, sinks=sinks, portion=3) == 0
        assert [each.sequence for each in store.after(0, 10)] == [5, 6]
        assert store.receipts([FrameKey("drone-1", "f-3")]) == {}
        assert len(store.receipts([FrameKey("drone-1", "f-4")])) == 1
        assert store.audit(FrameKey("drone-1", "f-4")) is not None
        # A sink that is configured no more holds nothing up.
        assert store.forget(later, sinks=["tak"], portion=3) == 1

    def test_sequences_go_on_when_everything_is_forgotten(self, open_store: Open) -> None:
        store = open_store()
        commit(store, frame("f-1", event(0), event(1)))
        assert store.forget(None, sinks=[], portion=100) == 2
        assert store.after(0, 10) == []
        if isinstance(store, SqliteOutbox):
            store.close()
        again = open_store()
        assert again.head() == 2
        assert again.account("new").cursor == 2
        assert commit(again, frame("f-2", event(0))) == 3

    def test_dead_letters_go_with_their_time(self, store: Outbox) -> None:
        commit(store, frame("f-1", event(0)))
        store.bury("tak", 1, "poison")
        store.forget(NOW - timedelta(days=1), sinks=[], portion=10)
        assert store.count_dead_letters() == {"tak": 1}
        store.forget(datetime.now(UTC) + timedelta(seconds=1), sinks=[], portion=10)
        assert store.count_dead_letters() == {}

    def test_its_space_is_measured_and_shrinks(self, store: Outbox) -> None:
        before = store.space()
        assert before.used > 0
        big = replace(event(0), xml="x" * 2_000_000)
        commit(store, frame("f-1", big))
        assert store.space().used > before.used
        if isinstance(store, SqliteOutbox):
            assert before.free is not None
            grown = store.space().used
            store.forget(None, sinks=[], portion=10)
            assert store.space().used < grown - 1_000_000


class TestPostgres:
    @pytest.fixture(params=MAJORS)
    def url(self, request: pytest.FixtureRequest, postgres: Servers) -> str:
        return postgres[request.param].create(f"test{next(_numbers)}")

    @pytest.fixture
    def two(self, url: str) -> Iterator[tuple[PostgresOutbox, PostgresOutbox]]:
        stores = PostgresOutbox(url), PostgresOutbox(url)
        yield stores
        for store in stores:
            store.close()

    def test_each_learns_what_the_other_committed(
        self, two: tuple[PostgresOutbox, PostgresOutbox]
    ) -> None:
        one, other = two
        commit(one, frame("f-1", event(0), event(1, uid="track-2")))
        with other.turn() as news:
            assert [each.uid for each in news] == ["track-2", "track-1"]
            other.commit([frame("f-2", event(0, uid="track-3"))], NOW)
        with one.turn() as news:
            assert [each.uid for each in news] == ["track-3"]
        with one.turn() as news:
            assert list(news) == []
        assert one.head() == other.head() == 3

    def test_one_at_a_time_holds_a_sink_and_the_next_takes_over(
        self, two: tuple[PostgresOutbox, PostgresOutbox]
    ) -> None:
        one, other = two
        one.account("tak")
        first = one.hold("tak")
        assert first is not None
        assert first.alive()
        assert other.hold("tak") is None
        other.account("mesh")
        assert other.hold("mesh") is not None
        first.release()
        assert not first.alive()
        assert other.hold("tak") is not None

    def test_whoever_lost_a_sink_cannot_move_its_cursor(
        self, two: tuple[PostgresOutbox, PostgresOutbox]
    ) -> None:
        one, other = two
        one.account("tak")
        commit(one, frame("f-1", event(0), event(1)))
        lost = one.hold("tak")
        assert lost is not None
        one.settle("tak", [delivered(1, 1)])
        lost.release()  # as when the network is cut: the holder does not know
        assert other.hold("tak") is not None
        with pytest.raises(HoldLostError):
            one.settle("tak", [delivered(2, 2)])
        assert other.account("tak").cursor == 1

    def test_a_schema_that_is_too_new_is_refused_and_a_compatible_one_is_not(
        self, url: str
    ) -> None:
        PostgresOutbox(url).close()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE schema_version SET version = 99")
            PostgresOutbox(url).close()
            connection.execute("UPDATE schema_version SET oldest_code = 98")
        with pytest.raises(StoreUnusableError, match=r"schema 99 is newer .* run a newer gateway"):
            PostgresOutbox(url)

    def test_two_that_start_at_once_migrate_once(self, url: str) -> None:
        failures: list[Exception] = []

        def start() -> None:
            try:
                PostgresOutbox(url).close()
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    def test_a_server_that_is_not_there_is_one_sentence_without_the_password(self) -> None:
        with pytest.raises(StoreUnusableError) as refused:
            PostgresOutbox("postgresql://me:hunter2@127.0.0.1:1/x")
        assert "127.0.0.1:1/x" in str(refused.value)
        assert "hunter2" not in str(refused.value)
