"""What preflight says, and why: each finding names the object, the figure and the limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest

from fakes.colours import START, FakeCluster, Time
from sightline.colours.colour import COLOURS, COMPONENTS
from sightline.colours.finding import failures
from sightline.colours.observation import Observation
from sightline.colours.record import Intent
from sightline.colours.report import Served
from unit.colours.conftest import Desk


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something is wrong with green, and which words say so."""

    name: str
    spoil: Callable[[FakeCluster], None]
    check: str
    words: tuple[str, ...]


def seen_as(cluster: FakeCluster, change: Callable[[Observation], Observation]) -> None:
    observe = cluster.observe
    cluster.observe = lambda: change(observe())


def rollout(cluster: FakeCluster, **values: int) -> None:
    seen_as(cluster, lambda seen: msgspec.structs.replace(seen, rollouts=tuple(
        msgspec.structs.replace(each, **values)
        if (each.component, each.colour) == ("detection", "green") else each
        for each in seen.rollouts
    )))  # fmt: skip


def without_rollout(cluster: FakeCluster) -> None:
    seen_as(cluster, lambda seen: msgspec.structs.replace(
        seen, rollouts=tuple(each for each in seen.rollouts
                             if (each.component, each.colour) != ("detection", "green")),
        pods=tuple(each for each in seen.pods
                   if (each.component, each.colour) != ("detection", "green")),
    ))  # fmt: skip


def without_endpoint(cluster: FakeCluster, name: str) -> None:
    seen_as(cluster, lambda seen: msgspec.structs.replace(
        seen, endpoints={**seen.endpoints, name: seen.endpoints[name][1:]}
    ))  # fmt: skip


def other_image(cluster: FakeCluster) -> None:
    seen_as(cluster, lambda seen: msgspec.structs.replace(seen, pods=tuple(
        msgspec.structs.replace(each, image="sightline:old", version="0.9")
        if each.name == "detection-green-2" else each for each in seen.pods
    )))  # fmt: skip


def announced(cluster: FakeCluster) -> None:
    intent = Intent(
        id="abc", from_="blue", to="green", components=COMPONENTS, who="max@desk",
        began=START - timedelta(seconds=20), until=START + timedelta(seconds=300),
    )  # fmt: skip
    cluster.record = msgspec.structs.replace(cluster.record, intent=intent)


def crash(cluster: FakeCluster) -> None:
    cluster.troubles["cop-gateway-green-1"] = (
        "container cop-gateway waits: CrashLoopBackOff; before that it ended with exit code 1"
        " (Error): schema 9 is newer than this code"
    )


def another_model(cluster: FakeCluster) -> None:
    report = cluster._report

    def told(component, name):
        found = report(component, name)
        if name != "detection-green-0":
            return found
        details = msgspec.structs.replace(
            found.details, models=(Served(name="demo", sha256="b" * 64),)
        )
        return msgspec.structs.replace(found, details=details)

    cluster._report = told


