"""What is on its way to a sink and not yet acknowledged. Sans I/O.

A ping follows each batch; its pong says that the batch was read. Pongs come in the order of their
pings (one stream, read in order), and most servers' pongs do not say which ping they answer, so the
oldest ping is the one that a pong settles. Some servers send the ping itself back: that says which.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from cop_gateway.cot import Stamp
from cop_gateway.delivery.selection import Selection


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One ping, and what it stands for: a selection, dead letters tried again, or nothing."""

    at: float
    """When it was sent, by the loop's clock."""
    sent_at: datetime
    selection: Selection | None = None
    revived: tuple[int, ...] = ()
    stamp: Stamp | None = None
    """Of its ping, for peers that say which one they answer."""

    @property
    def events(self) -> int:
        """How many events went out with it."""
        return len(self.selection.chosen if self.selection else self.revived)

    def repeated(self, reached: int) -> int:
        """How many of them went out before, when everything up to that sequence did."""
        if self.selection is None:
            return len(self.revived)
        return sum(each.sequence <= reached for each in self.selection.chosen)


class Window:
    """`sent` and `acknowledged` are sequences: the newest event sent, the newest one settled."""

    def __init__(self, *, cursor: int, limit: int) -> None:
        self.sent = cursor
        self.acknowledged = cursor
        self._limit = limit
        self._batches: deque[Batch] = deque()

    def is_open(self, limit: int | None = None) -> bool:
        """Whether another batch may go out."""
        return len(self._batches) < (limit or self._limit)

    @property
    def is_settled(self) -> bool:
        """Whether every ping was answered."""
        return not self._batches

    @property
    def is_empty(self) -> bool:
        """Whether no event is under way, but pings at most."""
        return not any(batch.selection or batch.revived for batch in self._batches)

    def add(self, batch: Batch) -> None:
        """A batch went out, and its ping behind it."""
        if batch.selection is not None:
            if batch.selection.last < self.sent:
                raise ValueError(f"{batch.selection.last} goes back behind {self.sent}")
            self.sent = batch.selection.last
        self._batches.append(batch)

    def retract(self) -> None:
        """The newest batch did not go out after all."""
        batch = self._batches.pop()
        if batch.selection is not None:
            self.sent = batch.selection.first - 1

    def settle(self) -> Batch | None:
        """The oldest ping was answered: its batch. None for a pong that nobody asked for."""
        if not self._batches:
            return None
        batch = self._batches.popleft()
        if batch.selection is not None:
            self.acknowledged = batch.selection.last
        return batch

    def until(self, stamp: Stamp) -> int:
        """How many pings, from the oldest on, lead up to this one; 0 when it is not under way."""
        stamps = [batch.stamp for batch in self._batches]
        return stamps.index(stamp) + 1 if stamp in stamps else 0

    def waited(self, now: float) -> float:
        """Seconds that the oldest ping has been waiting for its pong; 0 when there is none."""
        return now - self._batches[0].at if self._batches else 0.0
