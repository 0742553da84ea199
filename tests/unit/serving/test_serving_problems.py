"""Problem documents (RFC 9457): a stable type, the field, the limit; never a stack trace."""

from __future__ import annotations

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving import problems
from serving.application import application
from serving.probes import Readiness
from serving.problems import HttpProblem
from sightline.messages import Detection, MessageError, Problem, decode
from telemetry import metrics as telemetry_metrics


async def answered(raised: Exception, *, method: str = "GET", path: str = "/call", **app):
    async def call(_request: Request) -> Response:
        raise raised

    service = application(
        routes=[Route("/call", call, methods=["GET"])],
        metrics=telemetry_metrics.registry(service="tested", version="1", colour="none"),
        readiness=Readiness(),
        **app,
    )
    transport = httpx.ASGITransport(service)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.request(method, path, headers={"x-request-id": "asked-1"})
    assert answer.headers["content-type"] == "application/problem+json"
    told = decode(answer.content, Problem)
    assert told.status == answer.status_code
    assert told.instance == "asked-1"
    assert told.type.startswith("/problems/")
    assert told.title
    return answer, told


async def test_a_problem_is_answered_with_all_that_it_says():
    answer, told = await answered(
        HttpProblem(
            status=413,
            type="payload-too-large",
            detail="body: is too long",
            field="body",
            limit="5 bytes",
            reason="because",
            headers={"Retry-After": "7"},
        )
    )
    assert answer.status_code == 413
    assert answer.headers["retry-after"] == "7"
    assert told.type == "/problems/payload-too-large"
    assert (told.detail, told.field, told.limit, told.reason) == (
        "body: is too long", "body", "5 bytes", "because",
    )  # fmt: skip


async def test_members_that_nobody_set_are_left_out():
    answer, _ = await answered(HttpProblem(status=400, type="bad-request", detail="no"))
    assert set(answer.json()) <= {"type", "title", "status", "detail", "instance"}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, "body"),
        (b"\xff", 400, "body"),
        (b"[" * 100_000, 400, "body"),
        (b"[]", 422, "body"),
        (b'{"class": "car", "confidence": 2, "pixel": [1, 2]}', 422, "confidence"),
    ],
)
async def test_what_breaks_the_contract_is_400_when_it_is_no_json_and_else_422(body, status, field):
    with pytest.raises(MessageError) as caught:
        decode(body, Detection)
    answer, told = await answered(caught.value)
    assert answer.status_code == status
    assert told.field == field
    assert told.detail == str(caught.value)
    assert told.limit == caught.value.limit


async def test_the_limit_of_a_message_is_a_member():
    with pytest.raises(MessageError) as caught:
        decode(b'{"class": "car", "confidence": 2, "pixel": [1, 2]}', Detection)
    _, told = await answered(caught.value)
    assert told.limit == "0..1"


async def test_a_path_that_is_not_there_and_a_method_that_is_not_possible():
    unused = HttpProblem(status=400, type="unused", detail="")
    answer, told = await answered(unused, path="/elsewhere")
    assert (answer.status_code, told.type) == (404, "/problems/not-found")
    assert "/elsewhere" in told.detail
    answer, told = await answered(unused, method="DELETE")
    assert (answer.status_code, told.type) == (405, "/problems/method-not-allowed")
    assert "GET" in answer.headers["allow"]
    assert "DELETE" in told.detail


async def test_the_routers_own_refusals_keep_their_status_and_headers():
    answer, told = await answered(
        HTTPException(401, detail="who are you", headers={"WWW-Authenticate": "Bearer"})
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert told.detail == "who are you"


async def test_an_error_of_ours_tells_nothing_of_our_insides():
    answer, told = await answered(RuntimeError("password=hunter2 at /srv/secret.py"))
    assert answer.status_code == 500
    assert told.type == "/problems/internal-error"
    for leak in ("hunter2", "secret.py", "Traceback", "RuntimeError", __file__):
        assert leak not in answer.text


async def test_a_services_own_handlers_come_first():
    class Own(Exception):
        pass

    async def own(_request: Request, _error: Exception) -> Response:
        return problems.respond(HttpProblem(status=409, type="own", detail="mine"))

    answer, told = await answered(Own(), exception_handlers={Own: own})
    assert (answer.status_code, told.type) == (409, "/problems/own")


@pytest.mark.parametrize("seconds", [0.0, 0.4, 1.0, 12.4, 3600.0])
def test_retry_after_is_whole_seconds_and_never_at_once(seconds):
    ((name, value),) = problems.retry_after(seconds).items()
    assert name == "Retry-After"
    assert value.isdigit()
    assert int(value) >= 1
    assert abs(int(value) - seconds) <= 1
