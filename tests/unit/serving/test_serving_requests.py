"""Around every request: its id, its trace, its log line, its metrics, and the last resort."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from structlog.testing import LogCapture

from fakes.collector import attributes, collecting
from serving import identity
from serving.application import application
from serving.probes import Readiness
from telemetry import logs, traces
from telemetry import metrics as telemetry_metrics
from telemetry.exposition import OPENMETRICS
from telemetry.spans import Spans

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Service:
    """An application with a call for everything that can happen."""

    def __init__(self, collector: str | None = None) -> None:
        self.readiness = Readiness()
        self.metrics = telemetry_metrics.registry(service="tested", version="1", colour="none")
        self.spans = Spans.open(collector, metrics=self.metrics, environ={})
        self.app = application(
            routes=[
                Route("/items/{item}", self.item, methods=["GET", "POST"]),
                Route("/fails", self.fails),
                Route("/half", self.half),
                Route("/closes", self.closes),
                Route("/left", self.left),
                Route("/slow", self.slow),
            ],
            metrics=self.metrics,
            readiness=self.readiness,
            spans=self.spans,
        )

    async def item(self, request: Request) -> Response:
        logs.bind(camera_id=request.path_params["item"])
        logs.get("test").info("inside")
        trace = traces.current.get()
        assert trace is not None
        return PlainTextResponse(f"{identity.current.get()} {trace.header}")

    async def fails(self, _request: Request) -> Response:
        raise RuntimeError("the reason for the log")

    async def half(self, _request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("half way")

        return StreamingResponse(body())

    async def closes(self, _request: Request) -> Response:
        return PlainTextResponse("", headers={"Connection": "upgrade"})

    async def left(self, _request: Request) -> Response:
        raise ClientDisconnect

    async def slow(self, _request: Request) -> Response:
        await asyncio.sleep(60)
        return PlainTextResponse("late")

    async def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, path, headers=named)

    def count(self, **labels: str) -> float:
        return self._sample("sightline_http_requests_total", labels)

    def _sample(self, name: str, labels: dict[str, str]) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    @property
    def in_flight(self) -> float:
        return self._sample("sightline_http_requests_in_flight", {})


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def lines():
    """What is logged, with what is bound to the request."""
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, capture],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    yield capture.entries
    structlog.configure(**before)


async def test_the_callers_id_comes_back_and_is_known_inside(service):
    answer = await service.get("/items/a", x_request_id="mine-7")
    assert answer.headers.get_list("x-request-id") == ["mine-7"]
    assert answer.text.split()[0] == "mine-7"


@pytest.mark.parametrize("header", ["two words", "x" * 200, ""])
async def test_an_id_that_is_not_sane_is_replaced(service, header):
    answer = await service.get("/items/a", x_request_id=header)
    given = answer.headers["x-request-id"]
    assert given != header
    assert given == answer.text.split()[0]


async def test_every_answer_has_an_id_of_its_own(service):
    ids = [
        (await service.get(path)).headers["x-request-id"]
        for path in ("/items/a", "/items/a", "/fails", "/nowhere", "/health")
    ]
    assert len(set(ids)) == len(ids)


async def test_the_callers_trace_goes_on_and_without_one_there_is_a_new_one(service):
    sent_on = traces.parse((await service.get("/items/a", traceparent=TRACE)).text.split()[1])
    caller = traces.parse(TRACE)
    assert sent_on is not None
    assert caller is not None
    assert sent_on.trace_id == caller.trace_id
    assert sent_on.span_id != caller.span_id
    fresh = traces.parse((await service.get("/items/a")).text.split()[1])
    assert fresh is not None
    assert fresh.trace_id != caller.trace_id


async def test_every_line_of_a_request_carries_its_ids_and_no_others(service, lines):
    await service.get("/items/a", x_request_id="one", traceparent=TRACE)
    await service.get("/nowhere", x_request_id="two")
    first = [line for line in lines if line["request_id"] == "one"]
    assert [line["event"] for line in first] == ["inside", "request"]
    caller = traces.parse(TRACE)
    assert caller is not None
    for line in first:
        assert line["trace_id"] == caller.trace_id
        assert line["camera_id"] == "a"
    (second,) = [line for line in lines if line["request_id"] == "two"]
    assert "camera_id" not in second
    assert second["trace_id"] != caller.trace_id


async def test_requests_at_the_same_time_do_not_mix_their_ids(service, lines):
    await asyncio.gather(
        *(service.get(f"/items/{n}", x_request_id=f"request-{n}") for n in range(20))
    )
    inside = [line for line in lines if line["event"] == "inside"]
    assert {(line["request_id"], line["camera_id"]) for line in inside} == {
        (f"request-{n}", str(n)) for n in range(20)
    }


async def test_the_line_of_a_request_says_what_was_asked_and_how_it_ended(service, lines):
    await service.get("/items/a")
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/items/{item}", 200)
    assert line["duration_ms"] >= 0
    assert line["log_level"] == "info"


async def test_probes_are_logged_for_debugging_only(service, lines):
    for path in ("/health", "/ready", "/metrics"):
        await service.get(path)
    assert [line["log_level"] for line in lines if line["event"] == "request"] == ["debug"] * 3


async def test_an_error_of_ours_is_500_to_the_caller_and_a_trace_in_the_log(service, lines):
    answer = await service.get("/fails", x_request_id="failing")
    assert answer.status_code == 500
    assert "reason for the log" not in answer.text
    assert answer.json()["instance"] == answer.headers["x-request-id"] == "failing"
    (failed,) = [line for line in lines if line["event"] == "request failed"]
    assert failed["request_id"] == "failing"
    assert failed["exc_info"]
    assert service.count(method="GET", route="/fails", status="500") == 1


async def test_half_an_answer_is_cut_and_never_ends_as_if_it_were_whole(service):
    with pytest.raises(RuntimeError, match="half way"):
        await service.get("/half")
    assert service.in_flight == 0


async def test_metrics_count_by_the_routes_template(service):
    for item in ("a", "b", "c"):
        await service.get(f"/items/{item}")
    await service.get("/items/a", method="POST")
    for n in range(5):
        await service.get(f"/try/{n}.php")
    await service.get("/items/a", method="BREW")
    assert service.count(method="GET", route="/items/{item}", status="200") == 3
    assert service.count(method="POST", route="/items/{item}", status="200") == 1
    assert service.count(method="GET", route="unmatched", status="404") == 5
    await service.get("/items/a", method="DELETE")
    assert service.count(method="other", route="/items/{item}", status="405") == 2
    told = service.metrics.exposition().decode()
    assert ".php" not in told
    assert "BREW" not in told


async def test_a_client_that_left_is_499_and_no_error(service, lines):
    sent = []
    await service.app(_scope("/left"), _nothing, _collect(sent))
    assert sent == []
    assert service.count(method="GET", route="/left", status="499") == 1
    assert not [line for line in lines if line["event"] == "request failed"]


async def test_a_request_that_is_cancelled_is_counted_as_one_that_left(service):
    asking = asyncio.create_task(service.app(_scope("/slow"), _nothing, _collect([])))
    while service.in_flight == 0:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert service.in_flight == 0
    assert service.count(method="GET", route="/slow", status="499") == 1


async def test_each_request_is_a_span_below_its_callers_and_probes_are_none():
    with collecting() as collector:
        service = Service(collector.url)
        caller = traces.parse(TRACE)
        assert caller is not None
        sent_on = traces.parse((await service.get("/items/a", traceparent=TRACE)).text.split()[1])
        assert sent_on is not None
        for path in ("/fails", "/try/x.php", "/health", "/ready", "/metrics"):
            await service.get(path)
        await service.get("/items/a", method="BREW")
        service.spans.close()
    names = ["GET /items/{item}", "GET /fails", "GET", "HTTP /items/{item}"]
    assert [span.name for span in collector.spans] == names
    item, failed, unmatched, invented = collector.spans
    assert item.trace_id == bytes.fromhex(caller.trace_id)
    assert item.parent_span_id == bytes.fromhex(caller.span_id)
    assert item.span_id == bytes.fromhex(sent_on.span_id)
    assert item.kind == item.SPAN_KIND_SERVER
    assert item.end_time_unix_nano >= item.start_time_unix_nano
    assert attributes(item) == {
        "http.request.method": "GET",
        "http.route": "/items/{item}",
        "http.response.status_code": 200,
        "url.scheme": "http",
    }
    assert failed.status.code == failed.status.STATUS_CODE_ERROR
    assert attributes(failed)["error.type"] == "500"
    assert "http.route" not in attributes(unmatched)
    assert attributes(unmatched)["http.response.status_code"] == 404
    # A refusal is the caller's mistake, and no error of this service.
    assert unmatched.status.code == unmatched.status.STATUS_CODE_UNSET
    assert attributes(invented)["http.request.method"] == "_OTHER"


async def test_a_requests_duration_leads_to_its_trace_and_a_probes_to_none(service):
    await service.get("/items/a", traceparent=TRACE)
    for path in ("/health", "/ready", "/metrics"):
        await service.get(path)
    told = service.metrics.exposition(OPENMETRICS).decode().splitlines()
    (line,) = [line for line in told if " # {" in line]
    assert 'route="/items/{item}"' in line
    assert '# {trace_id="0af7651916cd43dd8448eb211c80319c"}' in line


async def test_while_draining_connections_are_asked_to_close(service):
    assert "connection" not in (await service.get("/items/a")).headers
    service.readiness.leave()
    for path in ("/items/a", "/nowhere", "/fails", "/ready"):
        assert (await service.get(path)).headers["connection"] == "close"
    # What a call says of its connection itself is left to it.
    assert (await service.get("/closes")).headers.get_list("connection") == ["upgrade"]


def _scope(path: str):
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "server": ("test", 80),
        "client": ("test", 1),
    }


async def _nothing():
    return {"type": "http.request", "body": b"", "more_body": False}


def _collect(sent):
    async def send(message):
        sent.append(message)

    return send
