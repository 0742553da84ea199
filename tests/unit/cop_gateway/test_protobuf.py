"""TAK protocol version 1 against the schema's own generated code (takproto), both ways."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from takproto.proto import TakMessage

from cop_gateway.cot import protobuf, wire
from cop_gateway.cot.errors import EventError, FramingError
from cop_gateway.cot.event import CotEvent, Point, to_xml

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
moments = st.integers(0, 4_000_000_000_000).map(lambda ms: EPOCH + timedelta(milliseconds=ms))

DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "contact": st.fixed_dictionaries({"callsign": words}, optional={"phone": words}),
        "__group": st.fixed_dictionaries({"name": words, "role": words}),
        "precisionlocation": st.fixed_dictionaries(
            {"geopointsrc": words, "altsrc": words}, optional={"PRECISE_IMAGE_FILE": words}
        ),
        "takv": st.fixed_dictionaries({"device": words, "version": words}),
        "track": st.fixed_dictionaries(
            {
                "course": st.floats(0, 359).map("{:.1f}".format),
                "speed": st.floats(0, 300).map("{:.2f}".format),
            },
            optional={"slope": st.just("1.0")},
        ),
        "__sightline": st.fixed_dictionaries({"camera": words}),
    },
)

events = st.builds(
    CotEvent,
    uid=words,
    type=st.sampled_from(["a-u-G-E-V-C", "b-m-p-s-p-i", "t-x-c-t"]),
    how=st.sampled_from(["m-i", "m-s"]),
    time=moments,
    stale=moments,
    point=st.builds(
        Point,
        latitude=st.floats(-90, 90),
        longitude=st.floats(-180, 180),
        hae=st.none() | st.floats(-500, 9000),
        ce=st.none() | st.floats(0, 5000),
        le=st.none() | st.floats(0, 5000),
    ),
    detail=DETAILS,
    remarks=st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40),
)


def parsed(message: bytes) -> Any:
    found = TakMessage()
    assert found.ParseFromString(message) == len(message)
    return found.cotEvent


def canonical(element: ET.Element) -> tuple[Any, ...]:
    text = (element.text or "").strip()
    return (
        element.tag,
        sorted(element.attrib.items()),
        text,
        sorted(map(canonical, element), key=str),
    )


@given(events)
def test_other_peoples_code_reads_what_we_write(event: CotEvent) -> None:
    xml = to_xml(event)
    root = ET.fromstring(xml)
    read = parsed(protobuf.encode(xml))
    assert (read.uid, read.type, read.how) == (event.uid, event.type, event.how)
    for field, name in (("sendTime", "time"), ("startTime", "start"), ("staleTime", "stale")):
        moment = EPOCH + timedelta(milliseconds=getattr(read, field))
        assert moment == datetime.fromisoformat(root.attrib[name])
    point = root.find("point")
    assert point is not None
    for name in ("lat", "lon", "hae", "ce", "le"):
        assert getattr(read, name) == float(point.attrib[name])
    # Every element is said once: typed where that says all of it, else as XML.
    free = {each.tag for each in ET.fromstring(f"<d>{read.detail.xmlDetail}</d>")}
    typed = {
        "contact": "contact", "group": "__group", "precisionLocation": "precisionlocation",
        "takv": "takv", "track": "track",
    }  # fmt: skip
    said = {name for field, name in typed.items() if read.detail.HasField(field)}
    detail = root.find("detail")
    assert detail is not None
    assert free | said == {each.tag for each in detail}
    assert not free & said
    for name, extra in (("contact", "phone"), ("precisionlocation", "PRECISE_IMAGE_FILE"),
                        ("track", "slope")):  # fmt: skip
        if extra in event.detail.get(name, {}):
            assert name in free, "an attribute would be lost"


@given(events)
def test_nothing_is_lost_on_the_way_there_and_back(event: CotEvent) -> None:
    xml = to_xml(event)
    back = protobuf.decode(protobuf.encode(xml))
    assert back is not None
    assert canonical(ET.fromstring(back)) == canonical(ET.fromstring(xml))


def test_we_read_what_other_peoples_code_writes() -> None:
    message = TakMessage()
    message.takControl.minProtoVersion = 1
    event = message.cotEvent
    event.type, event.uid, event.how = "t-x-c-t-r", "takPong", "h-g-i-g-o"
    event.sendTime = event.startTime = 1_700_000_000_123
    event.staleTime = 1_700_000_020_123
    event.lat, event.hae, event.ce, event.le = -12.5, 9999999.0, 9999999.0, 3.25
    event.detail.contact.callsign = 'A & "B"'
    event.detail.status.battery = 80
    event.detail.xmlDetail = "<remarks>ä</remarks>"
    xml = protobuf.decode(message.SerializeToString())
    assert xml is not None
    root = ET.fromstring(xml)
    assert (root.get("type"), root.get("uid")) == ("t-x-c-t-r", "takPong")
    assert root.get("time") == "2023-11-14T22:13:20.123Z"
    point = root.find("point")
    assert point is not None
    assert (point.get("ce"), point.get("le"), point.get("lat")) == (
        "9999999.0",
        "3.25",
        "-12.5000000",
    )
    contact = root.find("detail/contact")
    assert contact is not None
    assert contact.get("callsign") == 'A & "B"'
    assert root.findtext("detail/remarks") == "ä"


def test_control_says_the_versions() -> None:
    message = TakMessage()
    message.ParseFromString(protobuf.control("sightline"))
    control = message.takControl
    assert (control.minProtoVersion, control.maxProtoVersion) == (1, 1)
    assert control.contactUid == "sightline"
    assert not message.HasField("cotEvent")
    assert protobuf.decode(protobuf.control("sightline")) is None


@given(st.lists(st.binary(max_size=300), max_size=6), st.data())
def test_messages_come_out_of_a_stream_however_it_is_cut(
    messages: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(map(protobuf.stream_frame, messages))
    splitter = protobuf.MessageSplitter()
    found: list[bytes] = []
    at = 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        found += splitter.feed(stream[at : at + size])
        at += size
    assert found == messages


@pytest.mark.parametrize("size", [1, 7, 600, 5000])
def test_a_message_beyond_the_limit_is_passed_over_and_those_around_it_are_not(size: int) -> None:
    """Somebody else's, handed on by the server: it must not cost us our pongs."""
    bodies = [b"1", b"x" * 1001, b"y" * 1000, b"x" * 9000, b"x" * 2000, b"2"]
    stream = b"".join(map(protobuf.stream_frame, bodies))
    splitter = protobuf.MessageSplitter(limit=1000)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [each for piece in pieces for each in splitter.feed(piece)] == [
        b"1", b"y" * 1000, b"2",
    ]  # fmt: skip


