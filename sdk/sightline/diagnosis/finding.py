"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What it was like, and what to type when it is not as it should be."""

    name: str
    ok: bool
    required: bool
    """Whether what was asked about (the demo, an environment) needs it."""
    detail: str
    remedy: str = ""
