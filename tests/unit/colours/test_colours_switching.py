"""Switching and going back, on a cluster that compares and swaps as the API server does."""

from __future__ import annotations

import threading

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.colours import Died, FakeCluster, Time
from sightline.colours import record
from sightline.colours.colour import COLOURS, COMPONENTS, other
from sightline.colours.errors import ColoursError, ConflictError, RefusedError
from sightline.colours.receipt import Receipt
from unit.colours.conftest import Desk


def consistent(cluster: FakeCluster, colour: str) -> None:
    """Users are led to one colour, which is not drained; the other is; nothing is left over."""
    assert {cluster.active(each) for each in COMPONENTS} == {colour}
    assert {cluster.leads[f"{each}-preview"][0] for each in COMPONENTS} == {other(colour)}
    assert cluster.draining(colour) == {False}
    assert cluster.draining(other(colour)) == {True}
    assert set(cluster.minimum.values()) == {cluster.configured}
    assert cluster.record.intent is None
    assert cluster.unready_moves == []


def test_a_switch_leads_users_to_the_idle_colour_and_drains_the_other(cluster, desk):
    receipt = desk.switch()
    consistent(cluster, "green")
    assert (receipt.outcome, receipt.from_, receipt.to) == ("done", "blue", "green")
    assert [each.service for each in receipt.moves] == [
        "cop-gateway-active", "detection-active", "cop-gateway-preview", "detection-preview",
    ]  # fmt: skip
    assert all(
        int(each.resource_version_after) > int(each.resource_version_before)
        for each in receipt.moves
    )
    assert (cluster.record.active, cluster.record.previous) == ("green", "blue")
    assert cluster.record.receipts == (receipt,)


def test_the_old_colour_is_drained_a_second_after_traffic_moved_and_no_earlier(cluster, desk):
    receipt = desk.switch()
    drained = next(each for each in receipt.steps if each.step == "drain")
    assert drained.at - receipt.moved_after >= 1.0
    acts = [each.split()[0] for each in cluster.acts]
    assert acts.index("undrain") < acts.index("point") < acts.index("drain")


def test_back_and_forth_ends_where_it_began(cluster, desk):
    desk.switch()
    back = desk.rollback()
    consistent(cluster, "blue")
    assert (back.kind, back.from_, back.to) == ("rollback", "green", "blue")
    assert back.seconds <= 3.0
    assert (cluster.record.active, cluster.record.previous) == ("blue", "green")


def test_a_switch_to_where_users_are_changes_nothing(cluster, desk):
    desk.switch()
    acts = list(cluster.acts)
    assert desk.switch("green") is None
    assert cluster.acts == acts


def test_a_switch_to_where_users_are_mends_what_is_drained_and_should_not_be(cluster, desk):
    desk.switch()
    cluster.drained = {"detection-green-1"}
    assert desk.switch("green").moves == ()
    consistent(cluster, "green")


def test_a_switch_waits_for_as_many_pods_as_serve_now(desk, cluster):
    cluster.ready = {(c, col): 6 if col == "blue" else 3 for c, col in cluster.ready}
    cluster.wanted = dict(cluster.ready)
    cluster.drained = {n for c in COMPONENTS for n in cluster._names(c, "green")}
    receipt = desk.switch()
    assert receipt.outcome == "done"
    assert {cluster.ready[each, "green"] for each in COMPONENTS} == {6}
    assert receipt.moved_after >= cluster.start_seconds
    consistent(cluster, "green")


def test_pods_that_are_enough_now_are_held_until_traffic_has_moved():
    """The idle colour has no load: its autoscaler would take them away meanwhile."""
    cluster = FakeCluster(Time(), ready={"blue": 5, "green": 5}, minimum=3)
    receipt = Desk(cluster).switch("green")
    assert receipt.outcome == "done"
    steps = [each.step for each in receipt.steps]
    assert steps.index("raise") < steps.index("point") < steps.index("lower")
    assert cluster.minimum == dict.fromkeys(cluster.minimum, 3)


def test_a_rollback_does_not_wait_for_them_and_brings_them_after_traffic_moved():
    cluster = FakeCluster(Time(), active="green", ready={"blue": 3, "green": 8})
    receipt = Desk(cluster).rollback()
    assert receipt.outcome == "done"
    assert receipt.moved_after <= 1.0
    assert {cluster.ready[each, "blue"] for each in COMPONENTS} == {8}
    consistent(cluster, "blue")


def test_a_rollback_to_a_cold_colour_brings_it_up_first_and_says_so():
    cluster = FakeCluster(Time(), active="green", ready={"blue": 0, "green": 3})
    desk = Desk(cluster)
    with pytest.raises(RefusedError, match="no switch is on record"):
        desk.rollback()
    plan = desk.namespace.prepared("blue", (), haste="rollback").plan
    assert plan.cold == ("cop-gateway-blue", "detection-blue")
    receipt = desk.rollback("blue")
    assert receipt.moved_after >= cluster.start_seconds
    assert "scale detection-blue from 0 to 3 pods" in desk.told
    consistent(cluster, "blue")


