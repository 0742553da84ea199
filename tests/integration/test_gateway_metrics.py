"""What a running gateway counts of frames, deliveries, its store and its backups."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from cop_gateway.metrics import KINDS, REJECTIONS
from cop_gateway.outbox.migrations import SQLITE_STEPS
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.web import api
from postgres_server import Postgres
from running import Gateway, Taky, http, report, started, wait_for
from serving.openapi.refusals import ACCESS, INTERNAL_ERROR

Labels = Mapping[str, str]


def told(gateway: Gateway) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample, by its name and labels but version and colour."""
    text = http(f"{gateway.url}/metrics").body.decode()
    return {
        (
            sample.name,
            frozenset(
                (name, value)
                for name, value in sample.labels.items()
                if name not in ("version", "colour")
            ),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(gateway: Gateway, name: str, **labels: str) -> float:
    return told(gateway)[name, frozenset(labels.items())]


def settled(gateway: Gateway) -> bool:
    (sink,) = gateway.get("/v1/sinks")["sinks"]
    return bool(sink["state"] == "connected" and sink["lag_events"] == 0 and sink["acknowledged"])


def test_all_that_is_known_beforehand_is_told_as_nothing_yet(tmp_path: Path) -> None:
    """A rate over a counter that begins with its first event misses that event."""
    with started(Gateway(tmp_path, sink="tcp://127.0.0.1:9")) as gateway:
        samples = told(gateway)
    sink = frozenset({("sink", "tak")})
    for name in (
        "sightline_gateway_events_sent_total",
        "sightline_gateway_events_repeated_total",
        "sightline_gateway_events_acknowledged_total",
        "sightline_gateway_events_filtered_total",
        "sightline_gateway_events_outdated_total",
        "sightline_gateway_events_buried_total",
        "sightline_gateway_sink_connects_total",
        "sightline_gateway_delivery_duration_seconds_count",
        "sightline_gateway_frame_to_cot_duration_seconds_count",
        "sightline_gateway_sink_acknowledge_duration_seconds_count",
        "sightline_gateway_dead_letters",
        "sightline_gateway_delivery_missing_events",
        "sightline_gateway_sink_paused",
    ):
        assert samples[name, sink] == 0, name
    for kind in KINDS:
        assert samples["sightline_gateway_events_committed_total", frozenset({("kind", kind)})] == 0
    for reason in REJECTIONS:
        labels = frozenset({("reason", reason)})
        assert samples["sightline_gateway_reports_rejected_total", labels] == 0


def test_the_reasons_of_rejections_are_those_that_the_call_is_described_with() -> None:
    described = {
        refusal.type
        for call in (("POST", "/v1/detections"), ("POST", "/v1/detections/batch"))
        for refusal in api.API.operations[call].refusals
    }
    elsewhere = {each.type for each in (*ACCESS, INTERNAL_ERROR)} | {"unsupported-media-type"}
    assert described - elsewhere == set(REJECTIONS)


def test_a_frame_is_followed_from_its_capture_to_the_server(tmp_path: Path, taky: Taky) -> None:
    with started(Gateway(tmp_path, sink=taky.url)) as gateway:
        captured = datetime.now(UTC) - timedelta(seconds=40)
        assert gateway.post(report("1", at=captured, cars=3)).status == 201
        wait_for(lambda: settled(gateway), what="the acknowledgement")
        sink = {"sink": "tak"}
        committed = (
            value(gateway, "sightline_gateway_events_committed_total", kind="detection"),
            value(gateway, "sightline_gateway_events_committed_total", kind="platform"),
        )
        assert committed[0] == 3
        assert committed[1] >= 1
        # One frame, one commit; all of its events came with them.
        frame = "sightline_gateway_frame_to_cot_duration_seconds"
        assert value(gateway, f"{frame}_count", **sink) == 1
        assert 40 <= value(gateway, f"{frame}_sum", **sink) < 70
        commit = "sightline_gateway_delivery_duration_seconds"
        assert value(gateway, f"{commit}_count", **sink) >= 1
        assert value(gateway, f"{commit}_sum", **sink) < 30
        assert value(gateway, "sightline_gateway_frame_age_seconds_count") == 1
        assert 40 <= value(gateway, "sightline_gateway_frame_age_seconds_sum") < 70
        assert value(gateway, "sightline_gateway_frames_ahead_total") == 0


def test_nothing_is_left_over_between_commit_and_acknowledgement(
    tmp_path: Path, taky: Taky
) -> None:
    sinks = f'[{{"name": "tak", "url": "{taky.url}", "filter": {{"classes": ["person"]}}}}]'
    with started(Gateway(tmp_path, sinks=sinks)) as gateway:
        for number in range(4):
            assert gateway.post(report(str(number), cars=2)).status == 201
        wait_for(lambda: settled(gateway), what="the acknowledgement")
        samples = told(gateway)
    sink = frozenset({("sink", "tak")})
    committed = sum(
        count
        for (name, _), count in samples.items()
        if name == "sightline_gateway_events_committed_total"
    )
    filtered = samples["sightline_gateway_events_filtered_total", sink]
    acknowledged = samples["sightline_gateway_events_acknowledged_total", sink]
    assert filtered == 8
    assert acknowledged > 0
    assert committed == filtered + acknowledged


def test_cameras_whose_clocks_are_ahead_are_counted_even_if_they_are_refused(
    tmp_path: Path,
) -> None:
    with started(Gateway(tmp_path)) as gateway:
        now = datetime.now(UTC)
        assert gateway.post(report("1", at=now + timedelta(seconds=20))).status == 201
        assert gateway.post(report("2", at=now + timedelta(hours=1))).status == 422
        assert gateway.post(report("3", at=now)).status == 201
        assert value(gateway, "sightline_gateway_frames_ahead_total") == 2
        assert value(gateway, "sightline_gateway_frame_age_seconds_count") == 1


def test_the_last_backup_and_the_last_proof_are_told(tmp_path: Path) -> None:
    SqliteOutbox(tmp_path / "gateway.db").close()
    end = int(time.time()) - 3_600
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        database.execute(
            "INSERT INTO backups (id, kind, location, started_at, finished_at, size_bytes,"
            " verified_at) VALUES ('b', 'sqlite', '/backups', ?, ?, 4096, ?)",
            ((end - 12) * 1_000_000, end * 1_000_000, (end + 60) * 1_000_000),
        )
    database.close()
    with started(Gateway(tmp_path)) as gateway:
        name = "sightline_backup_last_success_timestamp_seconds"
        wait_for(lambda: value(gateway, name) == end, what="the backup in the metrics")
        assert value(gateway, "sightline_backup_last_size_bytes") == 4096
        assert value(gateway, "sightline_backup_last_duration_seconds") == 12
        assert value(gateway, "sightline_backup_last_verified_timestamp_seconds") == end + 60
        assert value(gateway, "sightline_gateway_schema_version") == len(SQLITE_STEPS)


def test_without_any_backup_there_is_no_number(tmp_path: Path) -> None:
    with started(Gateway(tmp_path)) as gateway:
        for name in ("success_timestamp_seconds", "size_bytes", "verified_timestamp_seconds"):
            assert math.isnan(value(gateway, f"sightline_backup_last_{name}"))


def test_a_paused_sink_is_told_apart_from_one_that_is_lost(tmp_path: Path, taky: Taky) -> None:
    with started(Gateway(tmp_path, sink=taky.url)) as gateway:
        assert http(f"{gateway.url}/v1/sinks/tak/pause", method="POST").status == 200
        wait_for(
            lambda: value(gateway, "sightline_gateway_sink_paused", sink="tak") == 1,
            what="the pause",
        )
        assert value(gateway, "sightline_gateway_sink_connected", sink="tak") == 0
        assert http(f"{gateway.url}/v1/sinks/tak/resume", method="POST").status == 200
        wait_for(
            lambda: value(gateway, "sightline_gateway_sink_connected", sink="tak") == 1,
            what="the connection",
        )
        assert value(gateway, "sightline_gateway_sink_paused", sink="tak") == 0


def test_a_database_that_is_gone_is_told_and_metrics_do_not_wait_for_it(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "server")
    with (
        started(server),
        started(Gateway(tmp_path / "gateway", database=server.create("here"))) as gateway,
    ):
        assert value(gateway, "sightline_gateway_store_up") == 1
        assert value(gateway, "sightline_ready") == 1
        failures = value(gateway, "sightline_gateway_store_failures_total")
        server.crash()
        wait_for(lambda: value(gateway, "sightline_gateway_store_up") == 0, what="the loss")
        began = time.monotonic()
        assert value(gateway, "sightline_gateway_store_failures_total") > failures
        assert time.monotonic() - began < 2
        server.start()
        wait_for(lambda: value(gateway, "sightline_gateway_store_up") == 1, what="its return")


def test_a_process_that_drains_is_not_ready(tmp_path: Path) -> None:
    with started(Gateway(tmp_path, drain_seconds="20")) as gateway:
        assert value(gateway, "sightline_ready") == 1
        gateway.popen.terminate()
        wait_for(lambda: value(gateway, "sightline_ready") == 0, what="the drain")
        gateway.kill()
