"""What was committed, as others read it: queries, formats, the stream, the audit trail, batches."""

from __future__ import annotations

import csv
import io
import json
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from fakes.tak_server import TakServer
from running import Answer, Gateway, http, report, started, wait_for

KML = "{http://www.opengis.net/kml/2.2}"


@pytest.fixture(scope="module")
def server() -> Iterator[TakServer]:
    running = TakServer()
    yield running
    running.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, server: TakServer) -> Iterator[Gateway]:
    """With six sightings: three frames of two cars, the last one by another camera."""
    process = Gateway(tmp_path_factory.mktemp("gateway"), sink=server.url)
    with started(process):
        now = datetime.now(UTC)
        for name, camera, age in (("f-1", "a", 20), ("f-2", "a", 10), ("f-3", "b", 0)):
            made = report(name, camera=camera, at=now - timedelta(seconds=age))
            made["detections"][1]["class"] = "truck"
            assert process.post(made).status == 201
        yield process


def events(gateway: Gateway, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gateway.get(f"/v1/events{query}")["events"]
    return found


def refused(answer: Answer, field: str) -> None:
    assert answer.status == 422, answer.body
    assert answer.json["field"] == field


class TestQueries:
    def test_by_camera_class_and_time(self, gateway: Gateway) -> None:
        assert {e["camera_id"] for e in events(gateway, "?camera_id=b")} == {"b"}
        assert [e["frame_id"] for e in events(gateway, "?class=truck")] == ["f-3", "f-2", "f-1"]
        middle = events(gateway, "?class=car")[1]["captured_at"]
        assert {e["frame_id"] for e in events(gateway, f"?from={middle}")} == {"f-2", "f-3"}
        assert {e["frame_id"] for e in events(gateway, f"?to={middle}")} == {"f-1"}

    def test_by_place(self, gateway: Gateway) -> None:
        one = events(gateway, "?class=car")[0]["position"]
        south, west = one["latitude"] - 1e-5, one["longitude"] - 1e-5
        box = f"{west},{south},{west + 2e-5},{south + 2e-5}"
        found = events(gateway, f"?bbox={box}")
        assert found
        assert {e["class"] for e in found} == {"car"}
        assert events(gateway, "?bbox=0,0,1,1") == []

    def test_one_object_by_its_uid(self, gateway: Gateway) -> None:
        newest = events(gateway)[0]
        assert gateway.get(f"/v1/events/{newest['uid']}") == newest
        assert http(f"{gateway.url}/v1/events/nobody").status == 404

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("bbox=1,2,3", "bbox"),
            ("bbox=1,2,3,x", "bbox"),
            ("bbox=0,10,1,5", "bbox"),
            ("bbox=0,nan,1,5", "bbox"),
            ("from=yesterday", "from"),
            ("to=2026-11-25T10:00:00", "to"),
            ("format=shapefile", "format"),
            ("clas=car", "clas"),
        ],
    )
    def test_bad_ones_name_the_parameter(self, gateway: Gateway, query: str, field: str) -> None:
        refused(http(f"{gateway.url}/v1/events?{query}"), field)


