"""Committing at the gateway: asked again while there is time, and what is made of its answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from detection import gateway
from detection.errors import (
    FrameDiffersError,
    GatewayError,
    GatewayRefusal,
    GatewayTimeoutError,
    GatewayUnavailableError,
)
from detection.gateway import Gateway
from fakes.gateway import receipt
from serving import identity
from sightline.messages import Box, Detection, DetectionReport, Frame, Placement, Unplaced, encode
from telemetry import traces

REPORT = DetectionReport(
    frame=Frame(
        frame_id="f-1", camera_id="c-1", captured_at=datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    ),
    detections=tuple(
        Detection(class_name="car", confidence=0.5, box=Box(n, n, n + 8, n + 8)) for n in range(3)
    ),
)
PLENTY = 60.0
Reply = httpx.Response | Exception


def committed(status: int = 201, **changes) -> httpx.Response:
    return httpx.Response(status, json={**receipt(json.loads(encode(REPORT))), **changes})


def problem(status: int, **members) -> httpx.Response:
    body = {"type": "/problems/some", "title": "Some", "status": status, "detail": "so it is"}
    return httpx.Response(status, json={**body, **members})


class Asked:
    """A gateway that gives its replies in turn, then the last one again and again."""

    def __init__(self, *replies: Reply, url: str = "http://gateway:8001") -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []
        self.outcomes: list[str] = []
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.gateway = Gateway(
            url, client=self.client, outcome=self.outcomes.append, jitter=lambda: 0.0
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def commit(self, *, seconds: float = PLENTY):
        deadline = asyncio.get_running_loop().time() + seconds
        return await self.gateway.commit(REPORT, deadline=deadline)


@pytest.mark.parametrize("status", [200, 201])  # 200: it had this frame already
async def test_a_receipt_is_read_by_its_indices(status):
    asked = Asked(committed(status))
    found = await asked.commit()
    by_index = {each.index: each for each in found.results}
    assert isinstance(by_index[0], Placement)
    assert isinstance(by_index[1], Unplaced)
    assert asked.outcomes == ["committed"]
    (request,) = asked.requests
    assert (request.method, request.url.path) == ("POST", "/v1/detections")
    assert request.headers["content-type"] == "application/json"
    assert request.content == encode(REPORT)


async def test_a_gateway_below_a_path_is_asked_there():
    asked = Asked(committed(), url="http://cop.example/sightline/")
    await asked.commit()
    assert str(asked.requests[0].url) == "http://cop.example/sightline/v1/detections"


async def test_the_requests_id_and_trace_go_along_with_a_span_of_its_own():
    mine = traces.generate()
    identity.current.set("request-1")
    traces.current.set(mine)
    asked = Asked(httpx.Response(503), committed())
    await asked.commit()
    spans = set()
    for request in asked.requests:
        assert request.headers["x-request-id"] == "request-1"
        sent = traces.parse(request.headers["traceparent"])
        assert sent.trace_id == mine.trace_id
        spans.add(sent.span_id)
    # Each attempt is a call of its own.
    assert len(spans - {mine.span_id}) == 2


async def test_a_key_is_shown_and_nothing_is_where_there_is_none():
    for key, header in (("sl_key", "Bearer sl_key"), (None, None)):
        async with gateway.client(key=key) as client:
            assert client.headers.get("authorization") == header


NOT_NOW: list[Callable[[], Reply]] = [
    *(lambda status=status: httpx.Response(status) for status in (429, 502, 503, 504)),
    lambda: httpx.ConnectError("refused"),
    lambda: httpx.ReadError("reset"),
    lambda: httpx.RemoteProtocolError("closed"),
    lambda: httpx.ConnectTimeout("swallowed"),
]


@pytest.mark.parametrize("reply", NOT_NOW)
async def test_not_now_is_asked_again_until_it_is_committed(reply):
    asked = Asked(reply(), reply(), reply(), committed())
    assert (await asked.commit()).frame_id == "f-1"
    assert len(asked.requests) == 4
    assert len({request.content for request in asked.requests}) == 1
    assert len(asked.outcomes) == 4
    assert asked.outcomes[-1] == "committed"


async def test_it_waits_as_long_as_the_gateway_says():
    asked = Asked(httpx.Response(503, headers={"Retry-After": "1"}), committed())
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asked.commit()
    assert loop.time() - began >= 1.0


async def test_a_gateway_that_says_to_come_back_after_the_deadline_is_not_waited_for():
    asked = Asked(httpx.Response(503, headers={"Retry-After": "90"}))
    with pytest.raises(GatewayUnavailableError) as caught:
        await asked.commit()
    assert caught.value.retry_seconds == 90.0
    assert len(asked.requests) == 1


@pytest.mark.parametrize("header", ["soon", "-5", "Tue, 24 Nov 2026 10:00:00 GMT", "1.5", "²"])
async def test_a_retry_after_that_is_no_number_is_as_if_there_were_none(header):
    headers = {"Retry-After": header.encode()}
    asked = Asked(httpx.Response(503, headers=headers), committed())
    await asked.commit()
    assert len(asked.requests) == 2


async def test_a_gateway_that_stays_down_is_told_within_the_deadline():
    asked = Asked(httpx.ConnectError("refused"))
    asked.gateway = Gateway(
        "http://gateway", client=asked.client, outcome=asked.outcomes.append, jitter=lambda: 1.0
    )
    with pytest.raises(GatewayUnavailableError, match="ConnectError") as caught:
        await asked.commit(seconds=0.5)
    assert not isinstance(caught.value, GatewayTimeoutError)
    assert len(asked.requests) > 1
    assert set(asked.outcomes) == {"unreachable"}


async def test_no_attempt_is_begun_that_could_only_run_out_of_time():
    """Of a gateway that is away it would make a timeout: then the frame may have been committed."""
    asked = Asked(httpx.ConnectError("refused"))
    asked.gateway = Gateway(
        "http://gateway", client=asked.client, outcome=asked.outcomes.append, jitter=lambda: 1.0
    )
    seconds = gateway.FIRST_BACKOFF_SECONDS + gateway.LEAST_SECONDS / 2
    with pytest.raises(GatewayUnavailableError, match="ConnectError"):
        await asked.commit(seconds=seconds)
    assert len(asked.requests) == 1


async def test_a_gateway_that_does_not_answer_is_a_timeout():
    never = asyncio.Event()

    async def silent(request: httpx.Request) -> httpx.Response:
        await never.wait()
        return committed()

    outcomes: list[str] = []
    async with httpx.AsyncClient(transport=httpx.MockTransport(silent)) as client:
        slow = Gateway("http://gateway", client=client, outcome=outcomes.append)
        async with asyncio.timeout(PLENTY):
            with pytest.raises(GatewayTimeoutError):
                await slow.commit(REPORT, deadline=asyncio.get_running_loop().time() + 0.1)
    assert outcomes == ["timeout"]


async def test_without_time_left_it_is_not_even_asked():
    asked = Asked(committed())
    with pytest.raises(GatewayTimeoutError):
        await asked.commit(seconds=0.0)
    assert asked.requests == []


@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_a_refusal_keeps_the_gateways_words_and_is_not_asked_again(status):
    told = problem(status, field="detections[0].class", limit="l", reason="r")
    asked = Asked(told, committed())
    with pytest.raises(GatewayRefusal) as caught:
        await asked.commit()
    assert json.loads(encode(caught.value.problem)) == told.json()
    assert len(asked.requests) == 1
    assert asked.outcomes == ["refused"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"{}", b'{"status": 422}'])
async def test_a_refusal_without_words_keeps_its_status(content):
    with pytest.raises(GatewayRefusal) as caught:
        await Asked(httpx.Response(422, content=content)).commit()
    assert caught.value.problem.status == 422
    assert "422" in caught.value.problem.detail


@pytest.mark.parametrize("status", [204, 301, 401, 403, 404, 500])
async def test_any_other_status_is_not_a_commit_and_not_asked_again(status):
    asked = Asked(httpx.Response(status, headers={"Location": "http://elsewhere/"}), committed())
    with pytest.raises(GatewayError, match=str(status)):
        await asked.commit()
    assert len(asked.requests) == 1
    assert asked.outcomes == ["failed"]


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"", {}),
        (b"<html>a captive portal</html>", {}),
        (b'{"frame_id": "f-1"}', {}),
        (b"junk", {"Content-Encoding": "gzip"}),
    ],
)
async def test_an_answer_that_is_no_receipt_is_not_a_commit(content, headers):
    # As it comes off the wire: decoded only when it is read.
    odd = httpx.Response(201, headers=headers, stream=httpx.ByteStream(content))
    asked = Asked(odd, committed())
    with pytest.raises(GatewayError) as caught:
        await asked.commit()
    assert type(caught.value) is GatewayError
    assert asked.outcomes == ["failed"]


@pytest.mark.parametrize("other", [{"frame_id": "f-2"}, {"camera_id": "c-2"}])
async def test_a_receipt_for_another_frame_is_not_believed(other):
    with pytest.raises(GatewayError, match="another frame"):
        await Asked(committed(**other)).commit()


@pytest.mark.parametrize(
    "pick",
    [
        lambda results: results[:2],
        lambda results: [],
        lambda results: [*results, {**results[0], "index": 3}],
        lambda results: [results[0], results[0], results[2]],
    ],
)
async def test_a_frame_that_is_there_with_other_detections_is_told(pick):
    """The frame was committed before, from another image or with another model."""
    results = committed().json()["results"]
    with pytest.raises(FrameDiffersError, match="f-1") as caught:
        await Asked(committed(200, results=pick(results))).commit()
    assert "c-1" in str(caught.value)
