"""Spans: what a collector gets of them, and what its absence costs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from fakes.collector import Collector, attributes, collecting
from running import free_port, wait_for
from telemetry import metrics, traces
from telemetry.metrics import Metrics
from telemetry.spans import Spans, endpoint
from telemetry.traces import Trace

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = CALLER[:-2] + "00"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def registry() -> Metrics:
    return metrics.registry(service="tested", version="1.2.3", colour="blue")


def opened(registry: Metrics, setting: str | None, **environ: str) -> Spans:
    return Spans.open(setting, metrics=registry, environ=environ)


def counted(registry: Metrics, outcome: str) -> float:
    return registry.registry.get_sample_value("sightline_spans_total", {"outcome": outcome}) or 0.0


def ids(trace: Trace) -> tuple[bytes, bytes]:
    return bytes.fromhex(trace.trace_id), bytes.fromhex(trace.span_id)


def test_a_span_has_the_ids_of_the_logs_and_the_caller_as_its_parent(
    registry: Metrics, collector: Collector
) -> None:
    spans = opened(registry, collector.url)
    trace = traces.received(CALLER)
    before, began = time.time_ns(), time.perf_counter()
    spans.record(
        "GET /v1/models",
        trace,
        began=began,
        ended=began + 0.25,
        kind="server",
        attributes={"http.route": "/v1/models", "http.response.status_code": 200},
    )
    spans.close()
    (span,) = collector.spans
    assert collector.paths == ["/v1/traces"]
    assert (span.trace_id, span.span_id) == ids(trace)
    assert span.parent_span_id == bytes.fromhex("b7ad6b7169203331")
    assert span.name == "GET /v1/models"
    assert span.kind == span.SPAN_KIND_SERVER
    assert attributes(span) == {"http.route": "/v1/models", "http.response.status_code": 200}
    assert span.end_time_unix_nano - span.start_time_unix_nano == pytest.approx(250e6, rel=1e-3)
    assert abs(span.start_time_unix_nano - before) < 60e9
    assert span.status.code == span.status.STATUS_CODE_UNSET
    assert counted(registry, "sent") == 1


def test_the_first_span_of_a_trace_has_no_parent(registry: Metrics, collector: Collector) -> None:
    spans = opened(registry, collector.url)
    spans.record("first", traces.generate(), began=0, ended=1)
    spans.close()
    assert collector.named("first").parent_span_id == b""


def test_who_sent_it_is_in_its_resource(registry: Metrics, collector: Collector) -> None:
    spans = opened(registry, collector.url)
    spans.record("any", traces.generate(), began=0, ended=1)
    spans.close()
    (resource,) = collector.resources
    assert resource["service.name"] == "tested"
    assert resource["service.version"] == "1.2.3"
    assert resource["deployment.colour"] == "blue"


def test_a_step_is_a_child_of_the_current_request_or_of_what_is_named(
    registry: Metrics, collector: Collector
) -> None:
    spans = opened(registry, collector.url)
    request, other = traces.received(CALLER), traces.generate()
    token = traces.current.set(request)
    try:
        spans.child("decode", began=1.0, ended=1.5, attributes={"stage": "decode"})
        spans.child("elsewhere", began=1.0, ended=1.5, parent=other)
    finally:
        traces.current.reset(token)
    spans.close()
    step = collector.named("decode")
    assert (step.trace_id, step.parent_span_id) == ids(request)
    assert step.span_id not in (b"", step.parent_span_id)
    assert step.kind == step.SPAN_KIND_INTERNAL
    away = collector.named("elsewhere")
    assert (away.trace_id, away.parent_span_id) == ids(other)


def test_a_step_outside_of_any_request_is_nobodys(registry: Metrics, collector: Collector) -> None:
    spans = opened(registry, collector.url)
    spans.child("alone", began=0, ended=1)
    spans.close()
    assert collector.spans == []


def test_the_span_of_a_call_to_another_service_is_that_services_parent(
    registry: Metrics, collector: Collector
) -> None:
    spans = opened(registry, collector.url)
    request = traces.received(CALLER)
    call = traces.child(request)
    there = traces.received(call.header)
    spans.record("call", call, began=0, ended=1, kind="client")
    spans.record("there", there, began=0, ended=1, kind="server")
    spans.close()
    assert collector.named("call").parent_span_id == bytes.fromhex(request.span_id)
    assert collector.named("there").parent_span_id == collector.named("call").span_id


def test_an_error_is_one_with_its_reason(registry: Metrics, collector: Collector) -> None:
    spans = opened(registry, collector.url)
    spans.record("bad", traces.generate(), began=0, ended=1, error="the queue is full")
    spans.close()
    status = collector.named("bad").status
    assert (status.code, status.message) == (status.STATUS_CODE_ERROR, "the queue is full")


def test_what_the_caller_does_not_sample_is_not_sent(
    registry: Metrics, collector: Collector
) -> None:
    spans = opened(registry, collector.url)
    trace = traces.received(NOT_SAMPLED)
    spans.record("unsampled", trace, began=0, ended=1)
    spans.child("step", began=0, ended=1, parent=trace)
    spans.close()
    assert collector.spans == []
    assert counted(registry, "dropped") == 0


def test_a_collector_that_is_away_costs_the_spans_only(registry: Metrics) -> None:
    spans = opened(registry, f"http://127.0.0.1:{free_port()}")
    for _ in range(10):
        spans.record("lost", traces.generate(), began=0, ended=1)
    spans.close(seconds=0.05)
    spans.record("late", traces.generate(), began=0, ended=1)
    wait_for(lambda: counted(registry, "dropped") == 11, what="all of them counted")
    assert counted(registry, "sent") == 0


def test_no_more_wait_than_there_is_room_for(registry: Metrics, collector: Collector) -> None:
    collector.hangs = True
    spans = opened(registry, collector.url)
    for _ in range(5_000):
        spans.record("many", traces.generate(), began=0, ended=1)
    assert counted(registry, "dropped") == 5_000 - 4_096
    spans.close(seconds=0.05)


def test_a_collector_that_hangs_does_not_hold_up_the_end(
    registry: Metrics, collector: Collector
) -> None:
    collector.hangs = True
    spans = opened(registry, collector.url)
    spans.record("stuck", traces.generate(), began=0, ended=1)
    spans.close(seconds=0.05)
    # It came back from it, while the collector still holds what it got.
    assert collector.paths == []


def test_a_collector_that_refuses_is_counted(registry: Metrics, collector: Collector) -> None:
    collector.status = 400
    spans = opened(registry, collector.url)
    spans.record("refused", traces.generate(), began=0, ended=1)
    spans.close()
    assert counted(registry, "dropped") == 1


def test_a_span_that_cannot_be_made_never_fails_its_request(
    registry: Metrics, collector: Collector
) -> None:
    spans = opened(registry, collector.url)
    broken = Trace(trace_id="no hex", span_id="0")
    spans.record("broken", broken, began=0, ended=1)
    spans.record("whole", traces.generate(), began=0, ended=1)
    spans.close()
    assert [span.name for span in collector.spans] == ["whole"]


@pytest.mark.parametrize(
    ("setting", "environ", "url"),
    [
        (None, {}, None),
        ("http://collector:4318", {}, "http://collector:4318/v1/traces"),
        ("http://collector:4318/", {}, "http://collector:4318/v1/traces"),
        ("http://collector/otlp/v1/traces", {}, "http://collector/otlp/v1/traces"),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        (
            None,
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:1/as/it/is",
            },
            "http://traces:1/as/it/is",
        ),
        (
            "http://ours:4318",
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:1/as/it/is"},
            "http://ours:4318/v1/traces",
        ),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_the_setting_goes_before_opentelemetrys_own_variables(
    setting: str | None, environ: dict[str, str], url: str | None
) -> None:
    assert endpoint(setting, environ) == url


def test_without_an_endpoint_nothing_is_imported_and_nothing_happens() -> None:
    program = """
import sys
from telemetry import metrics, traces
from telemetry.spans import Spans
from serving import application
spans = Spans.open(None, metrics=metrics.registry(service="t", version="1", colour="c"), environ={})
spans.record("none", traces.generate(), began=0, ended=1)
spans.child("none", began=0, ended=1)
spans.close()
assert not spans.kept
print(*(name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf"))))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.strip() == ""
