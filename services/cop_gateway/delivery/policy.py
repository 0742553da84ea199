"""How one sink is delivered to: what an operator decides about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cop_gateway.delivery.backoff import Backoff
from cop_gateway.delivery.selection import Filter, StaleRule
from cop_gateway.delivery.transform import Transform

Acknowledge = Literal["ping", "send", "auto"]
"""What moves the cursor: the peer's pong; sending alone (a weaker promise); or the pong, unless the
peer has never answered one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How much goes out at once, and how patient we are; seconds."""

    batch_events: int = 200
    window_batches: int = 8
    keepalive_seconds: float = 10.0
    pong_seconds: float = 15.0
    farewell_seconds: float = 3.0
    presence_seconds: float = 60.0
    greeting_seconds: float = 0.5
    """How long a peer may need to take our presence in before all else, where it has answered
    nothing yet."""
    hold_seconds: float = 1.0
    """How often it is looked whether the sink is still (or now) ours."""
    events_per_second: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """After so many failures in a row, wait so long before the next try."""

    failures: int = 10
    seconds: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Everything about one sink but the way to it."""

    name: str
    identity: str = "sightline"
    """Our uid as a TAK client."""
    acknowledge: Acknowledge = "ping"
    wanted: Filter = field(default_factory=Filter)
    transform: Transform = field(default_factory=Transform)
    stale_rule: StaleRule = "all"
    backoff: Backoff = field(default_factory=Backoff)
    breaker: Breaker = field(default_factory=Breaker)
    pace: Pace = field(default_factory=Pace)
    strikes: int = 3
    """How often a connection may break on one event before that event is a dead letter."""
    presence: Callable[[datetime], str] | None = None
    """Our own event, sent on connecting and now and then, so that we are listed; None is none."""
