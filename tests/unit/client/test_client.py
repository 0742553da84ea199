"""The clients: what goes out, typed answers, problem documents as exceptions."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from python_multipart import parse_form

from detection.web import multipart
from fakes.wire import Caller, Wire
from running import free_port
from sightline.client import (
    AnswerError,
    AsyncClient,
    Client,
    ClientError,
    ProblemError,
    UnreachableError,
)
from sightline.messages import (
    BatchResult,
    DetectionReport,
    DetectResult,
    EventList,
    Frame,
    ModelInfo,
    ModelList,
    SinkList,
    decode,
    encode,
)

GOOD = Path(__file__).parents[2] / "vectors/messages/good"
JPEG = b"\xff\xd8 not really \xff\xd9"


def vector(name: str) -> bytes:
    return (GOOD / f"{name}.json").read_bytes()


def told(name: str, *, status: int = 200) -> httpx.Response:
    return httpx.Response(status, content=vector(name))


def parts(request: httpx.Request) -> list[tuple[str, bytes]]:
    """Name and content of each part of a form, as another maker's parser reads it."""
    found: list[tuple[str, bytes]] = []

    def part(each: Any) -> None:
        each.file_object.seek(0)
        found.append((each.field_name.decode(), each.file_object.read()))

    headers = {name.title(): value.encode() for name, value in request.headers.items()}
    parse_form(headers, _Body(request.content), lambda _field: None, part)
    return found


class _Body:
    def __init__(self, content: bytes) -> None:
        self._left = content

    def read(self, size: int) -> bytes:
        data, self._left = self._left[:size], self._left[size:]
        return data


def test_an_image_alone_goes_as_it_is(ask: Caller) -> None:
    wire = Wire(told("detect-result.image-only"))
    result = ask(wire, "detect", JPEG)
    (asked,) = wire.asked
    assert (asked.method, asked.url.path, asked.content) == ("POST", "/v1/detect", JPEG)
    assert not asked.url.params
    assert result == decode(vector("detect-result.image-only"), DetectResult)


def test_an_image_with_a_frame_goes_as_a_form(ask: Caller) -> None:
    frame = decode(vector("frame.drone"), Frame)
    wire = Wire(told("detect-result.committed"))
    ask(wire, "detect", JPEG, with_={"frame": frame})
    (asked,) = wire.asked
    read = multipart.parse(asked.content, asked.headers["content-type"])
    assert read.image == JPEG
    assert read.frame is not None
    assert decode(read.frame, Frame) == frame


@pytest.mark.parametrize(
    ("stated", "sent"),
    [
        ({"model": "boats", "confidence": 0.4}, {"model": "boats", "confidence": "0.4"}),
        ({"tiles": "auto"}, {"tiles": "auto"}),
        ({"tiles": 640, "timings": False}, {"tiles": "640", "timings": "false"}),
    ],
)
@pytest.mark.parametrize(
    ("call", "argument", "answer"),
    [
        ("detect", JPEG, "detect-result.without-timings"),
        ("detect_batch", [JPEG], "batch-result.one-bad-image"),
    ],
)
def test_how_to_look_is_said_in_the_query(
    ask: Caller,
    call: str,
    argument: Any,
    answer: str,
    stated: dict[str, Any],
    sent: dict[str, str],
) -> None:
    wire = Wire(told(answer))
    ask(wire, call, argument, with_=stated)
    assert dict(wire.asked[0].url.params) == sent


def test_a_batch_is_a_part_for_each_image_in_order(ask: Caller) -> None:
    wire = Wire(told("batch-result.one-bad-image"))
    result = ask(wire, "detect_batch", [b"first", b"second"])
    (asked,) = wire.asked
    assert (asked.method, asked.url.path) == ("POST", "/v1/detect/batch")
    assert parts(asked) == [("image", b"first"), ("image", b"second")]
    assert result == decode(vector("batch-result.one-bad-image"), BatchResult)
    assert [item.problem is None for item in result.results] == [True, False]


def test_the_frames_of_a_batch_are_one_part_with_null_where_there_is_none(ask: Caller) -> None:
    frame = decode(vector("frame.drone"), Frame)
    wire = Wire(told("batch-result.one-bad-image"))
    ask(wire, "detect_batch", [b"first", b"second"], with_={"frames": [None, frame]})
    sent = dict(parts(wire.asked[0]))
    assert decode(sent["frames"], tuple[Frame | None, ...]) == (None, frame)


@pytest.mark.parametrize(
    ("images", "frames", "words"), [([], None, "got none"), ([b"a", b"b"], [None], "2 images")]
)
def test_a_batch_that_makes_no_sense_is_not_sent(
    ask: Caller, images: list[bytes], frames: Any, words: str
) -> None:
    wire = Wire(told("batch-result.one-bad-image"))
    with pytest.raises(ValueError, match=words):
        ask(wire, "detect_batch", images, with_={"frames": frames})
    assert wire.asked == []


