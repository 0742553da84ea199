"""One call from its first attempt to its answer or its error, without any I/O.

Whoever sends tells what came of an attempt and what time it is, and is told what to do next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sightline.client.answer import Answer, Failure
from sightline.client.call import Call
from sightline.client.errors import ClientError, DeadlineError, UnreachableError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How often, and for how long, a call is asked again."""

    deadline: float
    """Seconds for the whole call, pauses included."""
    attempts: int
    first_pause: float = 0.1
    longest_pause: float = 5.0

    def __post_init__(self) -> None:
        if not self.deadline > 0:
            raise ValueError(f"deadline: must be more than 0 seconds, got {self.deadline:g}")
        if self.attempts < 1:
            raise ValueError(f"attempts: must be 1 at least, got {self.attempts}")

    def pause(self, failed: int, *, asked: float | None, drawn: float) -> float:
        """Seconds to wait after so many failed attempts; `drawn` is in 0..1.

        Full jitter over a limit that doubles, on top of what the service asks for: clients that
        were all refused at once must not all come back at once.
        """
        limit = min(self.longest_pause, self.first_pause * 2.0 ** (failed - 1))
        return (asked or 0.0) + drawn * limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Done(Generic[T]):
    """The call is answered."""

    value: T


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """Wait, and ask again."""

    seconds: float


class Exchange(Generic[T]):
    """The state of one call; times are of one monotonic clock."""

    def __init__(
        self,
        call: Call[T],
        *,
        address: str,
        patience: Patience,
        draw: Callable[[], float],
        now: float,
    ) -> None:
        self._call = call
        self._address = address
        self._patience = patience
        self._draw = draw
        self._ends = now + patience.deadline
        self._failed = 0

    def left(self, now: float) -> float:
        """Seconds that the next attempt may take. Raises DeadlineError when there are none."""
        left = self._ends - now
        if left <= 0.0:
            raise self._late()
        return left

    def take(self, outcome: Answer | Failure, *, now: float) -> Done[T] | Pause:
        """What came of an attempt. Raises ClientError when the call has failed for good."""
        asked: float | None = None
        error: ClientError
        if isinstance(outcome, Answer):
            try:
                return Done(value=outcome.read(self._call.kind))
            except ClientError as refused:
                error = refused
            asked = outcome.retry_after
        elif outcome.late:
            raise self._late()
        else:
            error = UnreachableError(f"{self._address} does not answer: {outcome.reason}")
        self._failed += 1
        if not outcome.later or self._failed >= self._patience.attempts:
            raise error
        seconds = self._patience.pause(self._failed, asked=asked, drawn=self._draw())
        if now + seconds >= self._ends:
            raise error
        return Pause(seconds=seconds)

    def _late(self) -> DeadlineError:
        return DeadlineError(
            f"{self._address} did not answer {self._call.method} {self._call.path}"
            f" within {self._patience.deadline:g} s"
        )
