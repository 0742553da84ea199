"""What outlives a connection to a sink, and what an exchange over one needs around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from cop_gateway.delivery.delays import Delays
from cop_gateway.delivery.ports import Graveyard, Ledger, Source
from cop_gateway.delivery.suspicion import Suspicion


class Storage(Source, Ledger, Graveyard, Protocol):
    """All that delivery needs of storage."""


class Observer(Protocol):
    """Who wants to know how delivery goes (metrics)."""

    def sent(self, sink: str, events: int, repeated: int) -> None:
        """So many events went out, so many of them not for the first time."""

    def acknowledged(self, sink: str, events: int, seconds: float, delays: Delays) -> None:
        """So many events were acknowledged, so long after they were sent, committed and seen."""

    def skipped(self, sink: str, *, filtered: int, outdated: int) -> None:
        """The cursor has passed events that the sink does not want, or whose time was over."""

    def buried(self, sink: str) -> None:
        """An event became a dead letter."""

    def reconnected(self, sink: str) -> None:
        """The connection is up again."""


@dataclass(kw_only=True, slots=True)
class Standing:
    """What outlives a connection: how far the sink has come, and what is known of it."""

    cursor: int
    ponged: bool
    by_send: bool
    """Whether sending alone moves the cursor."""
    suspicion: Suspicion
    echoes: bool = False
    """Whether it answers our pings with these themselves."""
    mute: bool = False
    """Whether the last connection ended without any answer."""
    dead: set[int] = field(default_factory=set)
    """Dead letters that the cursor has not passed yet."""
    reached: int = 0
    """The newest sequence that ever went out from here."""
    sent: int = 0
    acknowledged: int = 0
    last_error: str | None = None