@pytest.mark.parametrize(
    ("call", "arguments", "asked", "name", "kind"),
    [
        ("models", (), "GET /v1/models", "model-list.one", ModelList),
        ("sinks", (), "GET /v1/sinks", "sink-list.one", SinkList),
        ("events", (), "GET /v1/events", "event-list.page", EventList),
        ("reload", ("demo",), "POST /v1/models/demo/reload", "model-info.reloaded", ModelInfo),
    ],
)
def test_what_is_asked_for_comes_typed(
    ask: Caller, call: str, arguments: tuple[str, ...], asked: str, name: str, kind: type[Any]
) -> None:
    wire = Wire(told(name))
    answer = ask(wire, call, *arguments)
    assert isinstance(answer, kind)
    assert json.loads(encode(answer)) == json.loads(vector(name))
    assert f"{wire.asked[0].method} {wire.asked[0].url.path}" == asked


def test_a_models_name_stays_one_step_of_the_path(ask: Caller) -> None:
    wire = Wire(told("model-info.reloaded"))
    ask(wire, "reload", "../sinks?x")
    assert wire.asked[0].url.raw_path == b"/v1/models/..%2Fsinks%3Fx/reload"


def test_a_report_goes_whole_and_its_receipt_comes_back(ask: Caller) -> None:
    report = decode(vector("detection-report.box-and-pixel"), DetectionReport)
    wire = Wire(told("receipt.placed-and-unplaced", status=201))
    receipt = ask(wire, "report", report)
    assert decode(wire.asked[0].content, DetectionReport) == report
    assert wire.asked[0].headers["content-type"] == "application/json"
    assert {result.index for result in receipt.results} == set(range(len(receipt.results)))


def test_filters_that_are_not_set_are_not_sent(ask: Caller) -> None:
    wire = Wire(told("event-list.page"))
    ask(wire, "events", with_={"since": 41, "limit": 5})
    assert dict(wire.asked[0].url.params) == {"since": "41", "limit": "5"}


def test_a_key_is_shown_and_told_to_nobody_else(ask: Caller) -> None:
    wire = Wire(told("model-list.one"))
    ask(wire, "models", key="sl_secret")
    assert wire.asked[0].headers["authorization"] == "Bearer sl_secret"
    with Client("http://service", key="sl_secret") as client:
        assert "sl_secret" not in repr(vars(client))


def test_a_problem_document_is_an_exception_with_its_fields(ask: Caller) -> None:
    wire = Wire(told("problem.field", status=422))
    golden = json.loads(vector("problem.field"))
    with pytest.raises(ProblemError) as caught:
        ask(wire, "models")
    assert (caught.value.problem.field, caught.value.problem.limit) == (
        golden["field"],
        golden["limit"],
    )
    assert golden["detail"] in str(caught.value)


def test_an_error_that_is_no_problem_document_is_one_all_the_same(ask: Caller) -> None:
    wire = Wire(httpx.Response(500, content=b"<html>Oh no</html>"))
    with pytest.raises(ProblemError) as caught:
        ask(wire, "models")
    assert caught.value.problem.status == 500
    assert "<html>" not in str(caught.value)


def test_an_answer_of_another_kind_is_an_error_that_says_so(ask: Caller) -> None:
    with pytest.raises(AnswerError, match="something else"):
        ask(Wire(httpx.Response(200, content=b'{"surprise": true}')), "models")


def test_nobody_there_is_one_sentence_with_the_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with (
        Client(url, sleep=lambda _: None) as service,
        pytest.raises(UnreachableError, match=url) as caught,
    ):
        service.models()
    assert "\n" not in str(caught.value)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services are on our own network: a proxy would only see what is none of its business."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url, attempts=1) as service, pytest.raises(UnreachableError, match=url):
        service.models()


@pytest.mark.parametrize("url", ["service:8000", "127.0.0.1:8000", "ftp://service", "http://", ""])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_is_no_address_is_said_at_once(kind: Any, url: str) -> None:
    with pytest.raises(ClientError, match="base_url"):
        kind(url)


def test_both_clients_have_the_same_calls() -> None:
    def calls(kind: type[Any]) -> dict[str, Any]:
        return {
            name: inspect.signature(method)
            for name, method in vars(kind).items()
            if not name.startswith("_")
        }

    assert calls(Client) == calls(AsyncClient)
    assert all(
        inspect.iscoroutinefunction(method)
        for name, method in vars(AsyncClient).items()
        if not name.startswith("_")
    )
