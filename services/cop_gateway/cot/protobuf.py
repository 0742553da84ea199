"""TAK protocol version 1: a CoT event as a protocol buffer, and back.

Source: the .proto files of the TAK Product Center's AndroidTacticalAssaultKit-CIV (commoncommo,
takmessage, cotevent, detail and their parts), and its protocol.txt: an element of `detail` becomes
a typed message only when that message can say everything that the element says; all others stay
XML text in xmlDetail. TAKControl announces the versions that a peer speaks.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from cop_gateway.cot import wire
from cop_gateway.cot.errors import EventError, FramingError
from cop_gateway.cot.xml import attributes, degrees, escape, metres, timestamp

VERSION = 1
MAGIC = 0xBF
MAX_MESSAGE_BYTES = 1 << 20
# No protocol buffer is longer (protobuf.dev, "Encoding"): the stream is out of step.
_MOST_BYTES = (1 << 31) - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNKNOWN_METRES = 9_999_998.0

# Element → field of Detail, and its attributes → fields of that message.
_TYPED: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "contact": (2, {"endpoint": 1, "callsign": 2}),
    "__group": (3, {"name": 1, "role": 2}),
    "precisionlocation": (4, {"geopointsrc": 1, "altsrc": 2}),
    "takv": (6, {"device": 1, "platform": 2, "os": 3, "version": 4}),
}
_TRACK = 7
_TRACK_FIELDS = {"speed": 1, "course": 2}
_TEXTS = {
    1: "type", 2: "access", 3: "qos", 4: "opex", 5: "uid", 9: "how", 16: "caveat",
    17: "releasableTo",
}  # fmt: skip
_TIMES = {6: "time", 7: "start", 8: "stale"}
_DETAIL = 15
_PLACE = {10: "lat", 11: "lon", 12: "hae", 13: "ce", 14: "le"}


def encode(event: str) -> bytes:
    """One XML event as a TakMessage. Raises EventError when it is no CoT event."""
    try:
        root = ET.fromstring(event)  # noqa: S314 - our own event, out of the outbox
        point = root.find("point")
        if root.tag != "event" or point is None:
            raise EventError("not a CoT event with a point")
        parts = {n: wire.text(n, root.get(name, "")) for n, name in _TEXTS.items()}
        for n, name in _TIMES.items():
            parts[n] = wire.unsigned(n, _milliseconds(root.attrib[name]))
        for n, name in _PLACE.items():
            parts[n] = wire.double(n, float(point.attrib[name]))
        parts[_DETAIL] = _detail(root.find("detail"))
    except (ET.ParseError, KeyError, ValueError) as error:
        raise EventError(f"not a CoT event: {error}") from error
    return wire.message(2, b"".join(parts[n] for n in sorted(parts)))


def decode(message: bytes) -> str | None:
    """The XML of a TakMessage's event; None when it carries none. Raises FramingError."""
    for number, value in wire.fields(message):
        if number == 2 and isinstance(value, bytes):
            return _event(value)
    return None


def control(uid: str) -> bytes:
    """A TakMessage that says only which versions we speak."""
    body = wire.unsigned(1, VERSION) + wire.unsigned(2, VERSION) + wire.text(3, uid)
    return wire.message(1, body)


def stream_frame(message: bytes) -> bytes:
    """A message on a stream: 0xBF, its length, the message."""
    return bytes((MAGIC,)) + wire.varint(len(message)) + message


def mesh_frame(message: bytes) -> bytes:
    """A message in a datagram: 0xBF, the version, 0xBF, the message."""
    return bytes((MAGIC, VERSION, MAGIC)) + message


def from_datagram(datagram: bytes) -> bytes | None:
    """The XML event of a datagram of either kind; None when it holds none. Raises FramingError."""
    if datagram[:1] != bytes((MAGIC,)):
        start = datagram.find(b"<event")
        return datagram[start:] if start >= 0 else None
    if len(datagram) < 3 or datagram[2] != MAGIC:
        raise FramingError("a datagram without the header of the TAK protocol")
    if datagram[1] != VERSION:
        raise FramingError(f"version {datagram[1]} of the TAK protocol; {VERSION} is spoken here")
    event = decode(datagram[3:])
    return event.encode() if event is not None else None


