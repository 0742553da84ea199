"""What is built from, as a value."""

from __future__ import annotations

import msgspec


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A commit, and whether the files are still what it says."""

    commit: str
    committed_at: int
    """Seconds since 1970."""
    dirty: bool
    origin: str
    """Where it is from, without credentials; "unknown" where Git does not know."""
