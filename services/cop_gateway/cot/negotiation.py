"""Changing a stream from XML to protocol buffers, as a client does it. Pure.

Source: protocol.txt of the TAK Product Center's AndroidTacticalAssaultKit-CIV (commoncommo): the
server offers versions (t-x-takp-v), the client asks for one (t-x-takp-q) and sends nothing more,
the server answers (t-x-takp-r); after a positive answer both speak that version.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Literal

from cop_gateway.cot.ping import machine_event

_LIFETIME = timedelta(seconds=60)
# Never across a `<`: what strangers send is searched in one pass.
_KIND = re.compile(rb"""<event\b[^<>]*?\btype\s*=\s*["']t-x-takp-([vr])["']""")
_OFFER = re.compile(rb"""<TakProtocolSupport\b[^<>]*?\bversion\s*=\s*["'](\d{1,9})["']""")
_STATUS = re.compile(rb"""<TakResponse\b[^<>]*?\bstatus\s*=\s*["'](\w{1,9})["']""")

Word = Literal["offer", "yes", "no"]


def word(event: bytes, version: int) -> Word | None:
    """What an event from the server means for that version: None is nothing."""
    kind = _KIND.match(event)
    if kind is None:
        return None
    if kind[1] == b"v":
        offered = {int(each) for each in _OFFER.findall(event)}
        return "offer" if version in offered else None
    status = _STATUS.search(event)
    return "yes" if status is not None and status[1].lower() == b"true" else "no"


def request(uid: str, now: datetime, version: int) -> str:
    """Ask for a version."""
    event = machine_event(uid=uid, kind="t-x-takp-q", now=now, lifetime=_LIFETIME)
    control = f'<TakControl><TakRequest version="{version}"/></TakControl>'
    return event.replace("<detail>", f"<detail>{control}", 1)