class TestFormats:
    def test_geojson(self, gateway: Gateway) -> None:
        answer = http(
            f"{gateway.url}/v1/events?limit=2", headers={"Accept": "application/geo+json"}
        )
        assert answer.headers["content-type"] == "application/geo+json"
        collection = answer.json
        assert collection["type"] == "FeatureCollection"
        for feature, event in zip(collection["features"], events(gateway, "?limit=2"), strict=True):
            position = event["position"]
            assert feature["geometry"]["coordinates"] == [
                position["longitude"], position["latitude"], position["hae"],
            ]  # fmt: skip
            assert feature["properties"]["uid"] == event["uid"]
        assert 'rel="next"' in answer.headers["link"]
        following = answer.headers["link"].split(">")[0].lstrip("<")
        more = http(following, headers={"Accept": "application/geo+json"}).json["features"]
        assert [f["id"] for f in more] == [e["sequence"] for e in events(gateway)[2:4]]

    def test_cot_is_what_went_to_the_sinks(self, gateway: Gateway, server: TakServer) -> None:
        wait_for(lambda: len(set(server.sightings())) == 6, what="delivery")
        answer = http(f"{gateway.url}/v1/events?format=cot&limit=1000")
        found = {ET.tostring(e) for e in ET.fromstring(answer.body)}
        sent = {ET.tostring(ET.fromstring(e)) for e in server.events if b" detection=" in e}
        assert found == sent

    def test_csv(self, gateway: Gateway) -> None:
        answer = http(f"{gateway.url}/v1/events?format=csv")
        rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
        expected = events(gateway)
        assert [row["uid"] for row in rows] == [e["uid"] for e in expected]
        assert [float(row["latitude"]) for row in rows] == [
            e["position"]["latitude"] for e in expected
        ]

    def test_text_that_a_spreadsheet_would_run_is_text(self, tmp_path: Path) -> None:
        with started(Gateway(tmp_path, unknown_class_type="a-u-G")) as gateway:
            hostile = report("f-1", cars=1)
            hostile["detections"][0]["class"] = "=cmd|' /C calc'!A0"
            assert gateway.post(hostile).status == 201
            text = http(f"{gateway.url}/v1/events?format=csv").body.decode()
        (row,) = csv.DictReader(io.StringIO(text))
        assert row["class"].startswith("'=")

    def test_kml_and_its_network_link(self, gateway: Gateway) -> None:
        link = ET.fromstring(http(f"{gateway.url}/v1/events.kml").body)
        href = link.findtext(f".//{KML}href")
        assert href is not None
        document = ET.fromstring(http(href).body)
        marks = document.findall(f".//{KML}Placemark")
        placed = [mark.findtext(f"{KML}Point/{KML}coordinates") for mark in marks]
        assert placed == [
            f"{e['position']['longitude']:.7f},{e['position']['latitude']:.7f}"
            for e in events(gateway)
        ]


@contextmanager
def stream(gateway: Gateway, query: str = "", **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The messages of /v1/stream as they come."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("GET", f"/v1/stream{query}", headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")

    def messages() -> Iterator[dict[str, Any]]:
        fields: dict[str, str] = {}
        while line := answer.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name and value:
                fields[name] = value
            elif "data" in fields:
                yield {"id": int(fields["id"]), **json.loads(fields["data"])}
                fields = {}

    try:
        yield messages()
    finally:
        connection.close()


class TestStream:
    def test_what_is_committed_comes_at_once_and_resumes_without_a_gap(
        self, tmp_path: Path
    ) -> None:
        with started(Gateway(tmp_path)) as gateway:
            gateway.post(report("before", cars=1))
            with stream(gateway) as messages:
                gateway.post(report("f-1"))
                first = [next(messages), next(messages)]
            assert [each["frame_id"] for each in first] == ["f-1", "f-1"]
            gateway.post(report("f-2"))
            last = str(first[0]["id"])
            with stream(gateway, **{"Last-Event-ID": last}) as messages:
                again = [next(messages) for _ in range(3)]
                gateway.post(report("f-3", cars=1))
                again.append(next(messages))
            assert [each["frame_id"] for each in again] == ["f-1", "f-2", "f-2", "f-3"]
            assert [each["id"] for each in again] == [each["sequence"] for each in again]

    def test_only_what_is_asked_for(self, tmp_path: Path) -> None:
        with started(Gateway(tmp_path)) as gateway, stream(gateway, "?camera_id=b") as messages:
            gateway.post(report("f-1", camera="a"))
            gateway.post(report("f-2", camera="b", cars=1))
            assert next(messages)["camera_id"] == "b"

    def test_it_does_not_hold_up_the_end(self, tmp_path: Path) -> None:
        with started(Gateway(tmp_path)) as gateway, stream(gateway) as messages:
            gateway.post(report("f-1", cars=1))
            next(messages)
            began = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began < 10
            assert list(messages) == []


