"""The ping of a TAK stream, t-x-c-t, which a server answers with a pong, t-x-c-t-r.

A stream carries no acknowledgement of events; but it is read in order, so a pong says that
everything before its ping was read too.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from cop_gateway.cot.event import CotEvent, Point, to_xml

_NOWHERE = Point(latitude=0.0, longitude=0.0, hae=0.0, ce=None, le=None)
_TYPE = re.compile(rb"""<event\b[^>]*?\btype\s*=\s*["'](t-x-c-t(?:-r)?)["']""", re.DOTALL)
_LIFETIME = timedelta(seconds=20)


def ping(uid: str, now: datetime) -> bytes:
    """The ping of one peer."""
    return machine_event(uid=f"{uid}-ping", kind="t-x-c-t", now=now).encode()


def pong(now: datetime) -> bytes:
    """The answer to a ping."""
    return machine_event(uid="takPong", kind="t-x-c-t-r", now=now).encode()


def is_pong(event: bytes) -> bool:
    """Whether a framed event is the answer to a ping."""
    return _kind(event) == b"t-x-c-t-r"


def is_ping(event: bytes) -> bool:
    """Whether a framed event asks for a pong."""
    return _kind(event) == b"t-x-c-t"


def _kind(event: bytes) -> bytes | None:
    match = _TYPE.search(event)
    return match[1] if match else None


def machine_event(*, uid: str, kind: str, now: datetime, lifetime: timedelta = _LIFETIME) -> str:
    """What machines say to each other: an event without a place."""
    return to_xml(
        CotEvent(uid=uid, type=kind, how="m-g", time=now, stale=now + lifetime, point=_NOWHERE)
    )
