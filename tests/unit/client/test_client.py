"""The client: typed answers, problem documents as exceptions, and nobody there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from detection import multipart
from running import free_port
from sightline.client import Client, ClientError, ProblemError, UnreachableError
from sightline.messages import (
    DetectionReport,
    DetectResult,
    EventList,
    Frame,
    ModelList,
    SinkList,
    decode,
    encode,
)

GOOD = Path(__file__).parents[2] / "vectors/messages/good"
JPEG = b"\xff\xd8 not really \xff\xd9"


def vector(name: str) -> bytes:
    return (GOOD / f"{name}.json").read_bytes()


class Wire:
    """The service's side: remembers what was asked, answers as told."""

    def __init__(self, body: bytes, *, status: int = 200) -> None:
        self.asked: list[httpx.Request] = []
        self._body, self._status = body, status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        return httpx.Response(self._status, content=self._body)


def client(wire: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client("http://service", transport=httpx.MockTransport(wire))


def test_an_image_alone_goes_as_it_is() -> None:
    wire = Wire(vector("detect-result.image-only"))
    with client(wire) as service:
        result = service.detect(JPEG)
    (asked,) = wire.asked
    assert (asked.method, asked.url.path, asked.content) == ("POST", "/v1/detect", JPEG)
    assert result == decode(vector("detect-result.image-only"), DetectResult)


def test_an_image_with_a_frame_goes_as_a_form() -> None:
    frame = decode(vector("frame.drone"), Frame)
    wire = Wire(vector("detect-result.committed"))
    with client(wire) as service:
        service.detect(JPEG, frame=frame)
    (asked,) = wire.asked
    read = multipart.parse(asked.content, asked.headers["content-type"])
    assert read.image == JPEG
    assert read.frame is not None
    assert decode(read.frame, Frame) == frame


@pytest.mark.parametrize(
    ("call", "path", "name", "kind"),
    [
        (lambda c: c.models(), "/v1/models", "model-list.one", ModelList),
        (lambda c: c.sinks(), "/v1/sinks", "sink-list.one", SinkList),
        (lambda c: c.events(), "/v1/events", "event-list.page", EventList),
    ],
)
def test_what_is_asked_for_comes_typed(
    call: Callable[[Client], Any], path: str, name: str, kind: type[Any]
) -> None:
    wire = Wire(vector(name))
    with client(wire) as service:
        answer = call(service)
    assert isinstance(answer, kind)
    assert json.loads(encode(answer)) == json.loads(vector(name))
    assert (wire.asked[0].method, wire.asked[0].url.path) == ("GET", path)


def test_a_report_goes_whole_and_its_receipt_comes_back() -> None:
    report = decode(vector("detection-report.box-and-pixel"), DetectionReport)
    wire = Wire(vector("receipt.placed-and-unplaced"), status=201)
    with client(wire) as service:
        receipt = service.report(report)
    assert decode(wire.asked[0].content, DetectionReport) == report
    assert {result.index for result in receipt.results} == set(range(len(receipt.results)))


def test_filters_that_are_not_set_are_not_sent() -> None:
    wire = Wire(vector("event-list.page"))
    with client(wire) as service:
        service.events(since=41, limit=5)
    assert dict(wire.asked[0].url.params) == {"since": "41", "limit": "5"}


def test_a_problem_document_is_an_exception_with_its_fields() -> None:
    wire = Wire(vector("problem.field"), status=422)
    told = json.loads(vector("problem.field"))
    with client(wire) as service, pytest.raises(ProblemError) as caught:
        service.models()
    assert (caught.value.problem.field, caught.value.problem.limit) == (
        told["field"],
        told["limit"],
    )
    assert told["detail"] in str(caught.value)


def test_an_error_that_is_no_problem_document_is_one_all_the_same() -> None:
    wire = Wire(b"<html>Bad Gateway</html>", status=502)
    with client(wire) as service, pytest.raises(ProblemError) as caught:
        service.models()
    assert caught.value.problem.status == 502
    assert "<html>" not in str(caught.value)


def test_an_answer_of_another_kind_is_an_error_that_says_so() -> None:
    with client(Wire(b'{"surprise": true}')) as service, pytest.raises(ClientError, match="else"):
        service.models()


def test_nobody_there_is_one_sentence_with_the_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url) as service, pytest.raises(UnreachableError, match=url) as caught:
        service.models()
    assert "\n" not in str(caught.value)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services are on our own network: a proxy would only see what is none of its business."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url) as service, pytest.raises(UnreachableError, match=url):
        service.models()
