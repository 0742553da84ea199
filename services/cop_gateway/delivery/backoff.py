"""How long to wait before connecting again: doubling up to a limit, with full jitter.

Source: M. Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Seconds: the first wait is up to `first`, later ones up to `most`."""

    first: float = 0.5
    most: float = 15.0
    least: float = 0.05

    def wait(self, failures: int, uniform: Callable[[], float]) -> float:
        """Seconds to wait after so many failures in a row (from 1); `uniform` draws from 0..1."""
        ceiling = min(self.most, self.first * 2.0 ** min(failures - 1, 30))
        return max(self.least, ceiling * uniform())
