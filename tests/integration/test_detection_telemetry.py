"""What a running detection service tells of its images: spans, exemplars, log lines, series."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from detecting import Detection
from fakes.collector import Collector, attributes, collecting
from fakes.gateway import FakeGateway, Reply
from fakes.images import encoded, painted
from fakes.models import blob_model
from running import SENSOR, Gateway, free_port, http, started, wait_for

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACE = f"00-{TRACE_ID}-{PARENT_ID}-01"
STAGES = ["queue", "decode", "letterbox", "inference", "postprocess"]
WIDTH, HEIGHT = SENSOR["intrinsics"]["image_width"], SENSOR["intrinsics"]["image_height"]
BLOBS = {"red": (200, 300, 260, 360), "green": (600, 400, 660, 430)}
PICTURE = encoded(painted(WIDTH, HEIGHT, BLOBS), "JPEG")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("models")
    return blob_model(folder / "blobs.onnx", width=480, height=288)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Detection]:
    with started(Detection(tmp_path_factory.mktemp("detection"), model)) as process:
        yield process


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


def frame(name: str = "f-1") -> bytes:
    return json.dumps(
        {
            "frame_id": name,
            "camera_id": "c-1",
            "captured_at": datetime.now(UTC).isoformat(),
            "sensor": SENSOR,
        }
    ).encode()


def below(collector: Collector, parent: Span) -> list[Span]:
    """The spans right below this one, in the order of their beginnings."""
    found = [span for span in collector.spans if span.parent_span_id == parent.span_id]
    return sorted(found, key=lambda span: span.start_time_unix_nano)


def names(spans: list[Span]) -> list[str]:
    return [span.name for span in spans]


def test_one_frames_spans_are_one_tree_through_both_services(
    tmp_path: Path, model: Path, collector: Collector
) -> None:
    gateway = Gateway(tmp_path / "gateway", otlp_endpoint=collector.url)
    with started(gateway):
        settings = {"gateway_url": gateway.url, "otlp_endpoint": collector.url}
        with started(Detection(tmp_path, model, **settings)) as service:
            parts = {"image": PICTURE, "frame": frame()}
            assert service.post_form(parts, traceparent=TRACE).json["committed"] is True
            assert service.stop() == 0
        assert gateway.stop() == 0
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE_ID}
    request = collector.named("POST /v1/detect")
    assert request.parent_span_id.hex() == PARENT_ID
    *stages, call = below(collector, request)
    assert names(stages) == STAGES
    for earlier, later in zip(stages, [*stages[1:], call], strict=True):
        assert earlier.start_time_unix_nano <= earlier.end_time_unix_nano
        # They follow each other, to the microsecond that a float of seconds can tell.
        assert earlier.end_time_unix_nano <= later.start_time_unix_nano + 1000
    assert request.start_time_unix_nano <= stages[0].start_time_unix_nano
    assert call.end_time_unix_nano <= request.end_time_unix_nano
    assert attributes(stages[0]) == {"model": "blobs", "tiles": 0}
    assert (call.name, call.kind) == ("POST /v1/detections", Span.SPAN_KIND_CLIENT)
    assert attributes(call)["http.response.status_code"] == 201
    (theirs,) = below(collector, call)
    assert (theirs.name, theirs.kind) == ("POST /v1/detections", Span.SPAN_KIND_SERVER)
    resources = {each["service.name"] for each in collector.resources}
    assert resources == {"detection", "cop-gateway"}


def test_each_attempt_at_the_gateway_has_a_span_of_its_own(
    tmp_path: Path, model: Path, collector: Collector
) -> None:
    fake = FakeGateway(Reply(status=503, body={}), Reply())
    settings = {"gateway_url": fake.url, "otlp_endpoint": collector.url}
    with fake.serving(), started(Detection(tmp_path, model, **settings)) as service:
        assert service.post_form({"image": PICTURE, "frame": frame()}).status == 200
        assert service.stop() == 0
    calls = [span for span in collector.spans if span.kind == Span.SPAN_KIND_CLIENT]
    assert [attributes(call)["http.response.status_code"] for call in calls] == [503, 201]
    assert [bool(call.status.message) for call in calls] == [True, False]
    sent = [asked.headers["traceparent"].split("-")[2] for asked in fake.asked]
    assert [call.span_id.hex() for call in calls] == sent


def test_each_image_of_a_batch_has_its_stages_below_it(
    tmp_path: Path, model: Path, collector: Collector
) -> None:
    with started(Detection(tmp_path, model, otlp_endpoint=collector.url)) as service:
        assert service.post_batch([PICTURE, b"none", PICTURE], traceparent=TRACE).status == 200
        assert service.stop() == 0
    request = collector.named("POST /v1/detect/batch")
    images = {attributes(span)["index"]: span for span in below(collector, request)}
    assert [attributes(images[index])["status"] for index in range(3)] == [200, 415, 200]
    assert names(below(collector, images[0])) == names(below(collector, images[2])) == STAGES
    assert below(collector, images[1]) == []


def test_tensors_have_their_stages_too(tmp_path: Path, model: Path, collector: Collector) -> None:
    with started(Detection(tmp_path, model, otlp_endpoint=collector.url)) as service:
        assert infer(service, traceparent=TRACE) == 200
        assert service.stop() == 0
    request = collector.named("POST /v2/models/{name}/infer")
    assert names(below(collector, request)) == ["queue", "inference"]


def infer(service: Detection, **headers: str) -> int:
    pixels = np.zeros((1, 3, 288, 480), np.float32)
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "images",
                    "shape": pixels.shape,
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": pixels.nbytes},
                }
            ]
        }
    ).encode()
    return http(
        f"{service.url}/v2/models/blobs/infer",
        body=head + pixels.tobytes(),
        headers={"Inference-Header-Content-Length": str(len(head)), **headers},
    ).status


def test_a_collector_that_is_away_changes_nothing(tmp_path: Path, model: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with started(Detection(tmp_path, model, otlp_endpoint=nobody)) as service:
        assert [service.post(PICTURE).status for _ in range(20)] == [200] * 20
        assert service.stop() == 0


def test_histograms_lead_to_the_trace_of_an_image(service: Detection) -> None:
    assert service.post(PICTURE, traceparent=TRACE).status == 200
    answer = http(
        f"{service.url}/metrics",
        headers={"Accept": "application/openmetrics-text;version=1.0.0"},
    )
    families = {
        family.name: family for family in text_string_to_metric_families(answer.body.decode())
    }

    def led(name: str) -> list[dict[str, str]]:
        return [
            sample.labels
            for sample in families[name].samples
            if sample.exemplar is not None and sample.exemplar.labels == {"trace_id": TRACE_ID}
        ]

    (image,) = led("sightline_detection_image_duration_seconds")
    assert image["model"] == "blobs"
    stages = led("sightline_detection_stage_duration_seconds")
    assert {each["stage"] for each in stages} == set(STAGES)


def told(service: Detection, request_id: str) -> dict[str, Any]:
    """The one line of a request, which comes after its answer."""
    (line,) = wait_for(
        lambda: [each for each in service.lines() if each.get("request_id") == request_id],
        what="the log line",
    )
    assert line["event"] == "request"
    return dict(line)


def test_a_requests_line_tells_what_was_seen_and_how_long_it_took(service: Detection) -> None:
    timings = service.post(PICTURE, X_Request_Id="whole").json["timings_ms"]
    line = told(service, "whole")
    assert (line["model"], line["detections"], line["tiles"]) == ("blobs", 2, 0)
    assert (line["queue_ms"], line["run_ms"]) == (timings["queue"], timings["inference"])
    assert line["duration_ms"] >= line["queue_ms"] + line["run_ms"]
    service.post(PICTURE, query="?tiles=320&timings=false", X_Request_Id="tiled")
    assert told(service, "tiled")["tiles"] > 1
    service.post(b"none", X_Request_Id="refused")
    line = told(service, "refused")
    assert (line["model"], line["status"]) == ("blobs", 415)
    assert "detections" not in line
    assert infer(service, **{"X-Request-Id": "tensors"}) == 200
    line = told(service, "tensors")
    assert line["model"] == "blobs"
    assert line["run_ms"] > 0


def series(service: Detection) -> set[str]:
    text = http(f"{service.url}/metrics").body.decode()
    return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}


def test_what_clients_send_makes_no_series(service: Detection) -> None:
    def ask(odd: str) -> None:
        service.post(PICTURE, query=f"?model={odd}")
        service.post(PICTURE, query=f"?{odd}=1")
        service.post(PICTURE, query="?confidence=0.01")
        service.post(f"{odd}".encode(), X_Request_Id=odd)
        service.post_batch([PICTURE, odd.encode()])
        http(f"{service.url}/v2/models/{odd}/infer", body=b"{}")
        http(f"{service.url}/v1/models/{odd}/reload", body=b"")
        http(f"{service.url}/{odd}")

    ask("first")
    before = series(service)
    for number in range(5):
        ask(f"odd-{number}")
    after = series(service)
    assert after == before
    assert not any("odd-" in each for each in after)


def test_what_may_become_of_an_image_is_told_before_it_happens(tmp_path: Path, model: Path) -> None:
    with started(Detection(tmp_path, model)) as service:
        lines = http(f"{service.url}/metrics").body.decode().splitlines()
    told = {line.rpartition(" ")[0].partition(",version")[0]: line[-3:] for line in lines}
    for series in (
        'sightline_detection_images_total{colour="blue",model="blobs",outcome="answered"',
        'sightline_detection_images_total{colour="blue",model="blobs",outcome="queue_full"',
        'sightline_detection_images_total{colour="blue",model="blobs",outcome="client_gone"',
        'sightline_detection_forwards_total{colour="blue",outcome="unreachable"',
        'sightline_detection_forwards_total{colour="blue",outcome="committed"',
    ):
        assert told.get(series) == "0.0", series
