"""How long events took to a sink. Pure.

One value for each commit and one for each frame in a batch, and not one for each event: that is
what users wait for, and a busy frame counts no more than a quiet one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from cop_gateway.outbox.record import Dispatch


class Delays(NamedTuple):
    """Seconds, none of them negative."""

    commits: tuple[float, ...]
    """From each commit to the acknowledgement of its events."""
    frames: tuple[float, ...]
    """From each frame's capture to the acknowledgement of what was seen in it."""


def delays(events: Iterable[Dispatch], *, now: datetime) -> Delays:
    """Of a batch that is acknowledged now. Cameras whose clocks are ahead seem instant."""
    events = tuple(events)
    captured = {event.captured_at for event in events if event.kind == "detection"}
    return Delays(
        commits=_since({event.committed_at for event in events}, now),
        frames=_since((moment for moment in captured if moment is not None), now),
    )


def _since(moments: Iterable[datetime], now: datetime) -> tuple[float, ...]:
    return tuple(max(0.0, (now - moment).total_seconds()) for moment in moments)
