"""The calls of the Open Inference Protocol where a model has no time, or the service is busy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from detection.errors import DeadlineError, QueueFullError
from detection.tensors.api import OPERATIONS
from detection.tensors.routes import ACCESS, TensorCalls
from fakes.tensors import OnnxModels, opened, sums_model

ASKED = json.dumps(
    {
        "inputs": [
            {"name": name, "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
            for name in ("a", "b")
        ]
    }
)
INFER = "/v2/models/sums/infer"


@pytest.fixture
def models(tmp_path: Path) -> OnnxModels:
    return OnnxModels({"sums": opened(sums_model(tmp_path / "sums.onnx"))})


@pytest.fixture
def failures() -> list[str]:
    return []


@pytest.fixture
async def client(models: OnnxModels, failures: list[str]) -> AsyncIterator[httpx.AsyncClient]:
    calls = TensorCalls(
        models=models,
        service="tensors",
        version="1.2.3",
        max_bytes=100_000,
        deadline_seconds=5.0,
        failed=failures.append,
    )
    transport = httpx.ASGITransport(Starlette(routes=calls.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened_:
        yield opened_


async def test_without_time_for_it_a_client_is_told_when_to_come_back(
    client: httpx.AsyncClient, models: OnnxModels, failures: list[str]
) -> None:
    models.models["sums"].refusal = QueueFullError("all places are taken", retry_seconds=3.2)
    answer = await client.post(INFER, content=ASKED)
    assert (answer.status_code, answer.json()) == (503, {"error": "all places are taken"})
    assert answer.headers["retry-after"] == "3"
    models.models["sums"].refusal = DeadlineError("its turn did not come", retry_seconds=0.1)
    answer = await client.post(INFER, content=ASKED)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert failures == ["queue_full", "deadline_exceeded"]


async def test_a_service_that_is_not_ready_says_why(
    client: httpx.AsyncClient, models: OnnxModels
) -> None:
    models.reason = "all places are taken"
    answer = await client.get("/v2/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"error": "all places are taken"})
    assert (await client.get("/v2/health/live")).status_code == 200


async def test_a_client_that_waits_less_long_gets_less_time(
    client: httpx.AsyncClient, models: OnnxModels
) -> None:
    for timeout in (None, 1_000_000, 60_000_000):
        asked = json.loads(ASKED) | {"parameters": {"timeout": timeout}}
        assert (await client.post(INFER, json=asked)).status_code == 200
    full, shorter, longer = (each["deadline"] for each in models.models["sums"].asked)
    assert shorter < full - 3.0
    assert longer >= full


async def test_who_asks_is_told_to_the_model(client: httpx.AsyncClient, models: OnnxModels) -> None:
    await client.post(INFER, content=ASKED)
    assert models.models["sums"].asked[0]["client"] == "127.0.0.1"


async def test_a_request_that_is_refused_does_not_reach_the_model(
    client: httpx.AsyncClient, models: OnnxModels, failures: list[str]
) -> None:
    wrong = json.loads(ASKED)
    wrong["inputs"][1]["shape"] = [4, 1]
    answer = await client.post(INFER, json=wrong)
    assert answer.json() == {"error": "inputs[1].shape: 'b' is [4, 1], expected [-1, 4] (-1: any)"}
    assert models.models["sums"].asked == []
    assert failures == ["invalid_tensor"]


async def test_a_large_answer_comes_packed_only_where_that_is_asked(
    client: httpx.AsyncClient,
) -> None:
    rows = [[1.0, 2.0, 3.0, 4.0]] * 500
    asked = {
        "inputs": [
            {"name": name, "shape": [500, 4], "datatype": "FP32", "data": rows} for name in "ab"
        ]
    }
    plain = await client.post(INFER, json=asked, headers={"Accept-Encoding": "identity"})
    packed = await client.post(INFER, json=asked, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert packed.json() == plain.json()


def test_every_call_is_described_and_nothing_else(models: OnnxModels) -> None:
    calls = TensorCalls(models=models, service="-", version="-", max_bytes=1, deadline_seconds=1.0)
    found = {
        (method, route.path)
        for route in calls.routes()
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert found == set(OPERATIONS)
    assert set(ACCESS) <= found