def test_pods_that_do_not_come_leave_everything_as_it_was(desk, cluster):
    cluster.ready = {(c, col): 6 if col == "blue" else 3 for c, col in cluster.ready}
    cluster.wanted = dict(cluster.ready)
    cluster.start_seconds = 1e9
    receipt = desk.switch()
    assert receipt.outcome == "failed"
    assert "3 ready pods of 6" in receipt.problems[0]
    assert receipt.moved_after is None
    consistent(cluster, "blue")
    assert cluster.record.receipts == (receipt,)


def test_a_conflict_at_the_second_service_takes_the_first_back(cluster, desk):
    cluster.conflicts.add("detection-active")
    receipt = desk.switch()
    assert receipt.outcome == "conflict"
    consistent(cluster, "blue")
    assert [each for each in cluster.acts if each.startswith("point")] == [
        "point cop-gateway-active green", "point cop-gateway-active blue",
    ]  # fmt: skip


def test_one_component_alone_can_be_switched(cluster, desk):
    receipt = desk.switch(components=["detection"])
    assert receipt.components == ("detection",)
    assert cluster.active("detection") == "green"
    assert cluster.active("cop-gateway") == "blue"
    with pytest.raises(RefusedError, match="say where to"):
        desk.switch()


def test_a_pod_that_is_not_drained_leaves_the_switch_unfinished_and_made(cluster, desk):
    cluster.silent.add("cop-gateway-blue-1")
    with_it = desk.switch()
    assert with_it.outcome == "unfinished"
    assert any("cop-gateway-blue-1" in each for each in with_it.problems)
    assert cluster.active("detection") == "green"
    assert cluster.record.active == "green"


def test_sinks_that_are_not_handed_over_are_told_with_the_limit(cluster, desk):
    cluster.keeps_sinks = True
    receipt = desk.switch()
    assert receipt.outcome == "unfinished"
    assert receipt.sinks.seconds is None
    assert "not held by green after 5 s: tak" in receipt.problems[0]


def test_a_sink_that_an_operator_has_paused_is_waited_for_by_nobody(cluster, desk):
    cluster.paused = True
    assert desk.switch().outcome == "done"
    assert not any(each.check == "sinks" for each in desk.namespace.status().findings)


def test_with_a_database_each_the_receipt_says_what_the_old_colour_has_yet_to_deliver():
    cluster = FakeCluster(Time(), shared=False, minimum=1, undelivered={"blue": 41})
    desk = Desk(cluster)
    receipt = desk.switch()
    assert (receipt.outcome, receipt.undelivered, receipt.sinks) == ("done", 41, None)
    assert any("41 undelivered events" in each and "scaled down" in each for each in desk.told)
    # Users may be led back to it at any time.
    assert desk.rollback().outcome == "done"
    consistent(cluster, "blue")


def test_a_switch_that_somebody_takes_over_drains_nothing(cluster, desk):
    sleep = cluster.time.sleep

    def meanwhile(seconds):
        cluster.time.sleep = sleep
        sleep(seconds)
        assert Desk(cluster, "max@desk").rollback("blue").outcome == "done"

    cluster.time.sleep = meanwhile
    receipt = desk.switch()
    assert receipt.outcome == "overtaken"
    assert "max@desk" in receipt.problems[0]
    consistent(cluster, "blue")


@pytest.mark.parametrize("haste", ["orderly", "rollback"])
@pytest.mark.parametrize("recovery", ["switch", "rollback", "switch back"])
@pytest.mark.parametrize("moment", range(24))
def test_whenever_a_switch_is_killed_the_next_command_sets_all_right(moment, recovery, haste):
    cluster = FakeCluster(Time(), ready={"blue": 5, "green": 3}, start_seconds=5.0)
    desk = Desk(cluster)
    cluster.dies_after = moment
    try:
        desk.switch("green", haste=haste)
    except Died:
        pass
    else:
        consistent(cluster, "green")  # it was over before
        return
    # Whatever happened: each Service leads to one colour, and there are pods behind it.
    assert {cluster.active(each) for each in COMPONENTS} <= set(COLOURS)
    assert cluster.unready_moves == []
    cluster.dies_after = None
    later = Desk(cluster, "max@desk")
    if cluster.record.intent is not None:
        with pytest.raises(RefusedError, match="findings against"):
            later.switch("green")  # it may be under way still
        assert any("under way" in each.sentence for each in later.namespace.status().findings)
    cluster.time.sleep(600.0)
    if recovery == "rollback":
        later.rollback("blue" if cluster.record.intent is None else None)
    else:
        later.switch("blue" if recovery == "switch back" else "green")
    expected = "green" if recovery == "switch" else "blue"
    if recovery == "rollback" and cluster.record.receipts[-1].to == "green":
        expected = "green"
    assert {cluster.active(each) for each in COMPONENTS} == {expected}
    assert cluster.record.intent is None
    assert set(cluster.minimum.values()) == {cluster.configured}
    assert cluster.draining(expected) == {False}


