"""What strangers may send: never an error but our own, never more memory than said, in one pass."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from takproto.proto import TakMessage

from cop_gateway.cot import EventSplitter, is_ping, is_pong, negotiation, protobuf, stamp, wire
from cop_gateway.cot.errors import FramingError

CHUNK = 1 << 16
LIMIT = 1 << 18
MEGABYTE = 1 << 20
VECTORS = [
    path.read_bytes() for path in sorted((Path(__file__).parents[2] / "vectors/cot").glob("*.xml"))
]


def full_message() -> bytes:
    """Every field that the schema has for an event, by the generated code."""
    message = TakMessage()
    message.takControl.minProtoVersion = message.takControl.maxProtoVersion = 1
    event = message.cotEvent
    event.type, event.access, event.qos, event.opex = "a-f-G-U-C", "Undefined", "5-r-d", "e"
    event.uid, event.how = "ANDROID-1", "m-g"
    event.sendTime = event.startTime = 1_760_000_000_000
    event.staleTime = 1_760_000_060_000
    event.lat, event.lon, event.hae, event.ce, event.le = 47.1, -8.5, 400.0, 5.0, 9999999.0
    detail = event.detail
    detail.xmlDetail = "<remarks>ü &amp; so on</remarks>"
    detail.contact.endpoint, detail.contact.callsign = "*:-1:stcp", "EAGLE"
    detail.group.name, detail.group.role = "Cyan", "HQ"
    detail.precisionLocation.geopointsrc, detail.precisionLocation.altsrc = "GPS", "DTED0"
    detail.status.battery = 80
    detail.takv.device, detail.takv.version = "phone", "4.10"
    detail.track.speed, detail.track.course = 1.5, 270.0
    return message.SerializeToString()


FULL = full_message()
REAL = [*VECTORS, FULL, protobuf.stream_frame(FULL), protobuf.mesh_frame(FULL)]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real message or several, damaged in a few places."""
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(REAL), min_size=1, max_size=4))))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        until = min(len(data), at + draw(st.integers(0, 40)))
        piece = bytes(data[at:until])
        match draw(st.sampled_from(["flip", "drop", "twice", "insert", "end"])):
            case "flip" if piece:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "drop":
                del data[at:until]
            case "twice":
                data[at:at] = piece * draw(st.integers(1, 5))
            case "insert":
                data[at:at] = draw(st.binary(max_size=12) | st.just(b"\xff" * 10))
            case _:
                del data[until:]
    return bytes(data)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@settings(max_examples=400, deadline=None)
@given(mutated(), st.sampled_from([1, 13, CHUNK]))
def test_damaged_messages_are_read_or_refused_and_never_crash(data: bytes, size: int) -> None:
    splitter = EventSplitter()
    for event in (each for piece in pieces(data, size) for each in splitter.feed(piece)):
        assert event.startswith(b"<event")
        assert event.endswith(b"</event>")
        assert not (is_ping(event) and is_pong(event))
        stamp(event)
        negotiation.word(event, protobuf.VERSION)
    with contextlib.suppress(FramingError):
        protobuf.from_datagram(data)
    binary = protobuf.MessageSplitter()
    with contextlib.suppress(FramingError):
        for message in (each for piece in pieces(data, size) for each in binary.feed(piece)):
            with contextlib.suppress(FramingError):
                protobuf.decode(message)
    for at in range(0, len(data), 97):
        with contextlib.suppress(FramingError):
            protobuf.decode(data[at:])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_message_does_not_spoil_the_next_one(data: st.DataObject) -> None:
    """As long as it ends where it says that it does."""
    damaged = data.draw(mutated())
    splitter = protobuf.MessageSplitter()
    framed = protobuf.stream_frame
    found = list(splitter.feed(framed(damaged) + framed(FULL)))
    assert found == [damaged, FULL]


