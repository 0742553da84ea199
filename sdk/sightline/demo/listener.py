"""An independent TAK client: what really arrives, counted apart from what the gateway says."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

_END = b"</event>"
_OWN = re.compile(rb"<__sightline\b([^>]*)>")
_ATTRIBUTE = re.compile(rb'(\w+)="([^"]*)"')
_READ_BYTES = 1 << 16
_AGAIN_SECONDS = 0.2


class Sighting(NamedTuple):
    """What names one detection from the camera to the map."""

    camera_id: str
    frame_id: str
    detection: int


@dataclass
class Arrivals:
    """When each sighting first came, by the given clock, and how many came again."""

    first: dict[Sighting, float] = field(default_factory=dict)
    repeated: int = 0

    def note(self, sighting: Sighting, moment: float) -> None:
        """One has come."""
        if sighting in self.first:
            self.repeated += 1
        else:
            self.first[sighting] = moment


def sighting_of(event: bytes) -> Sighting | None:
    """Which detection an event tells of; None for cameras, pings and other people's events."""
    own = _OWN.search(event)
    if own is None:
        return None
    named = {key.decode(): value.decode() for key, value in _ATTRIBUTE.findall(own[1])}
    try:
        return Sighting(
            camera_id=named["camera"], frame_id=named["frame"], detection=int(named["detection"])
        )
    except (KeyError, ValueError):
        return None


async def listen(
    host: str, port: int, arrivals: Arrivals, clock: Callable[[], float], up: asyncio.Event
) -> None:
    """Read a TAK server's stream until cancelled; connect again whenever it breaks."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            up.set()
            try:
                await _read(reader, arrivals, clock)
            finally:
                writer.close()
        await asyncio.sleep(_AGAIN_SECONDS)


async def _read(
    reader: asyncio.StreamReader, arrivals: Arrivals, clock: Callable[[], float]
) -> None:
    rest = b""
    while data := await reader.read(_READ_BYTES):
        moment = clock()
        *events, rest = (rest + data).split(_END)
        for event in events:
            if sighting := sighting_of(event):
                arrivals.note(sighting, moment)