@pytest.mark.parametrize("contenders", [2, 8])
def test_of_switches_at_the_same_moment_exactly_one_is_made(contenders):
    cluster = FakeCluster(Time())
    gate = threading.Barrier(contenders)
    outcomes: list[str] = []
    observe = cluster.observe

    def together():
        seen = observe()
        if threading.current_thread() in waiting:
            waiting.discard(threading.current_thread())
            gate.wait(5)
        return seen

    def contend(name: str) -> None:
        try:
            receipt = Desk(cluster, name).switch("green")
            outcomes.append("nothing" if receipt is None else receipt.outcome)
        except RefusedError:
            outcomes.append("refused")

    cluster.observe = together
    threads = [
        threading.Thread(target=contend, args=(f"p{n}",), name=f"contender-{n}")
        for n in range(contenders)
    ]
    waiting = set(threads)
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert sorted(outcomes).count("done") == 1
    assert outcomes.count("conflict") == contenders - 1
    consistent(cluster, "green")


counts = st.integers(0, 12)


@settings(deadline=None, max_examples=150)
@given(
    active=st.sampled_from(COLOURS),
    blue=counts,
    green=counts,
    shared=st.booleans(),
    start=st.sampled_from([0.0, 5.0, 1e9]),
    moves=st.lists(st.sampled_from(["switch", "rollback", "blue", "green"]), max_size=4),
    conflicts=st.sets(st.sampled_from(["cop-gateway-active", "detection-active"])),
    silent=st.sets(st.sampled_from(["cop-gateway-blue-0", "detection-green-1"])),
)
def test_whatever_is_there_users_are_never_led_to_where_nothing_is_ready(
    active, blue, green, shared, start, moves, conflicts, silent
):
    cluster = FakeCluster(
        Time(), active=active, ready={"blue": blue, "green": green}, shared=shared,
        start_seconds=start,
    )  # fmt: skip
    # Where nothing serves, a change that is taken back leads to where nothing is ready.
    cluster.conflicts = set(conflicts) if blue and green else set()
    cluster.silent = set(silent)
    desk = Desk(cluster)
    for move in moves:
        before = {each: cluster.active(each) for each in COMPONENTS}
        try:
            if move == "rollback":
                receipt = desk.rollback()
            else:
                receipt = desk.switch(move if move in COLOURS else None)
        except ColoursError:
            receipt = None
        after = {each: cluster.active(each) for each in COMPONENTS}
        assert cluster.unready_moves == []
        assert len(set(after.values())) == 1
        if receipt is None or receipt.outcome in ("failed", "conflict"):
            assert after == before
        else:
            assert set(after.values()) == {receipt.to}
        assert cluster.record.intent is None
        assert set(cluster.minimum.values()) == {cluster.configured}


def test_the_record_comes_back_from_its_config_map_as_it_was(cluster, desk):
    desk.switch()
    desk.rollback()
    kept = cluster.record
    assert record.read(record.written(kept), kept.resource_version) == kept


def test_a_record_that_was_edited_by_hand_does_not_stop_a_rollback(cluster, desk):
    desk.switch()
    data = {**record.written(cluster.record), "receipts": "[{", "intent": "no", "previous": "red"}
    cluster.record = record.read(data, cluster.record.resource_version)
    said = [each.sentence for each in desk.namespace.status().findings if each.check == "record"]
    assert all(name in said[0] for name in ("receipts", "intent", "previous"))
    assert desk.rollback().outcome == "done"
    consistent(cluster, "blue")


def test_of_receipts_the_newest_twenty_are_kept(cluster, desk):
    made = [desk.switch() for _ in range(23)]
    assert cluster.record.receipts == tuple(made[-20:])


def test_a_receipt_is_json_that_reads_back(desk):
    receipt = desk.switch()
    text = msgspec.json.encode(receipt)
    assert msgspec.json.decode(text, type=Receipt) == receipt
    assert msgspec.json.decode(text)["from"] == "blue"


def test_an_unreachable_api_server_after_the_move_is_told_and_stays_on_record(cluster, desk):
    sleep = cluster.time.sleep

    def cut(seconds):
        sleep(seconds)
        cluster.gone = True

    cluster.time.sleep = cut
    receipt = desk.switch()
    assert receipt.outcome == "unfinished"
    assert any("does not answer" in each for each in receipt.problems)
    assert cluster.active("detection") == "green"


def test_a_conflict_is_an_error_of_its_own_kind():
    assert issubclass(ConflictError, ColoursError)
