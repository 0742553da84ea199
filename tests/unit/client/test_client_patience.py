"""When a call is made again, after how long, and when that is no use any more."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.wire import Caller, Time, Wire
from sightline.client import DeadlineError, ProblemError, UnreachableError
from sightline.client.answer import retry_after
from sightline.client.exchange import Patience
from unit.client.test_client import told

GOOD = told("model-list.one")
PROBLEM = told("problem.field", status=502)
NOW = datetime(2026, 11, 25, 10, 0, 0, tzinfo=UTC)


def busy(status: int = 503, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def late(time: Time, seconds: float) -> Callable[[httpx.Request], httpx.Response]:
    """Nothing comes, for so long."""

    def wait(_request: httpx.Request) -> httpx.Response:
        time.now += seconds
        raise httpx.ReadTimeout("nothing came")

    return wait


def given_up() -> httpx.ReadTimeout:
    """As httpx tells that the kernel gave a peer up, which confirms nothing any more."""
    error = httpx.ReadTimeout("[Errno 110] Connection timed out")
    error.__cause__ = OSError(errno.ETIMEDOUT, "Connection timed out")
    return error


@pytest.mark.parametrize(
    "first",
    [
        busy(503),
        busy(429),
        # A proxy's, in front of a service that is just being replaced.
        busy(502),
        busy(504),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("swallowed"),
        httpx.ReadError("reset"),
        given_up(),
        httpx.RemoteProtocolError("closed"),
    ],
    ids=str,
)
def test_what_may_pass_is_asked_again_and_the_same(ask: Caller, first: httpx.Response) -> None:
    wire = Wire(first, GOOD)
    ask(wire, "models")
    one, other = wire.asked
    assert (one.method, one.url, one.content) == (other.method, other.url, other.content)


def test_a_form_is_sent_whole_the_second_time_as_well(ask: Caller) -> None:
    wire = Wire(busy(), told("batch-result.one-bad-image"))
    ask(wire, "detect_batch", [b"image"])
    assert [b"image" in request.content for request in wire.asked] == [True, True]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500, 507])
def test_what_will_be_no_different_is_asked_once(ask: Caller, status: int) -> None:
    wire = Wire(busy(status), GOOD)
    with pytest.raises(ProblemError) as caught:
        ask(wire, "models")
    assert caught.value.problem.status == status
    assert len(wire.asked) == 1


def test_a_502_in_the_services_own_words_is_final(ask: Caller) -> None:
    wire = Wire(PROBLEM, GOOD)
    with pytest.raises(ProblemError):
        ask(wire, "models")
    assert len(wire.asked) == 1


def test_it_is_given_up_after_so_many_attempts_with_the_last_error(ask: Caller) -> None:
    wire, time = Wire(httpx.ConnectError("refused"), busy(503), busy(429)), Time()
    with pytest.raises(ProblemError) as caught:
        ask(wire, "models", time=time, attempts=3)
    assert caught.value.problem.status == 429
    assert len(wire.asked) == 3
    assert len(time.slept) == 2


def test_pauses_double_and_are_drawn_below_their_limit(ask: Caller) -> None:
    time = Time()
    with pytest.raises(UnreachableError):
        ask(Wire(httpx.ConnectError("refused")), "models", time=time)
    assert time.slept == [0.1, 0.2, 0.4]
    time = Time()
    with pytest.raises(UnreachableError):
        ask(Wire(httpx.ConnectError("refused")), "models", time=time, draw=lambda: 0.5)
    assert time.slept == [0.05, 0.1, 0.2]


@given(failed=st.integers(1, 1000), drawn=st.floats(0, 1), asked=st.none() | st.floats(0, 86_400))
def test_a_pause_is_never_shorter_than_asked_for_nor_much_longer(
    failed: int, drawn: float, asked: float | None
) -> None:
    patience = Patience(deadline=1.0, attempts=4)
    pause = patience.pause(failed, asked=asked, drawn=drawn)
    assert (asked or 0.0) <= pause <= (asked or 0.0) + patience.longest_pause


def test_the_service_says_when_in_seconds(ask: Caller) -> None:
    time = Time()
    ask(Wire(busy(retry_after="7"), GOOD), "models", time=time, draw=lambda: 0.0)
    assert time.slept == [7.0]


def test_the_service_says_when_with_a_date_by_its_own_clock(ask: Caller) -> None:
    time = Time()
    wrong = NOW.replace(year=2001)
    answer = busy(
        date=format_datetime(wrong, usegmt=True),
        retry_after=format_datetime(wrong.replace(second=9), usegmt=True),
    )
    ask(Wire(answer, GOOD), "models", time=time, draw=lambda: 0.0)
    assert time.slept == [9.0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Wed, 25 Nov 2026 10:00:30 GMT", 30.0),
        ("Wednesday, 25-Nov-26 10:00:30 GMT", 30.0),
        ("Wed, 25 Nov 2026 09:00:00 GMT", 0.0),
        ("Wed, 99 Nov 2026 10:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, date=None, now=NOW) == seconds


def test_how_long_to_wait_is_told_with_the_error(ask: Caller) -> None:
    with pytest.raises(ProblemError) as caught:
        ask(Wire(busy(retry_after="90")), "models")
    assert caught.value.retry_after == 90.0


def test_a_pause_beyond_the_deadline_is_not_begun(ask: Caller) -> None:
    """The caller learns at once what is wrong, and not after a useless wait."""
    time, wire = Time(), Wire(busy(retry_after="10"))
    with pytest.raises(ProblemError):
        ask(wire, "models", time=time, deadline=10.0)
    assert time.slept == []
    assert len(wire.asked) == 1


def test_what_is_left_of_the_deadline_goes_along(ask: Caller) -> None:
    time = Time()
    wire = Wire(busy(retry_after="4"), GOOD)
    ask(wire, "models", time=time, deadline=10.0, draw=lambda: 0.0)
    assert [request.headers["x-request-timeout"] for request in wire.asked] == ["10.000", "6.000"]
    assert [request.extensions["timeout"]["read"] for request in wire.asked] == [10.0, 6.0]


def test_no_answer_within_the_deadline_is_an_error_that_says_so(ask: Caller) -> None:
    time = Time()
    wire = Wire(late(time, 10.0), GOOD)
    with pytest.raises(DeadlineError, match=r"GET /v1/models within 10 s"):
        ask(wire, "models", time=time, deadline=10.0)
    assert len(wire.asked) == 1


@pytest.mark.parametrize("settings", [{"deadline": 0.0}, {"deadline": -1.0}, {"attempts": 0}])
def test_no_patience_at_all_is_refused(ask: Caller, settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        ask(Wire(GOOD), "models", **settings)
