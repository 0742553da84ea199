"""How long a run takes, of late, and whether all cores make it quicker."""

from __future__ import annotations

from dataclasses import dataclass

_SMOOTHING = 0.1
RETRY = 32
"""One image of so many that are alone tries all cores again, while those are the slower way."""


@dataclass(kw_only=True, slots=True)
class Pace:
    """Smoothed seconds of a run on one lane's threads, and of one on all cores.

    Lanes may tell at once: one of two being lost matters little.
    """

    narrow_seconds: float
    wide_seconds: float = 0.0
    _passed: int = 0

    @property
    def seconds(self) -> float:
        """What the next run in a lane should take."""
        return self.narrow_seconds

    def widens(self) -> bool:
        """Whether an image that is alone should have all cores.

        Threads that share a run wait for the slowest of them: where somebody else uses the cores
        as well, one thread by itself can be twice as quick.
        """
        if self.wide_seconds <= self.narrow_seconds:
            return True
        self._passed = (self._passed + 1) % RETRY
        return self._passed == 0

    def took(self, seconds: float, *, wide: bool) -> None:
        """One more run."""
        if wide:
            self.wide_seconds += _SMOOTHING * (seconds - self.wide_seconds)
        else:
            self.narrow_seconds += _SMOOTHING * (seconds - self.narrow_seconds)
