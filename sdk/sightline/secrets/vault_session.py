"""When a token of Vault is asked for, renewed or asked for anew: decided without Vault. Pure.

nothing held                     → log in
held, before two thirds of it    → keep
held, later, renewable           → renew; if Vault says no, log in
held, later, not renewable       → log in; a token that was handed to us: keep until its end
held, ended                      → log in; a token that was handed to us: it is over
"""

from __future__ import annotations

from typing import Literal

import msgspec

Move = Literal["log in", "renew", "keep", "over"]


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """How long a token is good. Times are of any rising clock, in seconds."""

    since: float
    seconds: float
    """0: for good, as a root token."""
    renewable: bool

    def left(self, now: float) -> float:
        """How much of it is left, 0..1."""
        if not self.seconds:
            return 1.0
        return max(0.0, 1.0 - (now - self.since) / self.seconds)


def move(lease: Lease | None, now: float, *, given: bool) -> Move:
    """What to do now. `given`: the token was handed to us, and there is no login."""
    if lease is None:
        return "log in"
    left = lease.left(now)
    if left > 1 / 3:
        return "keep"
    if left > 0 and lease.renewable:
        return "renew"
    if not given:
        return "log in"
    return "keep" if left > 0 else "over"