def endless(piece: bytes, *, head: bytes = b"", megabytes: int = 32) -> Iterator[bytes]:
    """A stream of so many megabytes, made as it is read."""
    yield head
    block = piece * max(1, CHUNK // len(piece))
    for _ in range(megabytes * MEGABYTE // len(block)):
        yield block


def peak(consume: Callable[[], object]) -> int:
    """The most bytes that were in use at any one time, beyond those before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        consume()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


XML_STREAMS: dict[str, Callable[[], Iterator[bytes]]] = {
    "an event without an end": lambda: endless(b"x", head=b"<event>"),
    "deep": lambda: endless(b"<detail>", head=b"<event>"),
    "events in events": lambda: endless(b"<event "),
    "no event at all": lambda: endless(b"\x00\xff"),
    "ends without a beginning": lambda: endless(b"</event>"),
    "tiny": lambda: endless(b"<event/></event>", megabytes=4),
    "laughs": lambda: endless(
        b"<!ENTITY lol '&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;'>",
        head=b"<!DOCTYPE lolz [<!ENTITY lol 'lol'>",
    ),
    "half of a beginning": lambda: endless(b"<even"),
}


@pytest.mark.parametrize("name", XML_STREAMS)
def test_xml_that_never_ends_takes_no_more_than_the_limit(name: str) -> None:
    splitter = EventSplitter(limit=LIMIT)

    def consume() -> None:
        for piece in XML_STREAMS[name]():
            for event in splitter.feed(piece):
                assert len(event) <= LIMIT

    # What is kept, its copy when it grows, and what has just come.
    assert peak(consume) <= 3 * LIMIT + 4 * CHUNK
    # And it is none the worse for it.
    assert list(splitter.feed(b"</event>" + VECTORS[0]))[-1] in VECTORS[0]


BINARY_STREAMS: dict[str, Callable[[], Iterator[bytes]]] = {
    "huge": lambda: endless(b"x", head=b"\xbf" + wire.varint((1 << 31) - 1)),
    "just too long": lambda: endless(b"x", head=b"\xbf" + wire.varint(32 * MEGABYTE)),
    "long ones": lambda: endless(b"\xbf" + wire.varint(LIMIT + 1) + bytes(LIMIT + 1)),
    "tiny": lambda: endless(b"\xbf\x00", megabytes=1),
}


@pytest.mark.parametrize("name", BINARY_STREAMS)
def test_protocol_buffers_that_never_end_take_no_more_than_the_limit(name: str) -> None:
    splitter = protobuf.MessageSplitter(limit=LIMIT)
    found = 0

    def consume() -> None:
        nonlocal found
        for piece in BINARY_STREAMS[name]():
            for data in pieces(piece, CHUNK):
                found += sum(1 for _ in splitter.feed(data))

    assert peak(consume) <= 3 * LIMIT + 4 * CHUNK
    assert (found > 0) == (name == "tiny")


@pytest.mark.parametrize(
    "head", [b"\xbf" + b"\xff" * 10, b"\xbf" + wire.varint(1 << 31), b"\xbf" + wire.varint(1 << 63)]
)
def test_a_length_that_cannot_be_is_refused_at_once(head: bytes) -> None:
    splitter = protobuf.MessageSplitter(limit=LIMIT)
    with pytest.raises(FramingError):
        list(splitter.feed(head))


def nested(fields: Iterable[tuple[int, bytes]]) -> bytes:
    return b"".join(wire.message(number, body) for number, body in fields)


@pytest.mark.parametrize(
    "detail",
    [
        b"\x3a\x00" * (CHUNK // 2),
        b"\x22\x00" * (CHUNK // 2),
        wire.text(1, "&" * CHUNK),
        nested([(2, wire.text(2, "'" * CHUNK))]),
        b"\x08\x01" * (CHUNK // 2),
        nested((15, b"") for _ in range(CHUNK // 2)),
    ],
    ids=["tracks", "locations", "text", "callsign", "numbers", "unknown"],
)
def test_a_message_is_not_blown_up(detail: bytes) -> None:
    """Elements that take two bytes each become one: the last of a kind counts."""
    message = wire.message(2, wire.message(15, detail))
    # Each character may become six, in a few copies.
    assert peak(lambda: protobuf.decode(message)) <= 20 * len(message)


class Counting(bytearray):
    """Counts the bytes that were looked at."""

    looked_at = 0

    def __iadd__(self, data: bytes) -> Counting:  # type: ignore[override, misc]
        Counting.looked_at += len(data)
        return super().__iadd__(data)  # type: ignore[return-value]

    def find(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        stop = len(self) if end is None else end
        found = super().find(sub, start, stop)
        Counting.looked_at += (found if found >= 0 else stop) - start
        return found


@pytest.mark.parametrize("size", [1, 100, CHUNK])
@pytest.mark.parametrize(
    "stream",
    [
        b"<event>" + b"x" * 300_000,
        b"<event/></event>" * 20_000,
        b"<event " * 40_000,
        b"\n" * 300_000 + b"<event/></event>",
        b"</event>" * 40_000,
        b"<event>" + b"</even" * 50_000,
    ],
    ids=["long", "tiny", "starts", "junk", "ends", "half ends"],
)
def test_each_byte_is_looked_at_a_few_times_however_it_comes(
    stream: bytes, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cop_gateway.cot.stream.bytearray", Counting, raising=False)
    monkeypatch.setattr(Counting, "looked_at", 0)
    splitter = EventSplitter(limit=100_000)
    for piece in pieces(stream, size):
        for _ in splitter.feed(piece):
            pass
    # Once when it comes, once for a beginning or an end; and with each piece a few bytes again.
    assert Counting.looked_at <= 3 * len(stream) + 16 * (len(stream) // size + 1)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "event",
    [
        b"<event " * 150_000 + b"</event>",
        b"<event uid" + b" " * MEGABYTE + b"</event>",
        b"<event" + b" type =" * 150_000 + b"</event>",
        b'<event type="t-x-takp-v"/>' + b"<TakProtocolSupport " * 50_000 + b"</event>",
        b'<event type="t-x-takp-v"/><TakProtocolSupport version="'
        + b"9" * MEGABYTE
        + b'"/></event>',
        b'<event type="t-x-takp-r"/>' + b"<TakResponse " * 80_000 + b"</event>",
    ],
    ids=["starts", "spaces", "types", "offers", "digits", "responses"],
)
def test_whose_it_is_is_found_in_one_pass(event: bytes) -> None:
    """With each beginning searched to the end, this would take hours."""
    assert not is_ping(event)
    assert not is_pong(event)
    assert stamp(event) is None
    assert negotiation.word(event, protobuf.VERSION) in (None, "no")
