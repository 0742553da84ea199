"""Which event breaks a connection: nobody says, so it has to be found out. Sans I/O.

Connections that break without getting anywhere make batches smaller, down to a single event, sent
to a peer that has just answered a ping and with nothing else under way. A connection that breaks
then is a strike against that event. What gets through makes batches grow again. A peer that does
not even answer the first ping is no strike against anything.
"""

from __future__ import annotations

_SHRINK, _GROW = 4, 2


class Suspicion:
    """`strikes` against one event condemn it; `most` is how many events a batch has in peace."""

    def __init__(self, *, strikes: int, most: int) -> None:
        self._limit = strikes
        self._most = most
        self._against: dict[int, int] = {}
        self._failures = 0
        self._trial: int | None = None
        self.batch_events = most

    @property
    def careful(self) -> bool:
        """Whether to send one event at a time, to a peer that was seen to live."""
        return self._failures > 0 and self.batch_events == 1

    def try_one(self, sequence: int) -> None:
        """That event alone is on its way, to a peer that lives."""
        self._trial = sequence

    def passed(self) -> None:
        """Events were acknowledged."""
        self._trial = None
        self._failures = 0
        self._against.clear()
        self.batch_events = min(self._most, _GROW * self.batch_events)

    def broke(self) -> int | None:
        """The connection broke, before or after something passed: who is now condemned, if one is.

        The first break says nothing: networks break.
        """
        self._failures += 1
        if self._failures > 1:
            self.batch_events = max(1, self.batch_events // _SHRINK)
        suspect, self._trial = self._trial, None
        if suspect is None:
            return None
        self._against[suspect] = self._against.get(suspect, 0) + 1
        return suspect if self._against[suspect] >= self._limit else None
