"""The record, the audit chain, what changes, the error budget, and pages of metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, generate_latest

from fakes.colours import FakeCluster, Time
from sightline.colours.namespace import Namespace
from sightline.environments import Watching
from sightline.releases import audit, lease, record
from sightline.releases.audit import Entry
from sightline.releases.budget import Served, judge
from sightline.releases.errors import LockedError, ReleasesError
from sightline.releases.lease import Lease
from sightline.releases.manifests import changes
from sightline.releases.metrics import PodMetrics, counted
from sightline.releases.phase import FINAL, FORWARD, NEXT, following, left

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)


def chain(length: int) -> list[Entry]:
    entries: list[Entry] = []
    for number in range(length):
        entry = Entry(
            number=0, at=NOW + timedelta(seconds=number), who="eva@desk", what=f"act {number}",
            detail={"n": number}, previous="",
        )  # fmt: skip
        entries.append(audit.chained(entries[-1] if entries else None, entry))
    return entries


class TestAudit:
    def test_a_whole_chain_has_no_flaw_also_after_an_export(self) -> None:
        entries = chain(5)
        assert audit.flaws(entries, head=entries[-1].hash) == ()
        assert audit.read(audit.lines(entries)) == tuple(entries)

    @given(st.integers(0, 5), st.sampled_from(["who", "what", "at", "detail", "drop", "swap"]))
    def test_whatever_is_changed_is_noticed(self, number: int, how: str) -> None:
        entries = chain(6)
        head = entries[-1].hash
        if how == "drop":
            del entries[number]
        elif how == "swap":
            other = (number + 1) % 6
            entries[number], entries[other] = entries[other], entries[number]
        else:
            spoilt = {"who": "mallory", "what": "nothing", "at": NOW, "detail": {}}
            was = getattr(entries[number], how)
            value = spoilt[how] if spoilt[how] != was else NOW - timedelta(days=1)
            entries[number] = msgspec.structs.replace(entries[number], **{how: value})
        assert audit.flaws(entries, head=head) != ()

    def test_whoever_writes_the_chain_anew_is_given_away_by_its_head(self) -> None:
        entries, head = chain(3), chain(3)[-1].hash
        forged: list[Entry] = []
        for each in entries:
            lie = msgspec.structs.replace(each, who="mallory")
            forged.append(audit.chained(forged[-1] if forged else None, lie))
        assert audit.flaws(forged, head=None) == ()
        assert audit.flaws(forged, head=head) != ()


class TestPhases:
    def test_every_release_comes_to_an_end(self) -> None:
        phase = "begun"
        for happening in FORWARD:
            phase = following(phase, happening)  # type: ignore[arg-type]
        assert phase in FINAL

    @pytest.mark.parametrize("phase", sorted({each for each, _ in NEXT}))
    def test_what_is_left_leads_to_the_end(self, phase: str) -> None:
        for happening in left(phase):  # type: ignore[arg-type]
            phase = following(phase, happening)  # type: ignore[arg-type]
        assert phase in FINAL

    def test_what_cannot_happen_is_refused(self) -> None:
        with pytest.raises(ReleasesError, match="aborted cannot switch"):
            following("aborted", "switch")


class TestRecord:
    def test_what_cannot_be_read_is_left_out_and_told(self) -> None:
        found = record.read({"current": "{", "history": "[]", "audit-head": "ab"}, "7")
        assert found.current is None
        assert found.audit_head == "ab"
        assert found.broken is not None
        assert "current" in found.broken

    def test_an_empty_one_comes_back_as_it_was(self) -> None:
        assert record.read(record.written(record.Record()), None) == record.Record()


class TestLease:
    def test_one_that_runs_is_refused_with_its_holder_and_its_end(self) -> None:
        held = lease.taken(Lease(), holder="eva", reason="2.0", now=NOW)
        with pytest.raises(
            LockedError, match=r"eva releases since 09:00:00 UTC \(2\.0\).*09:01:00"
        ):
            lease.taken(held, holder="ada", reason="3.0", now=NOW + timedelta(seconds=59))
        late = lease.taken(held, holder="ada", reason="3.0", now=NOW + timedelta(seconds=60))
        assert (late.holder, late.transitions) == ("ada", 2)
        forced = lease.taken(held, holder="ada", reason="3.0", now=NOW, force=True)
        assert forced.holder == "ada"

    def test_its_holder_renews_it(self) -> None:
        held = lease.taken(Lease(), holder="eva", reason="2.0", now=NOW)
        later = lease.taken(held, holder="eva", reason="2.0", now=NOW + timedelta(seconds=50))
        assert (later.acquired, later.transitions) == (held.acquired, 1)
        assert later.until == NOW + timedelta(seconds=110)


def deployment(colour: str, image: str, replicas: int = 1, version: str = "1") -> dict[str, object]:
    labels = {"colour": colour, "app.kubernetes.io/version": version}
    containers = [{"name": "gateway", "image": image}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    return {
        "kind": "Deployment",
        "metadata": {"name": f"cop-gateway-{colour}", "labels": labels},
        "spec": {"replicas": replicas, "template": template},
    }


class TestChanges:
    def test_names_fields_and_says_whose_pods_are_replaced(self) -> None:
        before = (deployment("blue", "g:1"), deployment("green", "g:1"))
        after = (deployment("blue", "g:1", replicas=2), deployment("green", "g:2"))
        found = {each.colour: each for each in changes(before, after)}
        assert found["blue"].fields == ("spec.replicas",)
        assert not found["blue"].restarts
        assert found["green"].fields == ("spec.template.spec.containers[gateway].image",)
        assert found["green"].restarts

    def test_labels_of_the_release_are_no_change(self) -> None:
        assert (
            changes((deployment("blue", "g:1"),), (deployment("blue", "g:1", version="2"),)) == ()
        )

    def test_what_comes_and_goes_is_named(self) -> None:
        one, other = deployment("blue", "g:1"), deployment("green", "g:1")
        assert [each.verb for each in changes((one,), (other,))] == ["removed", "added"]


class TestBudget:
    @given(st.integers(0, 10_000), st.integers(0, 10_000))
    def test_burns_exactly_where_errors_come_too_fast(self, requests: int, failures: int) -> None:
        failures = min(failures, requests)
        policy = Watching(objective=0.99, burn=10, least_failures=3)
        verdict = judge(Served(requests=requests, failures=failures), policy)
        assert verdict.burns == (failures >= 3 and failures * 10 > requests)


PAGE = """\
# HELP sightline_http_requests_total Answered requests
# TYPE sightline_http_requests_total counter
sightline_http_requests_total{method="POST",route="/v1/detect",status="200",colour="green"} 90.0
sightline_http_requests_total{method="POST",route="/v1/detect",status="503",colour="green"} 7.0
sightline_http_requests_total{method="POST",route="/v1/detect",status="422",colour="green"} 2.0
sightline_http_requests_total{method="GET",route="/ready",status="503",colour="green"} 4000.0
sightline_http_requests_in_flight{colour="green"} 5.0
"""


class TestMetrics:
    def test_counts_what_users_asked_and_not_probes(self) -> None:
        assert counted(PAGE) == Served(requests=99, failures=7)

    def test_a_real_page_is_read(self) -> None:
        registry = CollectorRegistry()
        counter = Counter(
            "sightline_http_requests", "x", ["method", "route", "status"], registry=registry
        )
        counter.labels("POST", '/v1/"odd"', "500").inc(3)
        counter.labels("POST", "/v1/detect", "200").inc(4)
        assert counted(generate_latest(registry).decode()) == Served(requests=7, failures=3)

    def test_pods_that_start_anew_or_go_lose_nothing_of_the_sum(self) -> None:
        cluster = FakeCluster(Time(), minimum=1)
        pages = {"detection-green-0": 50, "cop-gateway-green-0": 10}

        class Pods:
            def call(self, component, name, method, path):  # type: ignore[no-untyped-def]
                assert (method, path) == ("GET", "/metrics")
                line = f'{{route="/v1/detect",status="500"}} {pages[name]}\n'
                return 200, b"sightline_http_requests_total" + line.encode()

        namespace = Namespace(cluster, cluster, clock=cluster.time, tell=lambda _: None)
        budget = PodMetrics(Pods(), namespace)  # type: ignore[arg-type]
        assert budget.count("green").failures == 60
        pages["detection-green-0"] = 5
        assert budget.count("green").failures == 65


def test_written_json_is_what_kubernetes_takes() -> None:
    data = record.written(record.Record(audit_head="x"))
    assert all(isinstance(value, str) for value in data.values())
    assert json.loads(data["history"]) == []
