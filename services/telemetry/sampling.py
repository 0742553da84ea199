"""Which of many like lines are written: all of them at small rates, some of them at large ones.

A stream of lines (one event of one route) may write so many a second. Of what comes on top, those
are written whose trace id is below a bound: 1 in so many, and the same frames in every service, so
that a frame whose line is there can be followed through all of them. OpenTelemetry's samplers draw
the same bound: what a lower ratio of traces keeps, this keeps as well. A line says how many of its
stream were left out before it (`suppressed`), so that counts can be made whole.

Only what is asked here is ever left out: warnings, errors, and requests that failed or were slow
are not.
"""

from __future__ import annotations

from collections.abc import Hashable

_SPAN = 1 << 64


def below(trace_id: str, share: float) -> bool:
    """Whether that trace is among that share of all, by the last 64 bits of its id."""
    return int(trace_id[16:], 16) < share * _SPAN


class _Stream:
    __slots__ = ("at", "left_out", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at
        self.left_out = 0


class Sampler:
    """A token bucket for each stream. There must be few streams: route templates, never paths."""

    def __init__(self, *, rate: float, every: int) -> None:
        """`rate` lines a second of a stream are written, as many at once, then 1 in `every`."""
        self._rate = rate
        self._share = 1.0 / every
        self._burst = max(1.0, rate)
        self._streams: dict[Hashable, _Stream] = {}

    def take(self, stream: Hashable, *, trace_id: str, now: float) -> int | None:
        """How many of this stream were left out since its last line; None to leave this one out.

        `now` is monotonic, in seconds.
        """
        known = self._streams.get(stream)
        if known is None:
            known = self._streams[stream] = _Stream(self._burst, now)
        tokens = min(self._burst, known.tokens + (now - known.at) * self._rate)
        known.at = now
        if tokens >= 1.0:
            known.tokens = tokens - 1.0
        else:
            known.tokens = tokens
            if not below(trace_id, self._share):
                known.left_out += 1
                return None
        left_out, known.left_out = known.left_out, 0
        return left_out
