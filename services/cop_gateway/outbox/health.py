"""Whether the store answers, as those who ask it find out."""

from __future__ import annotations

import threading
from typing import Literal

Way = Literal["read", "write", "hold"]
"""To look, to change something, and to take hold of a sink."""


class Health:
    """Told by the adapter after each of its transactions, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._broken: set[Way] = set()
        self.failures = 0
        """What the store has failed so far."""

    @property
    def up(self) -> bool:
        """Whether all that was asked of it last was answered, to look and to change alike.

        A full disk fails every commit and no look: it is down until something can be changed.
        """
        return not self._broken

    def answered(self, way: Way) -> None:
        """It did what it was asked."""
        if way in self._broken:
            with self._lock:
                self._broken.discard(way)

    def failed(self, way: Way) -> None:
        """It did not."""
        with self._lock:
            self.failures += 1
            self._broken.add(way)