def test_a_length_that_no_message_has_is_refused_before_it_has_come() -> None:
    """The stream is out of step: what follows cannot be told from what was meant."""
    with pytest.raises(FramingError, match=str(1 << 31)):
        list(protobuf.MessageSplitter().feed(b"\xbf" + wire.varint(1 << 31)))


@given(st.binary(max_size=400))
def test_foreign_bytes_are_refused_and_never_crash(data: bytes) -> None:
    for read in (
        protobuf.decode,
        protobuf.from_datagram,
        lambda each: list(protobuf.MessageSplitter().feed(each)),
        lambda each: protobuf.decode(bytes((0x12, len(each) & 0x7F)) + each),
    ):
        try:
            read(data)
        except FramingError:
            continue


@given(events)
def test_a_datagram_of_either_kind_is_read(event: CotEvent) -> None:
    xml = to_xml(event)
    assert protobuf.from_datagram(xml.encode()) == xml.encode()
    header = b'<?xml version="1.0" encoding="UTF-8"?>\n'
    assert protobuf.from_datagram(header + xml.encode()) == xml.encode()
    datagram = protobuf.mesh_frame(protobuf.encode(xml))
    assert datagram[:3] == b"\xbf\x01\xbf"
    read = protobuf.from_datagram(datagram)
    assert read is not None
    assert canonical(ET.fromstring(read)) == canonical(ET.fromstring(xml))


@pytest.mark.parametrize("text", ["", "<event/>", "<event><point/></event>", "<a/>", "<event", "x"])
def test_what_is_no_event_cannot_be_written(text: str) -> None:
    with pytest.raises(EventError):
        protobuf.encode(text)
