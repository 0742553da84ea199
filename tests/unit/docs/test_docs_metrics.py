"""Metrics are named as Prometheus has it, documented whole, and stay within their budget."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest

import cop_gateway.app
import series
from cop_gateway.delivery.delays import Delays
from cop_gateway.metrics import GatewayMetrics
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.settings import Settings, SinkSettings
from cop_gateway.sink_metrics import SinkMetrics
from detection.metrics import DetectionMetrics
from detection.web import problems
from running import report, required
from serving.probes import Readiness
from sightline.messages import Box, DetectedObject, StageTimings
from telemetry import metrics as telemetry_metrics

PAGE = Path(__file__).parents[3] / "docs/reference/metrics.md"
NO_BASE_UNIT = re.compile(r"_(ms|millis\w*|minutes|hours|days|kb|mb|kilo\w*|percent)(_|$)")
UNBOUNDED = {"camera", "camera_id", "frame", "frame_id", "uid", "path", "user", "address"}
HOSTILE = "planted-by-an-enemy"


@pytest.fixture(scope="module")
def registries() -> dict[str, CollectorRegistry]:
    return series.registries()


@pytest.fixture(scope="module")
def families(registries: dict[str, CollectorRegistry]) -> list[series.Family]:
    return [each for registry in registries.values() for each in series.families(registry)]


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == series.metrics_page(), "run `make reference`"


def test_every_label_is_declared_and_nothing_else(families: list[series.Family]) -> None:
    known = {each.name: set(each.labels) for each in families}
    # The one that counts log lines comes with them.
    declared = {name: set(bounds) for name, bounds in series.LABELS.items() if name in known}
    assert declared == {name: labels for name, labels in known.items() if labels}
    assert set(series.LABELS) - set(known) <= {"sightline_log_lines_total"}


def test_names_follow_the_conventions(families: list[series.Family]) -> None:
    own = [each for each in families if each.name.startswith("sightline_")]
    assert len(own) > 60
    for each in own:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", each.name)
        assert each.name.endswith("_total") == (each.kind == "counter"), each
        assert not NO_BASE_UNIT.search(each.name), each
        assert not each.name.endswith(("_count", "_sum", "_bucket", "_info_total")), each
        # A label's name in a metric's name says that there should be no such label, or name.
        assert not any(f"_by_{label}" in each.name for label in each.labels), each
        assert each.meaning[0].isupper() or each.meaning[0].isdigit(), each
        assert each.meaning.endswith("."), each
        assert not UNBOUNDED & {*each.labels}, each


def test_promtool_finds_nothing_to_say(registries: dict[str, CollectorRegistry]) -> None:
    if shutil.which("promtool") is None:
        required("promtool is not installed: apt-get install prometheus")
    for service, registry in registries.items():
        told = telemetry_metrics.Metrics(
            registry=registry, service=service, version="1", colour="blue"
        ).exposition()
        run = subprocess.run(
            ["promtool", "check", "metrics"], input=told, capture_output=True, check=False
        )
        found = [
            line
            for line in (run.stdout + run.stderr).decode().splitlines()
            # How the client library tells of the process is not ours.
            if not line.startswith(("process_", "python_"))
        ]
        assert found == [], service


def counted(registry: CollectorRegistry) -> Counter[str]:
    """Series by metric."""
    found: Counter[str] = Counter()
    for family in registry.collect():
        total = "_total" if family.type == "counter" else ""
        found[family.name + total] += sum(
            not sample.name.endswith("_created") for sample in family.samples
        )
    return found


def held(registry: CollectorRegistry) -> None:
    budgets = {each.name: each.budget for each in series.families(registry)}
    found = counted(registry)
    over = {name: (count, budgets[name]) for name, count in found.items() if count > budgets[name]}
    assert over == {}
    assert sum(found.values()) <= series.PER_SERVICE
    assert HOSTILE not in generate_latest(registry).decode()


def test_budgets_add_up(registries: dict[str, CollectorRegistry]) -> None:
    for service, registry in registries.items():
        assert sum(each.budget for each in series.families(registry)) <= series.PER_SERVICE, service


def test_a_site_of_the_stated_size_stays_within_the_budget() -> None:
    metrics = telemetry_metrics.registry(service="both", version="1", colour="blue")
    seen, delivered = DetectionMetrics(metrics), SinkMetrics(metrics)
    GatewayMetrics(metrics)
    models: Any = {f"model-{number}": None for number in range(series.MODELS)}
    lanes: Any = SimpleNamespace(
        waiting=0, queue_limit=1, busy=0, count=1, busy_seconds=0.0, replaced=0
    )
    store: Any = SimpleNamespace(models={}, refused=0)
    seen.watch(lanes, store, outcomes=problems.OUTCOMES)
    for model in models:
        found = [
            DetectedObject(class_name=f"class-{number}", confidence=0.9, box=Box(0, 0, 1, 1))
            for number in range(series.CLASSES)
        ]
        timings = StageTimings(
            queue=1, decode=1, letterbox=1, inference=1, postprocess=1, gateway=1, total=6
        )
        seen.detected(model=model, timings=timings, objects=found)
        for outcome in problems.OUTCOMES:
            seen.failed(model=model, outcome=outcome)
    for outcome in problems.OUTCOMES:
        seen.failed(model="none", outcome=outcome)
        seen.tensors_failed(outcome)
    for number in range(series.SINKS):
        name = f"sink-{number}"
        delivered.watch_sink(
            name,
            lag=lambda: 0,
            age=lambda: 0.0,
            state=lambda: "connected",
            expires_at=lambda: None,
            dead_letters=lambda: 0,
            missing=lambda: 0,
        )
        delivered.acknowledged(name, 1, 0.1, Delays((1.0,), (2.0,)))
    held(metrics.registry)
    # And the budget is no larger than it must be.
    assert counted(metrics.registry)["sightline_detection_detections_total"] == 400
    assert counted(metrics.registry)["sightline_gateway_delivery_duration_seconds"] == 360


def requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What somebody may send who wants to fill Prometheus' disk."""
    for number in range(60):
        name = f"{HOSTILE}-{number}"
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", name.upper()):
            for path in ("/v1/events/", "/v1/sinks/", "/", "/v1/detections/", "/metrics/"):
                yield method, path + name, {}
    for number in range(series.CAMERAS * 2):
        name = f"{HOSTILE}-{number}"
        body = report(name, camera=name, at=datetime.now(UTC))
        body["detections"][0]["class"] = name
        yield "POST", "/v1/detections", {"json": body}
        body["frame"]["captured_at"] = name
        yield "POST", "/v1/detections", {"json": body, "headers": {"X-Request-ID": name}}
        yield "POST", "/v1/detections", {"content": name.encode()}
        yield "GET", f"/v1/events?class={name}&{name}=1", {}
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", HOSTILE)
    for route in ("/", "/health", "/ready", "/metrics", "/v1/detections", "/v1/detections/batch",
                  "/v1/events", "/v1/events/a", "/v1/sinks", "/v1/sinks/tak/pause",
                  "/v1/audit", "/v1/tracks", "/v1/stream/a", "/v1/openapi.json"):  # fmt: skip
        for method in methods:
            yield method, route, {}


async def test_enemies_make_no_series(tmp_path: Path) -> None:
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'gateway.db'}",
        ground_height_m=400.0,
        sinks=tuple(
            SinkSettings(name=f"sink-{number}", url="tcp://127.0.0.1:9")
            for number in range(series.SINKS)
        ),
    )
    store = SqliteOutbox(tmp_path / "gateway.db")
    app = cop_gateway.app.build(settings, store, readiness=Readiness())
    statuses: Counter[int] = Counter()
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for method, path, body in requests():
                statuses[(await client.request(method, path, **body)).status_code] += 1
        held(app.state.metrics.registry)
        routes = {getattr(route, "path", "") for route in app.routes}
    assert {201, 400, 404, 405, 422} <= set(statuses)
    assert len(routes) + 1 <= series.ROUTE.most
