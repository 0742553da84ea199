"""Whichever store the settings name: everything that the gateway asks of one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from cop_gateway.outbox.delivery_tables import DeliveryTables
from cop_gateway.outbox.history_tables import HistoryTables
from cop_gateway.outbox.record import FrameKey, FrameRecord, Space
from cop_gateway.outbox.upkeep_tables import UpkeepTables
from sightline.messages import Event


class Hold(Protocol):
    """The right to deliver to one sink."""

    def alive(self) -> bool:
        """Whether it is still ours."""

    def release(self) -> None:
        """Give it up."""


class Outbox(DeliveryTables, HistoryTables, UpkeepTables):
    """A store; the adapters add what is theirs alone."""

    def turn(self) -> AbstractContextManager[Sequence[Event]]:
        """Our turn to commit, and what other processes committed since our last one."""
        raise NotImplementedError

    def receipts(self, keys: Sequence[FrameKey]) -> dict[FrameKey, bytes]:
        """The receipts of those frames that are committed already."""
        raise NotImplementedError

    def commit(self, records: Sequence[FrameRecord], committed_at: datetime) -> int:
        """Store all frames or none; the newest sequence."""
        raise NotImplementedError

    def hold(self, sink: str) -> Hold | None:
        """The right to deliver to that sink; None while another process has it."""
        raise NotImplementedError

    def space(self) -> Space:
        """What the store takes, and what is left where it lies."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything."""
        raise NotImplementedError
