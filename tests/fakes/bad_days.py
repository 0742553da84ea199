"""How a TAK server behaves on one connection, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from takproto.proto import TakMessage


@dataclass
class Behaviour:
    """A good server, unless told otherwise; may be changed while it runs."""

    breaks_on: Callable[[bytes], bool] = lambda _: False
    """Whether it cuts the connection when it meets this event, as if it had crashed on it.

    It is asked with the XML; of a protocol buffer, with its uid as XML has it.
    """

    # What it answers, and how.
    pongs: bool = True
    pongs_at_most: int | None = None
    pong_uid: str | None = "takPong"
    echoes: bool = False
    """Sends the ping back for a pong, as OpenTAKServer does."""
    loses: bool = False
    """Drops what a read has cut in two behind a whole event, as OpenTAKServer does; XML only."""
    late: float = 0.0
    """Seconds before each pong; it does not read meanwhile."""
    together: int = 1
    """So many pongs in one segment; sooner when nothing more comes."""
    fragment: int | None = None
    """Answers in pieces of so many bytes, in segments of their own."""
    junk: bytes = b""
    """Comes before each pong."""
    chatter: bool = False
    """Somebody else's event comes with the pongs, its second half with the next one."""
    offers_protobuf: bool = False
    refuses_protobuf: bool = False
    never_answers_request: bool = False
    greeting: bytes = b""
    """Said to whoever connects."""
    asks_amid: bool = False
    """Pings between being asked for another protocol and its answer."""

    # How it reads.
    bite: int = 65_536
    """Reads so many bytes at once."""
    receive_bytes: int | None = None
    """Of its receive buffer, as far as the system goes along."""

    swallows: bool = False
    """Takes one event out of what it reads first, drops the rest, and says welcome."""

    # How it ends. Counted are events, not pings nor presence.
    stalls_after: int | None = None
    """Stops reading and answering then, and the connection stands."""
    ends_after: int | None = None
    amid: bool = False
    """It ends only once the next event has begun to come."""
    resets: bool = False
    """Ends with RST and not with FIN."""


@dataclass
class Life:
    """One connection: what was heard whole, in order, and how much of it a pong came after."""

    behaviour: Behaviour
    heard: list[str] = field(default_factory=list)
    """The uids, without those of machines."""
    answered: int = 0
    """So many of them."""
    pongs: int = 0


def is_machine(kind: str, uid: str) -> bool:
    """Pings, negotiation, and our presence."""
    return kind.startswith("t-x-") or uid == "sightline"


def attribute(event: bytes, name: bytes) -> str:
    match = re.search(rb"\b" + name + rb'="([^"]*)"', event)
    return match[1].decode() if match else ""


def machine(kind: str, control: str = "", *, uid: str | None = "server") -> bytes:
    """What a server says by itself, as XML."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    inner = f"<TakControl>{control}</TakControl>" if control else ""
    named = f' uid="{uid}"' if uid is not None else ""
    return (
        f'<event version="2.0"{named} type="{kind}" how="m-g" time="{now}" start="{now}"'
        f' stale="{now}"><point lat="0.0" lon="0.0" hae="0.0" ce="9999999" le="9999999"/>'
        f"<detail>{inner}</detail></event>"
    ).encode()


def framed(message: TakMessage) -> bytes:
    """A message on a stream, by the generated code alone."""
    body = message.SerializeToString()
    length, head = len(body), bytearray(b"\xbf")
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(head) + bytes((length,)) + body


def unframed(buffer: bytes) -> tuple[TakMessage, bytes] | None:
    """The first message, if it is whole, and what is left."""
    if not buffer:
        return None
    assert buffer[0] == 0xBF, buffer[:10]
    length = shift = 0
    for at in range(1, len(buffer)):
        length |= (buffer[at] & 0x7F) << shift
        shift += 7
        if buffer[at] < 0x80:
            body = buffer[at + 1 : at + 1 + length]
            if len(body) < length:
                return None
            message = TakMessage()
            message.ParseFromString(body)
            return message, buffer[at + 1 + length :]
    return None
