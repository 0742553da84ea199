"""OpenMetrics: for whom, well-formed, and with exemplars that lead to a trace."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from telemetry import metrics, traces
from telemetry.exposition import OPENMETRICS, TEXT, preferred
from telemetry.metrics import HttpMetrics, Metrics, exemplar
from telemetry.traces import Trace

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What Prometheus 3 sends."""


@pytest.fixture
def registry() -> Metrics:
    """One of each kind of metric, with awkward text in it."""
    made = metrics.registry(service="tested", version="1.2.3", colour="blue")
    Counter("events_total", 'Events, "so far".\nAll.', ["kind"], registry=made.registry).labels(
        'a"\\\n'
    ).inc(3)
    Gauge("depth", "Depth.", registry=made.registry).set(2.5)
    Histogram("wait_seconds", "Wait.", buckets=(1, 5), registry=made.registry).observe(0.5)
    return made


def asked(registry: Metrics, *, trace: Trace | None) -> HttpMetrics:
    http = HttpMetrics(registry)
    http.begin()
    http.end(method="GET", route="/v1/models", status=200, seconds=0.3, trace=trace)
    return http


def samples(registry: Metrics, name: str) -> list[Sample]:
    """As a strict reader of OpenMetrics sees them: it refuses what is not well-formed."""
    text = registry.exposition(OPENMETRICS).decode()
    return [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not name or sample.name == name
    ]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, TEXT),
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain", TEXT),
        ("application/json", TEXT),
        (PROMETHEUS, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
        ("application/openmetrics-text, text/plain", OPENMETRICS),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", TEXT),
        ("application/openmetrics-text;q=0.5, */*;q=0.5", OPENMETRICS),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=much", TEXT),
        ("application/openmetrics-text;version=0.0.1", TEXT),
        ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", TEXT),
        (";;;,=,q=1", TEXT),
    ],
)
def test_openmetrics_is_for_whoever_names_and_prefers_it(
    accept: str | None, chosen: object
) -> None:
    assert preferred(accept) is chosen


def test_a_strict_reader_takes_all_of_it(registry: Metrics) -> None:
    asked(registry, trace=traces.generate())
    told = samples(registry, "")
    assert len(told) > 20
    for sample in told:
        assert (sample.labels["version"], sample.labels["colour"]) == ("1.2.3", "blue"), sample
    (counted,) = samples(registry, "events_total")
    assert (counted.labels["kind"], counted.value) == ('a"\\\n', 3)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_own_checker_takes_the_text(registry: Metrics) -> None:
    """It reads no OpenMetrics."""
    asked(registry, trace=traces.generate())
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=registry.exposition(TEXT),
        capture_output=True,
        check=False,
    )
    # 3 is for opinions on names; 1 for what cannot be read.
    assert checked.returncode in (0, 3), checked.stderr


def test_a_request_leads_to_its_trace(registry: Metrics) -> None:
    trace = traces.generate()
    asked(registry, trace=trace)
    buckets = samples(registry, "sightline_http_request_duration_seconds_bucket")
    (kept,) = [sample for sample in buckets if sample.exemplar is not None]
    assert kept.exemplar is not None
    assert kept.exemplar.labels == {"trace_id": trace.trace_id}
    assert kept.exemplar.value == 0.3
    assert float(kept.labels["le"]) == 0.5


def test_a_trace_that_nobody_keeps_is_no_example(registry: Metrics) -> None:
    unsampled = Trace(trace_id="1" * 32, span_id="2" * 16, flags=0)
    asked(registry, trace=unsampled)
    asked_without = HttpMetrics(metrics.registry(service="t", version="1", colour="c"))
    asked_without.begin()
    asked_without.end(method="GET", route="/", status=200, seconds=0.1)
    assert exemplar(unsampled) is None
    assert exemplar(None) is None
    assert all(sample.exemplar is None for sample in samples(registry, ""))


def test_the_text_format_has_no_exemplars(registry: Metrics) -> None:
    trace = traces.generate()
    asked(registry, trace=trace)
    assert trace.trace_id not in registry.exposition().decode()