class TestAudit:
    def test_from_intake_to_the_sinks_acknowledgement(
        self, gateway: Gateway, server: TakServer
    ) -> None:
        wait_for(lambda: gateway.get("/v1/sinks/tak")["lag_events"] == 0, what="delivery")
        # The lag falls with the pong; the trail says so once that is written down.
        path = "/v1/audit?camera_id=b&frame_id=f-3"
        wait_for(
            lambda: all(e["sinks"][0]["settled_at"] for e in gateway.get(path)["entries"]),
            what="the settlement written down",
        )
        trail = gateway.get(path)["entries"]
        assert [each["index"] for each in trail] == [0, 1]
        (only,) = gateway.get("/v1/audit?camera_id=b&frame_id=f-3&index=1")["entries"]
        assert only == trail[1]
        event = next(e for e in events(gateway, "?camera_id=b") if e["index"] == 1)
        assert only["result"]["uid"] == event["uid"]
        assert only["sequence"] == event["sequence"]
        (sink,) = only["sinks"]
        assert (sink["sink"], sink["outcome"]) == ("tak", "acknowledged")
        moments = [
            only["captured_at"], only["received_at"], only["committed_at"], sink["sent_at"],
            sink["settled_at"],
        ]  # fmt: skip
        assert moments == sorted(moments, key=datetime.fromisoformat)

    def test_the_trace_of_the_request_is_kept(self, gateway: Gateway) -> None:
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        gateway.post(report("traced", camera="c", cars=1), traceparent=trace)
        (entry,) = gateway.get("/v1/audit?camera_id=c&frame_id=traced")["entries"]
        assert entry["trace_id"] == "0af7651916cd43dd8448eb211c80319c"

    def test_what_is_not_there_or_not_named(self, gateway: Gateway) -> None:
        assert http(f"{gateway.url}/v1/audit?camera_id=b&frame_id=none").status == 404
        refused(http(f"{gateway.url}/v1/audit?camera_id=b"), "frame_id")
        refused(http(f"{gateway.url}/v1/audit?camera_id=b&frame_id=x&sink=y"), "sink")


def post_lines(gateway: Gateway, lines: list[bytes]) -> list[dict[str, Any]]:
    answer = http(
        f"{gateway.url}/v1/detections/batch",
        body=b"\n".join(lines),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.status == 200
    return [json.loads(line) for line in answer.body.splitlines()]


class TestBatch:
    def test_every_line_is_answered_in_order_and_bad_ones_do_not_matter(
        self, tmp_path: Path
    ) -> None:
        with started(Gateway(tmp_path, queue_limit="16")) as gateway:
            lines = [json.dumps(report(f"f-{i}", camera=f"c-{i % 7}")).encode() for i in range(300)]
            lines[100] = b"{"
            lines[200] = json.dumps({**json.loads(lines[200]), "extra": 1}).encode()
            answers = post_lines(gateway, [*lines, b"", lines[0]])
            assert len(answers) == 301
            assert [a.get("frame_id") for a in answers[:100]] == [f"f-{i}" for i in range(100)]
            assert (answers[100]["status"], answers[200]["field"]) == (400, "extra")
            assert answers[300] == answers[0]
            total = 0
            since = 0
            while page := events(gateway, f"?since={since}&limit=1000"):
                total += len(page)
                since = page[-1]["sequence"]
            assert total == 298 * 2

    def test_another_type_and_a_line_without_end_are_refused(self, tmp_path: Path) -> None:
        with started(Gateway(tmp_path, max_body_bytes="2048")) as gateway:
            url = f"{gateway.url}/v1/detections/batch"
            wrong = http(url, body=b"{}", headers={"Content-Type": "application/json"})
            assert (wrong.status, wrong.json["field"]) == (415, "Content-Type")
            good = json.dumps(report("f-1", cars=1)).encode()
            answers = post_lines(gateway, [good, b"x" * 10_000])
            assert answers[0]["frame_id"] == "f-1"
            assert answers[1]["status"] == 413
