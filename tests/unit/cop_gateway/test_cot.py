"""CoT: what an event says, how it is escaped and framed, and which class is which type."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_gateway.cot import (
    Catalogue,
    CatalogueError,
    CotEvent,
    EventSplitter,
    Point,
    is_ping,
    is_pong,
    ping,
    pong,
    to_xml,
)

NOW = datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC)
VECTORS = sorted((Path(__file__).parents[2] / "vectors/cot").glob("*.xml"))

# Every character that XML 1.0 can carry.
xml_text = st.text(
    st.characters(
        exclude_categories=("Cs",),
        exclude_characters="".join(map(chr, [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])),
    )
)


def event(**changes):
    base = dict(
        uid="u-1",
        type="a-u-G-E-V-C",
        how="m-i",
        time=NOW,
        stale=NOW + timedelta(seconds=60),
        point=Point(latitude=47.123456789, longitude=-8.00000001, hae=455.2, ce=6.25, le=4.93),
    )
    return CotEvent(**(base | changes))


@given(uid=xml_text, callsign=xml_text, remarks=xml_text)
def test_any_text_comes_back_from_a_parser_as_it_was(uid, callsign, remarks):
    xml = to_xml(event(uid=uid, detail={"contact": {"callsign": callsign}}, remarks=remarks))
    root = ET.fromstring(xml)
    assert root.get("uid") == uid
    assert root.find("detail/contact").get("callsign") == callsign
    assert (root.findtext("detail/remarks") or "") == remarks


@given(st.text())
def test_what_xml_cannot_carry_is_replaced_and_never_breaks_the_event(text):
    root = ET.fromstring(to_xml(event(uid=text)).encode())
    assert len(root.get("uid")) == len(text)


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.one_of(st.none(), st.floats(-1000, 1e5)),
    st.one_of(st.none(), st.floats(0, 1e6)),
)
def test_numbers_are_decimals_without_exponents(lat, lon, hae, ce):
    xml = to_xml(event(point=Point(latitude=lat, longitude=lon, hae=hae, ce=ce, le=None)))
    point = ET.fromstring(xml).find("point").attrib
    for value in point.values():
        assert re.fullmatch(r"-?\d+\.\d+", value), value
    assert float(point["lat"]) == pytest.approx(lat, abs=1e-7)
    assert float(point["lon"]) == pytest.approx(lon, abs=1e-7)
    assert point["le"] == "9999999.0"
    assert (point["ce"] == "9999999.0") == (ce is None)
    assert len(point["lat"].split(".")[1]) == 7


def test_times_are_zulu_whatever_the_offset():
    east = timezone(timedelta(hours=5, minutes=30))
    root = ET.fromstring(to_xml(event(time=NOW.astimezone(east))))
    assert root.get("time") == root.get("start") == "2026-11-24T10:00:00.250Z"
    assert root.get("stale") == "2026-11-24T10:01:00.250Z"


def test_every_attribute_that_cot_requires_is_there():
    root = ET.fromstring(to_xml(event()))
    assert {"version", "uid", "type", "how", "time", "start", "stale"} <= set(root.attrib)
    assert root.get("version") == "2.0"
    assert set(root.find("point").attrib) == {"lat", "lon", "hae", "ce", "le"}


@given(st.lists(st.sampled_from(["ping", "pong", "event"]), max_size=8), st.data())
def test_a_stream_cut_anywhere_gives_the_same_events(kinds, data):
    made = {"ping": ping("me", NOW), "pong": pong(NOW), "event": to_xml(event()).encode()}
    events = [made[kind] for kind in kinds]
    noise = data.draw(
        st.lists(
            st.sampled_from([b"", b"\n", b'<?xml version="1.0" encoding="UTF-8"?>']),
            min_size=len(events),
            max_size=len(events),
        )
    )
    stream = b"".join(between + each for between, each in zip(noise, events, strict=True))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    splitter, got = EventSplitter(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got.extend(splitter.feed(stream[start:end]))
    assert got == events


def test_one_byte_at_a_time():
    splitter = EventSplitter()
    stream = ping("me", NOW) + pong(NOW)
    got = [each for i in range(len(stream)) for each in splitter.feed(stream[i : i + 1])]
    assert [is_ping(each) for each in got] == [True, False]
    assert [is_pong(each) for each in got] == [False, True]


@pytest.mark.parametrize("size", [1, 7, 600, 5000])
def test_an_event_beyond_the_limit_is_passed_over_and_those_around_it_are_not(size):
    """Somebody else's, handed on by the server: it must not cost us our pongs."""
    splitter = EventSplitter(limit=1000)
    just, beyond = (b"<event>" + b"x" * (length - 15) + b"</event>" for length in (1000, 1001))
    stream = b"<event>1</event>" + beyond + just + beyond + beyond + b"junk<event>2</event>"
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    got = [each for piece in pieces for each in splitter.feed(piece)]
    assert got == [b"<event>1</event>", just, b"<event>2</event>"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_events_of_other_programs_are_framed_and_known(path):
    """The file's name begins with what it is: ping-, pong- or event-."""
    (got,) = EventSplitter().feed(path.read_bytes())
    kind = path.stem.split("-")[0]
    assert (is_ping(got), is_pong(got)) == (kind == "ping", kind == "pong")


def test_the_shipped_table_has_the_types_of_the_reference():
    catalogue = Catalogue.load()
    types = {
        "car": "a-u-G-E-V-C",
        "Bus": "a-u-G-E-V-C-U-B",
        "TRUCK": "a-u-G-E-V-C-U-X",
        "tank": "a-u-G-E-V-A-T",
        "person": "a-u-G",
        "boat": "a-u-S",
        "smoke": "a-u-X-i-f-s",
    }
    assert {name: catalogue.find(name).cot_type for name in types} == types
    assert catalogue.find("pedestrian") == catalogue.find("person")
    assert catalogue.find("flying saucer") is None


def test_affiliation_is_unknown_unless_an_operator_says_otherwise():
    assert all(each.cot_type[:4] == "a-u-" for each in Catalogue.load().classes.values())
    mine = Catalogue.load(
        "car:\n  type: a-h-G-E-V-C\n  height_m: 1.4\nflying saucer: {type: a-u-A}\n"
    )
    assert mine.find("car").cot_type == "a-h-G-E-V-C"
    assert mine.find("flying saucer").cot_type == "a-u-A"
    assert mine.find("person").cot_type == "a-u-G"


def test_a_fallback_takes_what_is_in_no_table():
    assert Catalogue.load(fallback_type="a-u-G").find("flying saucer").cot_type == "a-u-G"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("car: {}\n", "car: type is missing"),
        ("car: {type: tank}\n", "'tank' is not a CoT type"),
        ("car: {type: a-u-G, height: 2}\n", "height is not a field"),
        ("car: {type: a-u-G, height_m: tall}\n", "'tall' is not a number"),
        ("car: {type: a-u-G, height_m: 900}\n", "900 is outside 0..500"),
        ("car: {type: a-u-G, emergency: Fire}\n", "'Fire' is none of 911 Alert"),
        ("car: {type: a-u-G, aliases: van}\n", "'van' is not a list"),
        ("car: 5\n", "is not a mapping"),
        ("- car\n", "not a mapping of classes"),
        ("car: {type: a-u-G}\ncar: {type: a-h-G}\n", "duplicate key"),
        ("car: !!python/object:os.system {}\n", "operator's class table"),
        ("car: {\n", "operator's class table"),
    ],
)
def test_a_bad_table_names_the_class_and_the_field(text, complaint):
    with pytest.raises(CatalogueError, match=complaint):
        Catalogue.load(text)
