"""A drain that can be taken back: clients go elsewhere, and nothing is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from serving.application import application
from serving.probes import Readiness
from serving.problems import HttpProblem
from telemetry import metrics as telemetry_metrics


class FakeDuty:
    """Remembers what it was told; fails on demand."""

    def __init__(self) -> None:
        self.told: list[bool] = []
        self.trouble: HttpProblem | None = None

    async def change(self, *, draining: bool) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.told.append(draining)

    async def details(self) -> dict[str, Any]:
        return {"told": len(self.told)}


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
def duty() -> FakeDuty:
    return FakeDuty()


@pytest.fixture
async def client(readiness, duty):
    async def work(_request):
        return PlainTextResponse("done")

    app = application(
        routes=[Route("/work", work)],
        metrics=telemetry_metrics.registry(service="tested", version="1.2.3", colour="blue"),
        readiness=readiness,
        duty=duty,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_it_stays_ready_and_answers_and_asks_for_the_connection_to_be_closed(client):
    assert "connection" not in (await client.get("/work")).headers
    answer = await client.put("/v1/drain")
    assert answer.status_code == 200
    assert answer.json()["draining"] is True
    assert answer.json()["since"] is not None
    work = await client.get("/work")
    assert (work.text, work.headers["connection"]) == ("done", "close")
    ready = await client.get("/ready")
    assert (ready.status_code, ready.headers["connection"]) == (200, "close")


async def test_taking_it_back_welcomes_clients_again(client):
    await client.put("/v1/drain")
    answer = await client.delete("/v1/drain")
    assert (answer.json()["draining"], answer.json()["since"]) == (False, None)
    assert "connection" not in (await client.get("/work")).headers


async def test_each_can_be_said_again(client, duty):
    first = (await client.put("/v1/drain")).json()["since"]
    assert (await client.put("/v1/drain")).json()["since"] == first
    for _ in range(2):
        assert (await client.delete("/v1/drain")).json()["draining"] is False
    # Duty is told each time: the second time may be the one that mends what the first left half.
    assert duty.told == [True, True, False, False]


async def test_it_says_who_it_is_and_what_its_service_has_to_say(client):
    answer = await client.get("/v1/drain")
    assert answer.headers["cache-control"] == "no-store"
    report = answer.json()
    assert (report["service"], report["version"], report["colour"]) == ("tested", "1.2.3", "blue")
    assert report["details"] == {"told": 0}


async def test_clients_stay_where_duty_could_not_be_left(client, duty):
    duty.trouble = HttpProblem(status=503, type="store-failed", detail="no database")
    answer = await client.put("/v1/drain")
    assert (answer.status_code, answer.json()["detail"]) == (503, "no database")
    assert "connection" not in (await client.get("/work")).headers


async def test_a_process_on_its_way_out_is_not_called_back(client, readiness):
    readiness.leave()
    assert (await client.delete("/v1/drain")).json()["draining"] is True
    assert (await client.get("/ready")).status_code == 503


async def test_endless_answers_end_each_time(readiness):
    for _ in range(2):
        waiting = asyncio.create_task(readiness.drain.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        readiness.drain.begin()
        async with asyncio.timeout(5):
            await waiting
        readiness.drain.end()
