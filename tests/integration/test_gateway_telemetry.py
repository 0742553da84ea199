"""What a running gateway tells of its requests: spans to a collector, metrics as OpenMetrics."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from fakes.collector import attributes, collecting
from running import Gateway, Taky, free_port, http, report, started, wait_for

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = "00-" + "1" * 32 + "-b7ad6b7169203331-00"
OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


def test_a_frames_span_arrives_with_the_ids_of_its_log_line(tmp_path: Path) -> None:
    with collecting() as collector:
        gateway = Gateway(tmp_path, otlp_endpoint=collector.url, version="1.2.3", colour="green")
        with started(gateway):
            assert gateway.post(report("1"), traceparent=TRACE).status == 201
            assert gateway.stop() == 0
        span = collector.named("POST /v1/detections")
        (resource, *_) = collector.resources
    lines = [json.loads(line) for line in gateway.output.splitlines()]
    (line,) = [x for x in lines if x["event"] == "request" and x["route"] == "/v1/detections"]
    assert span.trace_id.hex() == line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert span.span_id.hex() == line["span_id"]
    assert span.parent_span_id.hex() == "b7ad6b7169203331"
    assert attributes(span)["http.response.status_code"] == 201
    assert resource["service.name"] == "cop-gateway"
    assert (resource["service.version"], resource["deployment.colour"]) == ("1.2.3", "green")


def test_a_collector_that_is_away_changes_nothing_for_frames(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, otlp_endpoint=f"http://127.0.0.1:{free_port()}")
    with started(gateway):
        for number in range(20):
            assert gateway.post(report(str(number))).status == 201
        assert gateway.stop() == 0


def test_its_metrics_are_openmetrics_with_the_trace_of_a_frame(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    with started(gateway):
        gateway.post(report("1"), traceparent=TRACE)
        answer = http(f"{gateway.url}/metrics", headers=OPENMETRICS)
    families = {
        family.name: family for family in text_string_to_metric_families(answer.body.decode())
    }
    assert len(families) > 20
    exemplars = [
        sample.exemplar.labels
        for sample in families["sightline_http_request_duration_seconds"].samples
        if sample.exemplar is not None
    ]
    assert exemplars == [{"trace_id": "0af7651916cd43dd8448eb211c80319c"}]


def test_a_frame_is_followed_to_the_acknowledgement_of_a_sink(tmp_path: Path) -> None:
    """Over a kill as well: another process delivers what this one took in."""
    taky = Taky(tmp_path)
    with collecting() as collector:
        gateway = Gateway(tmp_path / "gateway", sink=taky.url, otlp_endpoint=collector.url)
        with started(gateway):
            assert gateway.post(report("1", cars=3), traceparent=TRACE).status == 201
            assert gateway.post(report("2"), traceparent=NOT_SAMPLED).status == 201
            wait_for(lambda: collector.spans and collector.named("commit"), what="the commit")
            gateway.kill()
            gateway.start()
            with started(taky):
                wait_for(lambda: _lines(gateway, "delivered"), what="the delivery")
            assert gateway.stop() == 0
        spans = {span.name: span for span in collector.spans}
        assert {"queue", "place", "commit", "deliver tak", "POST /v1/detections"} == set(spans)
    request, commit, delivery = (
        spans[name] for name in ("POST /v1/detections", "commit", "deliver tak")
    )
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE[3:35]}
    for name in ("queue", "place", "commit"):
        assert spans[name].parent_span_id == request.span_id
        assert request.start_time_unix_nano <= spans[name].start_time_unix_nano
        assert spans[name].end_time_unix_nano <= request.end_time_unix_nano
    assert delivery.parent_span_id == commit.span_id
    assert delivery.start_time_unix_nano > request.end_time_unix_nano
    about = attributes(delivery)
    assert (about["camera_id"], about["frame_id"]) == ("drone-1", "1")
    # The camera's own event and those of the field of view go with the frame.
    assert about["events"] >= 3
    assert about["acknowledged"] is True
    (line,) = _lines(gateway, "delivered")
    assert (line["sink"], line["camera_id"], line["frame_id"]) == ("tak", "drone-1", "1")
    assert (line["trace_id"], line["span_id"]) == (TRACE[3:35], delivery.span_id.hex())
    assert line["events"] == about["events"]


def test_without_a_collector_nothing_is_followed(tmp_path: Path) -> None:
    taky = Taky(tmp_path)
    with started(taky), started(Gateway(tmp_path / "gateway", sink=taky.url)) as gateway:
        assert gateway.post(report("1"), traceparent=TRACE).status == 201
        wait_for(lambda: gateway.get("/v1/sinks")["sinks"][0]["acknowledged"], what="the pong")
        assert gateway.stop() == 0
    assert _lines(gateway, "delivered") == []
    with sqlite3.connect(gateway.database) as database:
        assert database.execute("SELECT trace_id, span_id FROM frames").fetchall() == [
            (TRACE[3:35], None)
        ]


@pytest.mark.parametrize("ratio", [0.0, 0.25])
def test_of_traces_that_begin_here_some_are_kept_and_of_callers_all(
    tmp_path: Path, ratio: float
) -> None:
    with collecting() as collector:
        gateway = Gateway(tmp_path, otlp_endpoint=collector.url, trace_sample_ratio=str(ratio))
        with started(gateway):
            for number in range(80):
                assert gateway.post(report(str(number))).status == 201
            assert gateway.post(report("of-a-caller"), traceparent=TRACE).status == 201
            assert gateway.stop() == 0
        kept = {s.trace_id.hex() for s in collector.spans if s.name == "POST /v1/detections"}
    lines = [each for each in _lines(gateway, "request") if each["route"] == "/v1/detections"]
    own = {each["trace_id"] for each in lines} - {TRACE[3:35]}
    assert len(own) == 80
    assert kept == {TRACE[3:35]} | {each for each in own if int(each[16:], 16) < ratio * 2**64}


def _lines(gateway: Gateway, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in gateway.output.splitlines()]
    return [line for line in lines if line["event"] == event]
