"""What is on its way to a sink and not yet acknowledged. Sans I/O.

A ping follows each batch; its pong says that the batch was read. Pongs come in the order of their
pings (one stream, read in order), and most servers' pongs do not say which ping they answer, so the
oldest ping is the one that a pong settles.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ping:
    sequence: int
    events: int
    sent_at: float


class Window:
    """`sent` and `acknowledged` are sequences: the newest event sent, the newest one settled."""

    def __init__(self, *, cursor: int, limit: int) -> None:
        self.sent = cursor
        self.acknowledged = cursor
        self._limit = limit
        self._pings: deque[_Ping] = deque()

    @property
    def is_open(self) -> bool:
        """Whether another batch may go out."""
        return len(self._pings) < self._limit

    @property
    def is_settled(self) -> bool:
        """Whether every ping was answered."""
        return not self._pings

    def batch(self, *, sequence: int, events: int, now: float) -> None:
        """A batch that ends with that sequence went out, and its ping behind it.

        A ping without a batch (to keep the connection alive) settles nothing new.
        """
        if sequence < self.sent:
            raise ValueError(f"sequence {sequence} goes back behind {self.sent}")
        self.sent = sequence
        self._pings.append(_Ping(sequence=sequence, events=events, sent_at=now))

    def pong(self) -> int:
        """A pong came: how many events it settles. A pong that nobody asked for settles none."""
        if not self._pings:
            return 0
        ping = self._pings.popleft()
        self.acknowledged = ping.sequence
        return ping.events

    def waited(self, now: float) -> float:
        """Seconds that the oldest ping has been waiting for its pong; 0 when there is none."""
        return now - self._pings[0].sent_at if self._pings else 0.0
