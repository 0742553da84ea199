"""Log lines: one JSON object each, whoever wrote it and whatever is in it."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from telemetry import logs

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module", autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()


def configured(level: str = "debug") -> Lines:
    """Begin to log into memory; gives what was logged since the last look."""
    stream = io.StringIO()
    logs.configure(
        service="tested", version="1.2.3", colour="blue", level=level, stream=stream
    )  # fmt: skip
    structlog.contextvars.clear_contextvars()

    def lines() -> list[dict[str, Any]]:
        text = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        assert text == "" or text.endswith("\n")
        # A line ends with a line feed and with nothing else, as collectors read it.
        found = [json.loads(line, parse_constant=no_json) for line in text.split("\n")[:-1]]
        assert all(isinstance(line, dict) for line in found)
        return found

    return lines


def fail(reason: str) -> None:
    raise ValueError(reason)


def fail_holding(key: str) -> None:
    fail(f"a key of {len(key)} letters")


def no_json(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_every_line_has_the_documented_fields():
    lines = configured()
    before = datetime.now(UTC)
    logs.get("some.module").warning("it happened", sink="tak", events=3)
    (line,) = lines()
    moment = datetime.fromisoformat(line.pop("time"))
    assert moment.utcoffset() == timedelta(0)
    assert before <= moment <= datetime.now(UTC)
    assert line == {
        "level": "warning",
        "event": "it happened",
        "service": "tested",
        "version": "1.2.3",
        "colour": "blue",
        "module": "some.module",
        "sink": "tak",
        "events": 3,
    }


def test_the_same_fields_for_the_libraries_below():
    lines = configured()
    logs.get("ours").error("ours")
    logging.getLogger("uvicorn.error").error("theirs: %s", "a detail")
    ours, theirs = lines()
    assert set(ours) == set(theirs)
    assert theirs["event"] == "theirs: a detail"
    assert theirs["module"] == "uvicorn.error"
    assert theirs["level"] == "error"


def test_what_is_bound_is_on_every_further_line_of_either_kind():
    lines = configured()
    logs.bind(request_id="r-1", trace_id="t-1")
    logs.bind(camera_id="c-1")
    logs.get("ours").info("a")
    logging.getLogger("theirs").warning("b")
    for line in lines():
        assert (line["request_id"], line["trace_id"], line["camera_id"]) == ("r-1", "t-1", "c-1")


def test_who_we_are_cannot_be_overwritten_by_a_line():
    lines = configured()
    logs.get("ours").info("a", service="other", colour="red")
    (line,) = lines()
    assert (line["service"], line["colour"]) == ("tested", "blue")


@pytest.mark.parametrize("library", [False, True])
def test_an_exception_is_a_field_and_the_line_still_one_line(library):
    lines = configured()
    log = logging.getLogger("theirs") if library else logs.get("ours")
    try:
        fail("first\nsecond")
    except ValueError:
        log.exception("it failed")
    (line,) = lines()
    assert line["event"] == "it failed"
    assert line["level"] == "error"
    assert "Traceback" in line["exception"]
    assert "ValueError: first\nsecond" in line["exception"]


def test_an_exceptions_line_does_not_show_local_values():
    """What a function held, a key say, is none of the log's business."""
    lines = configured()
    try:
        fail_holding("hunter" + "2")
    except ValueError:
        logs.get("ours").exception("it failed")
    (line,) = lines()
    assert "fail_holding" in line["exception"]
    assert "hunter2" not in json.dumps(line)


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_is_a_threshold(level, told):
    lines = configured(level)
    for each in ("debug", "info", "warning", "error"):
        getattr(logs.get("ours"), each)("a")
    assert [line["level"] for line in lines()] == told
    assert set(logs.LEVELS) == {"debug", "info", "warning", "error"}


def test_the_chatter_of_libraries_is_left_out_at_any_level():
    lines = configured("debug")
    logging.getLogger("httpx").info("HTTP Request: GET https://x/?token=hunter2")
    logging.getLogger("asyncio").debug("Using selector")
    assert lines() == []
    lines = configured("error")
    logging.getLogger("httpx").warning("slow")
    logging.getLogger("httpx").error("broken")
    assert [line["event"] for line in lines()] == ["broken"]


def test_pythons_warnings_are_lines_too():
    lines = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # catch_warnings put Python's own way of showing them back.
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("this is old", DeprecationWarning, stacklevel=1)
    (line,) = lines()
    assert "this is old" in line["event"]
    assert line["level"] == "warning"


def test_configuring_again_does_not_double_the_lines():
    stream = io.StringIO()
    for _ in range(3):
        logs.configure(service="tested", version="1", colour="blue", stream=stream)
    logging.getLogger("theirs").warning("once")
    logs.get("ours").warning("once")
    assert len(stream.getvalue().splitlines()) == 2


def test_an_odd_value_leaves_the_others_as_they_are():
    lines = configured()
    logs.get("ours").info("a", odd=Odd(), events=3, share=0.5, names=["x", Odd()])
    (line,) = lines()
    assert (line["odd"], line["events"], line["share"]) == ("<odd>", 3, 0.5)
    assert line["names"] == ["x", "<odd>"]


class Odd:
    def __repr__(self) -> str:
        return "<odd>"


class Broken:
    def __repr__(self) -> str:
        return "\ud800"


@pytest.mark.parametrize(
    "value",
    [
        float("nan"), float("inf"), 2**80, -(2**70), Odd(), Broken(), "\ud800", "a\nb\u2028c\x00",
        b"\xff", {"a": {1: Odd()}}, {Odd(): 1}, {1.5: 2}, [float("nan")], {"x"}, None,
        datetime(2026, 1, 1, tzinfo=UTC), Exception("x"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_line_is_json_whatever_was_logged(value):
    lines = configured()
    logs.get("ours").info("a", value=value, camera_id="c-1")
    logging.getLogger("theirs").warning("%s", value)
    ours, theirs = lines()
    assert ours["event"] == "a"
    assert ours["camera_id"] == "c-1"
    assert "value" in ours
    assert theirs["module"] == "theirs"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)


@given(st.text(), values)
def test_any_text_and_any_value_is_one_line(event, value):
    lines = configured()
    logs.get("ours").info(event, value=value)
    (line,) = lines()
    assert line["service"] == "tested"
    if event.isascii():
        assert line["event"] == event
