"""What the gateway tells of its sinks, and what an operator can ask of one."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from sightline.messages.value import Answer, Timestamp, Value

Sequence = Annotated[int, Meta(ge=1, le=2**63 - 1, description="place in the outbox")]


class SinkState(Answer, frozen=True, kw_only=True):
    """How far delivery to one sink has come."""

    name: str
    target: str
    state: Literal[
        "standby", "connecting", "connected", "backing_off", "broken", "paused", "stopped"
    ]
    """Standby: another replica delivers. Broken: it rests after many failures in a row."""
    acknowledges: bool
    """Whether the peer answers pings: without, the cursor moves on send (a weaker promise)."""
    cursor: int
    """The newest sequence that was acknowledged."""
    sent_cursor: int
    """The newest sequence that was sent on the present connection."""
    lag_events: int
    lag_seconds: float
    sent: int
    acknowledged: int
    reconnects: int
    dead_letters: int = 0
    """Events that this sink cannot take, kept for somebody to look at."""
    certificate_expires_at: Timestamp | None = None
    """When our own certificate ends."""
    last_error: str | None = None


class SinkList(Answer, frozen=True, kw_only=True):
    """Every configured sink."""

    sinks: tuple[SinkState, ...]


class DeadLetter(Answer, frozen=True, kw_only=True):
    """An event that a sink cannot take."""

    sequence: int
    uid: str
    """Empty when the event itself is too old to be kept."""
    reason: str
    buried_at: Timestamp
    retrying: bool
    """Whether somebody has asked for another try that is still to come."""


class DeadLetterList(Answer, frozen=True, kw_only=True):
    """Dead letters in the order of the outbox; `next` is `after` of the following page."""

    dead_letters: tuple[DeadLetter, ...]
    next: int | None = None


class RetryResult(Answer, frozen=True, kw_only=True):
    """How many dead letters are tried again."""

    recalled: int


class Retry(Value, frozen=True, kw_only=True):
    """Which dead letters to try again; None is all of them."""

    sequences: Annotated[tuple[Sequence, ...], Meta(max_length=10_000)] | None = None