CASES = [
    Case(
        name="the Deployment is not there", spoil=without_rollout, check="detection rollout",
        words=("Deployment detection-green", "does not exist"),
    ),
    Case(
        name="it is scaled to 0", spoil=lambda c: rollout(c, wanted=0),
        check="detection rollout", words=("detection-green", "scaled to 0"),
    ),
    Case(
        name="its newest generation was not looked at",
        spoil=lambda c: rollout(c, generation=4, observed=3),
        check="detection rollout", words=("generation 4", "3"),
    ),
    Case(
        name="old pods are left", spoil=lambda c: rollout(c, updated=1),
        check="detection rollout", words=("1 of 3 pods",),
    ),
    Case(
        name="pods are unavailable", spoil=lambda c: rollout(c, unavailable=2),
        check="detection rollout", words=("2 of 3 unavailable",),
    ),
    Case(
        name="a pod crashes", spoil=crash, check="cop-gateway pods",
        words=("cop-gateway-green-1", "CrashLoopBackOff", "schema 9 is newer"),
    ),
    Case(
        name="several versions run", spoil=other_image, check="detection version",
        words=("detection-green", "sightline:old", "sightline:green"),
    ),
    Case(
        name="the colour's Service leaves a ready pod out",
        spoil=lambda c: without_endpoint(c, "detection-green"),
        check="detection endpoints", words=("Service detection-green", "detection-green-0"),
    ),
    Case(
        name="the preview leaves a ready pod out",
        spoil=lambda c: without_endpoint(c, "cop-gateway-preview"),
        check="cop-gateway endpoints", words=("Service cop-gateway-preview",),
    ),
    Case(
        name="a pod does not answer our key", spoil=lambda c: c.silent.add("detection-green-1"),
        check="detection drain call", words=("detection-green-1", "no port forward"),
    ),
    Case(
        name="no model is loaded", spoil=lambda c: c.models.update(green=()), check="models",
        words=("detection-green-0", "serves no model"),
    ),
    Case(
        name="pods serve different models", spoil=another_model, check="models",
        words=("detection-green", "aaaaaaaaaaaa", "bbbbbbbbbbbb"),
    ),
    Case(
        name="its code is too old for the database", check="schema",
        spoil=lambda c: c.codes.update(blue=8, green=6),
        words=("cop-gateway-green", "schema 6", "7 at least"),
    ),
    Case(
        name="its schema would stop the code that serves", check="schema",
        spoil=lambda c: c.codes.update(blue=5, green=7),
        words=("cop-gateway-blue", "schema 5", "6 at least"),
    ),
    Case(
        name="its autoscaler allows less than serve now", check="detection count",
        spoil=lambda c: (c.ready.update({("detection", "blue"): 12}), None)[1],
        words=("detection-green", "12", "10 at most"),
    ),
    Case(
        name="another switch is under way", spoil=announced, check="no other switch",
        words=("blue to green", "max@desk", "09:05:00 UTC"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_colour_that_is_not_fit_is_refused_with_the_reason(cluster, desk, case):
    case.spoil(cluster)
    _, found = desk.namespace.preflight("green", ())
    told = [each.sentence for each in failures(found) if each.check == case.check]
    assert any(all(word in sentence for word in case.words) for sentence in told), found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_switch_to_it_is_refused_and_changes_nothing(cluster, desk, case):
    case.spoil(cluster)
    with pytest.raises(Exception, match="against green") as refused:
        desk.switch("green")
    assert case.check in {each.check for each in failures(refused.value.findings)}
    assert cluster.acts == []


def test_of_a_colour_that_is_fit_every_finding_is_good(desk):
    colour, found = desk.namespace.preflight(None, ())
    assert colour == "green"
    assert {each.outcome for each in found} == {"ok"}


def test_fewer_pods_than_serve_are_a_warning_since_a_switch_brings_them(cluster, desk):
    cluster.ready[("detection", "blue")] = cluster.wanted[("detection", "blue")] = 5
    _, found = desk.namespace.preflight("green", ())
    (said,) = [each for each in found if each.outcome == "warning"]
    assert said.check == "detection count"
    assert "raises its floor to 5" in said.sentence


def test_an_announcement_whose_time_is_over_does_not_stop_a_switch(cluster, desk):
    announced(cluster)
    cluster.time.sleep(301.0)
    _, found = desk.namespace.preflight("green", ())
    assert failures(found) == ()
    assert any("never finished" in each.sentence for each in found)


@pytest.fixture
def small() -> FakeCluster:
    """A small site: a database for each colour."""
    return FakeCluster(Time(), shared=False, minimum=1, undelivered={"green": 7})


def test_users_may_be_led_to_a_colour_that_has_undelivered_events_from_before(small):
    _, found = Desk(small).namespace.preflight("green", ())
    assert failures(found) == ()
    assert any("7 undelivered events" in each.sentence for each in found)


def test_nothing_is_released_into_it_before_they_are_delivered(small):
    namespace = Desk(small).namespace
    (refused,) = failures(namespace.releasable("green"))
    assert "cop-gateway-green has 7 undelivered events; 0 are allowed" in refused.sentence
    assert any("7 undelivered" in each.sentence for each in namespace.status().findings)
    small.undelivered["green"] = 0
    assert failures(namespace.releasable("green")) == ()


def test_nothing_is_released_into_it_where_nobody_says_how_much_there_is(small):
    small.silent.add("cop-gateway-green-0")
    (refused,) = failures(Desk(small).namespace.releasable("green"))
    assert "does not tell how much is undelivered" in refused.sentence


@pytest.mark.parametrize("shared", [True, False])
def test_nothing_is_released_into_the_colour_that_serves(shared):
    cluster = FakeCluster(Time(), shared=shared, minimum=1)
    found = failures(Desk(cluster).namespace.releasable("blue"))
    assert {each.check for each in found} == {f"{each} idle" for each in COMPONENTS}


def test_status_tells_of_each_colour_what_it_runs(desk):
    stands = {(each.component, each.colour): each for each in desk.namespace.status().colours}
    assert set(stands) == {(each, colour) for each in COMPONENTS for colour in COLOURS}
    serving, idle = stands["cop-gateway", "blue"], stands["cop-gateway", "green"]
    assert (serving.active, serving.ready, serving.draining, serving.sinks) == (
        True,
        3,
        0,
        ("tak",),
    )
    assert (idle.active, idle.versions, idle.draining, idle.sinks) == (False, ("1.0-green",), 3, ())


def test_status_finds_a_selector_that_was_changed_by_hand(cluster, desk):
    desk.switch("green")
    for component in COMPONENTS:
        colour, version = cluster.leads[f"{component}-active"]
        assert colour == "green"
        cluster.leads[f"{component}-active"] = "blue", version + 1
    said = desk.namespace.status().findings
    assert any(each.check == "record" and "leads to blue" in each.sentence for each in said)
    # It serves, and is drained: as good as a switch half made.
    assert any(each.check == "drained" and each.outcome == "failed" for each in said)


def test_status_finds_users_between_two_colours(cluster, desk):
    desk.switch("green", components=["detection"])
    (said,) = failures(desk.namespace.status().findings)
    assert "cop-gateway-active to blue, detection-active to green" in said.sentence
