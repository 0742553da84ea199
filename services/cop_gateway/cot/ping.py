"""The ping of a TAK stream, t-x-c-t, which a server answers with a pong, t-x-c-t-r.

A stream carries no acknowledgement of events; but it is read in order, so a pong says that
everything before its ping was read too.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from cop_gateway.cot.event import CotEvent, Point, to_xml

_NOWHERE = Point(latitude=0.0, longitude=0.0, hae=0.0, ce=None, le=None)
# Of the first tag only, and never across a `<`: what strangers send is searched in one pass.
_TYPE = re.compile(rb"""<event\b[^<>]*?\btype\s*=\s*["'](t-x-c-t(?:-r)?)["']""")
_ATTRIBUTE = rb"""<event\b[^<>]*?\s%s\s*=\s*["']([^"'<>]*)["']"""
_UID, _TIME = re.compile(_ATTRIBUTE % b"uid"), re.compile(_ATTRIBUTE % b"time")
_LIFETIME = timedelta(seconds=20)

Stamp = tuple[bytes, bytes]


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


def stamp(event: bytes) -> Stamp | None:
    """What tells one ping from all others: who asked, and when; None where it does not say."""
    uid, time = _UID.match(event), _TIME.match(event)
    return (uid[1], time[1]) if uid and time else None


def _kind(event: bytes) -> bytes | None:
    match = _TYPE.match(event)
    return match[1] if match else None


def machine_event(*, uid: str, kind: str, now: datetime, lifetime: timedelta = _LIFETIME) -> str:
    """What machines say to each other: an event without a place."""
    return to_xml(
        CotEvent(uid=uid, type=kind, how="m-g", time=now, stale=now + lifetime, point=_NOWHERE)
    )
