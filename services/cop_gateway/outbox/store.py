"""Whichever store the settings name: everything that the gateway asks of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from cop_gateway.outbox.backup_tables import BackupTables
from cop_gateway.outbox.delivery_tables import DeliveryTables
from cop_gateway.outbox.health import Health
from cop_gateway.outbox.history_tables import HistoryTables
from cop_gateway.outbox.ledger_tables import LedgerTables
from cop_gateway.outbox.record import FrameKey, FrameRecord, Hold, Schema, Space
from cop_gateway.outbox.upkeep_tables import UpkeepTables
from sightline.messages import Event


class Outbox(DeliveryTables, HistoryTables, UpkeepTables, BackupTables, LedgerTables, ABC):
    """A store; the adapters add what is theirs alone."""

    health: Health

    @abstractmethod
    def turn(self) -> AbstractContextManager[Sequence[Event]]:
        """Our turn to commit, and what other processes committed since our last one."""

    @abstractmethod
    def receipts(self, keys: Sequence[FrameKey]) -> dict[FrameKey, bytes]:
        """The receipts of those frames that are committed already."""

    @abstractmethod
    def commit(self, records: Sequence[FrameRecord], committed_at: datetime) -> int:
        """Store all frames or none; the newest sequence."""

    @abstractmethod
    def hold(self, sink: str) -> Hold | None:
        """The right to deliver to that sink; None while another process has it."""

    @abstractmethod
    def space(self) -> Space:
        """What the store takes, and what is left where it lies."""

    @abstractmethod
    def schema(self) -> Schema:
        """Which steps of the schema it has, and which this code knows."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""
