"""What a running gateway tells of its requests: spans to a collector, metrics as OpenMetrics."""

from __future__ import annotations

import json
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from fakes.collector import attributes, collecting
from running import Gateway, free_port, http, report, started

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
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
