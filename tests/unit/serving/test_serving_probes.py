"""Liveness, readiness and metrics, alike for every service."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from serving.application import application
from serving.probes import Readiness
from telemetry import metrics as telemetry_metrics


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
async def client(readiness):
    app = application(
        routes=[],
        metrics=telemetry_metrics.registry(service="tested", version="1.2.3", colour="blue"),
        readiness=readiness,
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as client:
        yield client


IDENTITY = {"service": "tested", "version": "1.2.3", "colour": "blue"}


async def test_health_says_who_it_is_and_is_never_cached(client):
    answer = await client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", **IDENTITY}
    assert answer.headers["cache-control"] == "no-store"


async def test_ready_as_long_as_no_check_objects(client, readiness):
    trouble: dict[str, str | None] = {"queue": None, "model": None}
    readiness.add("queue", lambda: trouble["queue"])
    readiness.add("model", lambda: trouble["model"])
    answer = await client.get("/ready")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "reasons": {}, **IDENTITY}
    trouble["model"] = "no model is loaded"
    answer = await client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert answer.json()["reasons"] == {"model": "no model is loaded"}
    assert readiness.ready() == (False, "no model is loaded")
    trouble["model"] = None
    assert (await client.get("/ready")).status_code == 200


async def test_metrics_say_whether_it_is_ready(client, readiness):
    trouble: dict[str, str | None] = {"queue": None}
    readiness.add("queue", lambda: trouble["queue"])
    labels = 'colour="blue",version="1.2.3"'
    assert f"sightline_ready{{{labels}}} 1.0\n" in (await client.get("/metrics")).text
    trouble["queue"] = "too much waits"
    assert f"sightline_ready{{{labels}}} 0.0\n" in (await client.get("/metrics")).text
    trouble["queue"] = None
    readiness.leave()
    assert f"sightline_ready{{{labels}}} 0.0\n" in (await client.get("/metrics")).text


async def test_a_draining_process_is_not_ready_for_good_but_lives(client, readiness):
    assert not readiness.drain.draining
    readiness.leave()
    assert readiness.drain.draining
    answer = await client.get("/ready")
    assert answer.status_code == 503
    assert "draining" in answer.json()["reasons"]
    assert (await client.get("/health")).status_code == 200
    readiness.leave()
    assert (await client.get("/ready")).status_code == 503


async def test_endless_answers_learn_of_the_drain(readiness):
    waiting = asyncio.create_task(readiness.drain.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    readiness.leave()
    async with asyncio.timeout(5):
        await waiting
        await readiness.drain.wait()


async def test_metrics_are_in_prometheus_text_and_carry_the_colour(client):
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    (info,) = [x for x in answer.text.splitlines() if x.startswith("sightline_build_info{")]
    for name, value in IDENTITY.items():
        assert f'{name}="{value}"' in info


async def test_metrics_are_in_openmetrics_where_that_is_preferred(client):
    await client.get("/health")
    answer = await client.get(
        "/metrics",
        headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"},
    )
    assert answer.headers["content-type"] == (
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    )
    (info,) = next(
        family.samples
        for family in text_string_to_metric_families(answer.text)
        if family.name == "sightline_build_info"
    )
    assert info.labels == IDENTITY


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_probes_are_only_read(client, path):
    answer = await client.post(path)
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
