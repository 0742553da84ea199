"""W3C Trace Context: what the specification calls valid goes on, all else begins anew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import traces
from telemetry.traces import SAMPLED, Trace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
hexes = st.sampled_from("0123456789abcdef")


def hex_of(length: int) -> st.SearchStrategy[str]:
    return st.text(hexes, min_size=length, max_size=length).filter(lambda text: set(text) != {"0"})


@given(hex_of(32), hex_of(16), st.integers(0, 255))
def test_a_valid_header_is_read(trace, span, flags):
    got = traces.parse(f"00-{trace}-{span}-{flags:02x}")
    assert got == Trace(trace_id=trace, span_id=span, flags=flags)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"FF-{TRACE}-{SPAN}-01",
        f"zz-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
    ],
)
def test_what_breaks_the_specification_is_no_trace(header):
    assert traces.parse(header) is None
    begun = traces.received(header)
    assert begun.trace_id != TRACE
    assert begun.parent_id is None


@pytest.mark.parametrize("rest", ["", "-what-comes-later", "-"])
@pytest.mark.parametrize("version", ["01", "cc", "fe"])
def test_a_later_version_is_read_as_far_as_it_is_known(version, rest):
    """§ 4.3: a higher version is parsed as version 00 where its beginning is of that shape."""
    got = traces.parse(f"{version}-{TRACE}-{SPAN}-01{rest}")
    assert got is not None
    assert (got.trace_id, got.span_id) == (TRACE, SPAN)
    assert got.header.startswith("00-")


def test_white_space_around_a_header_is_the_transports():
    assert traces.parse(f" 00-{TRACE}-{SPAN}-01\t") == Trace(trace_id=TRACE, span_id=SPAN)


@given(st.text(max_size=80))
def test_no_text_at_all_is_an_error(header):
    traces.received(header)


@given(hex_of(32), hex_of(16), st.integers(0, 255))
def test_a_child_keeps_the_trace_and_whether_it_is_sampled(trace, span, flags):
    child = traces.received(f"00-{trace}-{span}-{flags:02x}")
    assert child.trace_id == trace
    assert child.parent_id == span
    assert child.span_id != span
    # Level 1 knows one flag; a service must not pass on what it does not understand.
    assert child.flags == flags & SAMPLED
    assert traces.parse(child.header) == Trace(
        trace_id=trace, span_id=child.span_id, flags=flags & SAMPLED
    )


def test_new_traces_are_valid_sampled_and_different():
    begun = [traces.generate() for _ in range(100)]
    assert len({each.trace_id for each in begun}) == 100
    assert len({each.span_id for each in begun}) == 100
    for each in begun:
        assert traces.parse(each.header) == each
        assert each.flags & SAMPLED


def test_an_id_of_zeros_is_drawn_again():
    """It would mean "no trace"."""
    drawn = iter(["0" * 32, "1" * 32, "0" * 16, "0" * 16, "2" * 16])
    begun = traces.generate(random_hex=lambda _bytes: next(drawn))
    assert (begun.trace_id, begun.span_id) == ("1" * 32, "2" * 16)


def test_ids_are_drawn_at_their_full_length():
    asked: list[int] = []

    def draw(count: int) -> str:
        asked.append(count)
        return "7" * (2 * count)

    traces.generate(random_hex=draw)
    assert asked == [16, 8]
