"""What delivery needs of storage and of the ways to a sink."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from cop_gateway.outbox.record import Account, Delivery, Dispatch, Hold


class Source(Protocol):
    """The outbox, read in its order. Calls block, and raise StoreFailedError."""

    def after(self, sequence: int, limit: int) -> list[Dispatch]:
        """The next events, in order."""

    def these(self, sequences: Iterable[int]) -> list[Dispatch]:
        """Those of them that are still there, in order."""

    def newest(self, uids: Iterable[str]) -> dict[str, int]:
        """The newest sequence of each of these objects."""


class Ledger(Protocol):
    """How far each sink has come. Calls block, and raise StoreFailedError."""

    def hold(self, sink: str) -> Hold | None:
        """The right to deliver to that sink; None while another process has it."""

    def account(self, sink: str) -> Account:
        """What is known of it; a new sink begins at the newest event."""

    def settle(self, sink: str, deliveries: Sequence[Delivery]) -> None:
        """Move the cursor to the last one's end and remember them all; it never moves back.

        Raises HoldLostError when another process has taken the sink over.
        """

    def bury(self, sink: str, sequence: int, reason: str) -> None:
        """That event cannot be delivered to that sink: a dead letter."""


class Graveyard(Protocol):
    """Dead letters that somebody wants delivered after all. Calls block."""

    def recalled(self, sink: str, limit: int) -> list[int]:
        """The sequences to try again, in order."""

    def revive(self, sink: str, sequences: Iterable[int]) -> None:
        """These were delivered: they are no dead letters any more."""


class Connection(Protocol):
    """An open way to a sink."""

    async def send(self, events: Sequence[str]) -> None:
        """Hand XML events to the peer, in order; returns when it has room for more.

        Raises OSError or SinkLostError, or UnsendableError for an event that this way can never
        carry.
        """

    def received(self) -> AsyncIterator[bytes]:
        """The XML events that the peer sends; ends when it closes."""

    async def close(self) -> None:
        """Let go of it, whatever state it is in."""


class Transport(Protocol):
    """One way to one sink: a new kind of sink is one new adapter."""

    @property
    def target(self) -> str:
        """The address, for people."""

    @property
    def expires_at(self) -> datetime | None:
        """When our certificate ends; None where there is none, or none yet."""

    async def open(self) -> Connection:
        """Connect. Raises OSError or DeliveryError."""
