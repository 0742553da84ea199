"""What came back from one attempt, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from sightline.client.errors import AnswerError, ProblemError
from sightline.messages import MessageError, Problem, decode
from sightline.sockets import is_gone

T = TypeVar("T")

_BUSY = frozenset({429, 503})
_BETWEEN = frozenset({502, 504})
"""A proxy in front of a service that is being replaced; said by a service itself, it is final."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer."""

    url: str
    status: int
    phrase: str
    content: bytes
    retry_after: float | None
    """Seconds."""

    def read(self, kind: type[T]) -> T:
        """The typed answer. Raises ProblemError or AnswerError."""
        if 200 <= self.status < 300:
            try:
                return decode(self.content, kind)
            except MessageError as error:
                raise AnswerError(f"{self.url} answered something else: {error}") from error
        raise ProblemError(self._problem() or self._plain(), retry_after=self.retry_after)

    @property
    def later(self) -> bool:
        """Whether it says "not now" rather than "not so"."""
        return self.status in _BUSY or (self.status in _BETWEEN and self._problem() is None)

    def _problem(self) -> Problem | None:
        try:
            return decode(self.content, Problem)
        except MessageError:
            return None

    def _plain(self) -> Problem:
        return Problem(
            type="about:blank",
            title=self.phrase,
            status=self.status,
            detail=f"{self.url} answered {self.status}",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """No answer came."""

    reason: str
    late: bool = False
    """It was waited for until the time of the attempt was over."""
    later: bool = False
    """Whether another attempt may fare better."""


def answered(response: httpx.Response, content: bytes, *, now: datetime) -> Answer:
    """An answer, from httpx's."""
    return Answer(
        url=str(response.url),
        status=response.status_code,
        phrase=response.reason_phrase,
        content=content,
        retry_after=retry_after(
            response.headers.get("retry-after"), date=response.headers.get("date"), now=now
        ),
    )


def failed(error: httpx.HTTPError) -> Failure:
    """A failure, from httpx's."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        # To connect has a limit of its own, and so has a peer that is gone; all else may take as
        # long as the attempt.
        early = isinstance(error, httpx.ConnectTimeout) or is_gone(error)
        return Failure(reason=reason, late=not early, later=early)
    return Failure(
        reason=reason, later=isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
    )


def retry_after(value: str | None, *, date: str | None, now: datetime) -> float | None:
    """Seconds that Retry-After asks for (RFC 9110 § 10.2.3): a number of them, or a date.

    A date is counted from the answer's own `date`, so that two clocks that differ do no harm.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    until = _moment(value)
    if until is None:
        return None
    return max(0.0, (until - (_moment(date) or now)).total_seconds())


def _moment(text: str | None) -> datetime | None:
    """The time of a header; None where it is none."""
    try:
        found = None if text is None else parsedate_to_datetime(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found
