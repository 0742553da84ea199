"""Our own event (SA): servers and clients list only those who tell of themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cop_gateway.cot import CotEvent, Point, to_xml

STALE_FACTOR = 3.0


def presence(
    *,
    uid: str,
    callsign: str,
    cot_type: str,
    version: str,
    seconds: float,
    where: tuple[float, float] | None = None,
) -> Callable[[datetime], str]:
    """Writes the event of a moment; it is renewed every so many seconds, and holds for three times.

    Without a place it is at 0, 0 with an unknown error, which clients list and do not draw.
    """
    latitude, longitude = where or (0.0, 0.0)

    def write(now: datetime) -> str:
        event = CotEvent(
            uid=uid,
            type=cot_type,
            how="h-g-i-g-o",
            time=now,
            stale=now + timedelta(seconds=STALE_FACTOR * seconds),
            point=Point(latitude=latitude, longitude=longitude, hae=None, ce=None, le=None),
            detail={
                "contact": {"callsign": callsign, "endpoint": "*:-1:stcp"},
                "__group": {"name": "Cyan", "role": "Team Member"},
                "takv": {
                    "device": "server", "platform": "Sightline", "os": "", "version": version,
                },
            },
        )  # fmt: skip
        return to_xml(event)

    return write
