"""W3C Trace Context (Recommendation, level 1): the `traceparent` header, without any I/O."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

HEADER = "traceparent"

SAMPLED = 0x01

_VERSION = "00"
_FIELDS = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?",
    re.ASCII,
)
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16

_random = random.Random()  # noqa: S311 - seeded by the operating system

Kind = Literal["internal", "server", "client"]
"""Of a span: a step of our own, a request that came in, or one that went out."""

Attributes = Mapping[str, str | bool | int | float]
"""What is said of a span."""

RandomHex = Callable[[int], str]
"""Gives that many random bytes as lower-case hex."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """One span of a trace: the ids that its log lines carry and that the next service gets."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    flags: int = SAMPLED

    @property
    def sampled(self) -> bool:
        """Whether its spans are kept."""
        return bool(self.flags & SAMPLED)

    @property
    def header(self) -> str:
        """The value of `traceparent` to send on: this span is the receiver's parent."""
        # Level 1 knows the sampled flag only; the others must go out as zeros.
        return f"{_VERSION}-{self.trace_id}-{self.span_id}-{self.flags & SAMPLED:02x}"


def parse(header: str | None) -> Trace | None:
    """The caller's span, or None when the header is absent or breaks the specification.

    A version above 00 is read as if it were 00 (§ 4.3): only what may follow the flags differs.
    """
    if header is None:
        return None
    match = _FIELDS.fullmatch(header.strip(" \t"))
    if match is None or match["version"] == "ff":
        return None
    if match["version"] == _VERSION and match["rest"] is not None:
        return None
    if match["trace"] == _NO_TRACE or match["parent"] == _NO_SPAN:
        return None
    return Trace(trace_id=match["trace"], span_id=match["parent"], flags=int(match["flags"], 16))


def _hex(count: int) -> str:
    """Unique, and no secret: the operating system need not be asked for each."""
    return _random.randbytes(count).hex()


def generate(*, random_hex: RandomHex = _hex) -> Trace:
    """The first span of a new trace."""
    return Trace(trace_id=_unlike(_NO_TRACE, random_hex), span_id=_unlike(_NO_SPAN, random_hex))


def child(parent: Trace, *, random_hex: RandomHex = _hex) -> Trace:
    """A new span of the same trace, called from `parent`."""
    return Trace(
        trace_id=parent.trace_id,
        span_id=_unlike(_NO_SPAN, random_hex),
        parent_id=parent.span_id,
        flags=parent.flags & SAMPLED,
    )


def received(header: str | None, *, random_hex: RandomHex = _hex) -> Trace:
    """The span of a request: a child of the caller's, else the first of a new trace."""
    caller = parse(header)
    if caller is None:
        return generate(random_hex=random_hex)
    return child(caller, random_hex=random_hex)


def _unlike(invalid: str, random_hex: RandomHex) -> str:
    while (drawn := random_hex(len(invalid) // 2)) == invalid:
        continue
    return drawn


current: ContextVar[Trace | None] = ContextVar("sightline_trace", default=None)
"""The span of the request that this task works for."""