class MessageSplitter:
    """Splits a stream of TAK protocol messages. Sans I/O: bytes in, whole messages out.

    A message beyond `limit` is dropped as it comes: servers hand on what strangers send.
    """

    def __init__(self, *, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._buffer = bytearray()
        self._limit = limit
        self._to_skip = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what arrived and yield each message that is now whole. Raises FramingError."""
        self._buffer += data
        while self._skipped() and self._buffer:
            if self._buffer[0] != MAGIC:
                raise FramingError(f"byte {self._buffer[0]:#04x} where a message should begin")
            try:
                length, at = wire.read_varint(memoryview(self._buffer), 1)
            except IndexError:
                return
            if length > _MOST_BYTES:
                raise FramingError(f"a message of {length} bytes")
            if length > self._limit:
                self._to_skip = at + length
                continue
            if len(self._buffer) < at + length:
                return
            message = bytes(self._buffer[at : at + length])
            del self._buffer[: at + length]
            yield message

    def _skipped(self) -> bool:
        """Drop what belongs to a message that is too long; whether all of it is gone."""
        gone = min(self._to_skip, len(self._buffer))
        del self._buffer[:gone]
        self._to_skip -= gone
        return not self._to_skip


def _detail(detail: ET.Element | None) -> bytes:
    if detail is None:
        return b""
    typed: dict[int, bytes] = {}
    rest: list[str] = []
    for element in detail:
        field, body = _typed(element)
        if field and field not in typed:
            typed[field] = body
        else:
            rest.append(_written(element))
    parts = [wire.text(1, "".join(rest))]
    parts += [wire.message(field, typed[field]) for field in sorted(typed)]
    return wire.message(_DETAIL, b"".join(parts))


def _written(element: ET.Element) -> str:
    """An element as text; ours have no namespaces, and are several times as fast as others."""
    if element.tag[:1] == "{":
        element.tail = None
        return ET.tostring(element, encoding="unicode")
    inside = escape(element.text) if element.text else ""
    for child in element:
        inside += _written(child) + (escape(child.tail) if child.tail else "")
    head = f"<{element.tag}{attributes(element.attrib)}"
    return f"{head}>{inside}</{element.tag}>" if inside else f"{head}/>"


def _typed(element: ET.Element) -> tuple[int, bytes]:
    """Field and message of an element that a message can wholly say; else 0."""
    given = element.attrib
    if len(element) or (element.text or "").strip() or not given:
        return 0, b""
    if element.tag == "track":
        if given.keys() == _TRACK_FIELDS.keys():
            numbers = {number: float(given[name]) for name, number in _TRACK_FIELDS.items()}
            return _TRACK, b"".join(wire.double(n, numbers[n]) for n in sorted(numbers))
        return 0, b""
    if element.tag not in _TYPED:
        return 0, b""
    field, names = _TYPED[element.tag]
    if not given.keys() <= names.keys():
        return 0, b""
    body = b"".join(wire.text(number, given.get(name, "")) for name, number in names.items())
    return field, body


def _event(body: bytes) -> str:
    texts: dict[str, str] = {}
    times = dict.fromkeys(_TIMES.values(), 0)
    place = dict.fromkeys(_PLACE.values(), 0.0)
    detail = ""
    for number, value in wire.fields(body):
        if number in _TEXTS and isinstance(value, bytes):
            texts[_TEXTS[number]] = _text(value)
        elif number in _TIMES and isinstance(value, int):
            times[_TIMES[number]] = value
        elif number in _PLACE and isinstance(value, float):
            place[_PLACE[number]] = value
        elif number == _DETAIL and isinstance(value, bytes):
            detail = _detail_xml(value)
    moments = {name: _moment(value) for name, value in times.items()}
    where = {
        "lat": degrees(place["lat"]),
        "lon": degrees(place["lon"]),
        **{name: _metres(place[name]) for name in ("hae", "ce", "le")},
    }
    return (
        f'<event version="2.0"{attributes(texts)}{attributes(moments)}>'
        f"<point{attributes(where)}/><detail>{detail}</detail></event>"
    )


def _detail_xml(body: bytes) -> str:
    by_field = {number: (name, names) for name, (number, names) in _TYPED.items()}
    free = ""
    typed: dict[int, str] = {}  # the last one of a kind counts
    for number, value in wire.fields(body):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            free = _text(value)
        elif number in by_field:
            name, names = by_field[number]
            back = {field: attribute for attribute, field in names.items()}
            given = {
                back[n]: _text(v)
                for n, v in wire.fields(value)
                if n in back and isinstance(v, bytes)
            }
            typed[number] = f"<{name}{attributes(given)}/>"
        elif number == _TRACK:
            reals = {n: v for n, v in wire.fields(value) if isinstance(v, float)}
            speed, course = reals.get(1, 0.0), reals.get(2, 0.0)
            typed[number] = f'<track speed="{speed:.2f}" course="{course:.1f}"/>'
    return free + "".join(typed.values())


def _milliseconds(moment: str) -> int:
    since = datetime.fromisoformat(moment) - _EPOCH
    return max(0, since // timedelta(milliseconds=1))


def _moment(milliseconds: int) -> str:
    try:
        return timestamp(_EPOCH + timedelta(milliseconds=milliseconds))
    except OverflowError as error:
        raise FramingError("a time beyond the calendar") from error


def _metres(value: float) -> str:
    known = abs(value) < _UNKNOWN_METRES  # and so not NaN either
    return metres(value if known else None)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise FramingError("text that is not UTF-8") from error
