"""A store in memory, for intake: it can be held up, and it can fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from cop_gateway.outbox.record import FrameKey, FrameRecord
from sightline.messages import Event


class FakeStore:
    """Used from the committing thread. The next commits raise `failures` (None: they do not)."""

    def __init__(self) -> None:
        self.groups: list[list[FrameRecord]] = []
        self.moments: list[datetime] = []
        self.failures: list[Exception | None] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.news: list[Event] = []
        self._receipts: dict[FrameKey, bytes] = {}
        self._events = 0

    @property
    def frames(self) -> list[str]:
        """The frames that were committed, in their order."""
        return [record.key.frame_id for group in self.groups for record in group]

    @contextmanager
    def turn(self) -> Iterator[Sequence[Event]]:
        yield self.news
        self.news = []

    def receipts(self, keys: Sequence[FrameKey]) -> dict[FrameKey, bytes]:
        return {key: self._receipts[key] for key in keys if key in self._receipts}

    def commit(self, records: Sequence[FrameRecord], committed_at: datetime) -> int:
        self.entered.set()
        if not self.gate.wait(30):
            raise AssertionError("nobody opened the gate")
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.groups.append(list(records))
        self.moments.append(committed_at)
        for record in records:
            assert record.key not in self._receipts, "a frame is committed once"
            self._receipts[record.key] = record.receipt
            self._events += len(record.events)
        return self._events


class FakeIntakeObserver:
    """Remembers what it is told of commits."""

    def __init__(self) -> None:
        self.frames: list[str] = []

    def committed(self, records: Sequence[FrameRecord], seconds: float) -> None:
        assert seconds >= 0
        self.frames += [record.key.frame_id for record in records]
