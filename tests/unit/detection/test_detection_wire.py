"""Protocol buffers, read and written as their own library does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, StringStringEntryProto, TensorProto

from detection.models import wire
from detection.models.wire import NotWhole

U64 = st.integers(0, 2**64 - 1)
NUMBERS = st.integers(1, 2**29 - 1)


@given(st.lists(st.tuples(NUMBERS, U64 | st.binary(max_size=300)), max_size=20))
def test_what_is_written_is_read_again(content):
    whole = b"".join(
        wire.integer(number, value) if isinstance(value, int) else wire.nested(number, value)
        for number, value in content
    )
    found = list(wire.fields(memoryview(whole)))
    assert [(each.number, each.value) for each in found] == content
    # Each field's own bytes, one after the other, are the message.
    assert b"".join(each.span for each in found) == whole


@given(st.text(), st.text())
def test_a_message_is_what_its_own_library_makes_of_it(key, value):
    ours = wire.nested(1, key) + wire.nested(2, value)
    theirs = StringStringEntryProto.FromString(ours)
    assert (theirs.key, theirs.value) == (key, value)
    theirs = StringStringEntryProto(key=key, value=value).SerializeToString()
    assert wire.text_of(memoryview(theirs), 1) == key
    assert wire.text_of(memoryview(theirs), 2) == value


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.integers(-(2**63), 2**63 - 1))
def test_integers_are_what_their_own_library_wrote(values, single):
    attribute = memoryview(AttributeProto(i=single, ints=values).SerializeToString())
    # The sign is in the reader's type, not on the wire.
    assert wire.number_of(attribute, 3) == single % 2**64
    assert list(wire.numbers(attribute, 8)) == [value % 2**64 for value in values]


@given(st.lists(st.integers(0, 2**31 - 1)))
def test_a_list_may_be_packed_or_not(values):
    packed = TensorProto(int32_data=values).SerializeToString()
    single = b"".join(wire.integer(5, value) for value in values)
    assert list(wire.numbers(memoryview(packed), 5)) == values
    assert list(wire.numbers(memoryview(single), 5)) == values
    assert list(TensorProto.FromString(single).int32_data) == values


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=3))
def test_of_several_single_values_the_last_counts(values):
    data = b"".join(wire.integer(3, value) + wire.nested(1, str(value)) for value in values)
    theirs = AttributeProto.FromString(data)
    assert wire.number_of(memoryview(data), 3) == theirs.i == values[-1]
    assert wire.text_of(memoryview(data), 1) == theirs.name == str(values[-1])


def test_bits_beyond_sixty_four_are_dropped_as_their_own_library_drops_them():
    data = b"\x18" + b"\xff" * 9 + b"\x7f"
    assert AttributeProto.FromString(data).i == -1
    assert wire.number_of(memoryview(data), 3) == 2**64 - 1


def test_what_is_not_there_is_nought_or_empty():
    assert wire.number_of(memoryview(b""), 3) == 0
    assert wire.number_of(memoryview(b""), 3, default=7) == 7
    assert wire.text_of(memoryview(b""), 1) == ""
    assert list(wire.messages(memoryview(b""), 1)) == []


@given(st.binary(max_size=60))
def test_a_heading_stands_before_as_many_bytes_as_it_says(content):
    assert wire.heading(7, len(content)) + content == wire.nested(7, content)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x08", "ends too early"),  # a key, and no value
        (b"\x08\xff", "ends too early"),
        (b"\x0a\x05abcd", "ends too early"),
        (b"\x0d\x00\x00\x00", "ends too early"),  # three of four bytes
        (b"\x09\x00\x00\x00\x00\x00\x00\x00", "ends too early"),  # seven of eight
        (b"\x00\x01", "without a number"),
        (b"\x80\x80\x80\x80\x10\x00", "without a number"),  # 2^29
        (b"\x0b\x0c", "no protocol buffer"),  # groups
        (b"\x0f\x00", "no protocol buffer"),  # of no kind
        (b"\x08" + b"\x80" * 10 + b"\x01", "no protocol buffer"),  # eleven bytes of a number
    ],
)
def test_what_is_not_whole_is_refused(data, words):
    with pytest.raises(NotWhole, match=words):
        list(wire.fields(memoryview(data)))


def test_text_that_is_no_text_is_refused():
    with pytest.raises(NotWhole, match="UTF-8"):
        wire.text_of(memoryview(wire.nested(1, b"\xff")), 1)


@given(st.binary(max_size=100))
def test_any_bytes_are_fields_or_not_whole(data):
    try:
        found = list(wire.fields(memoryview(data)))
    except NotWhole:
        return
    assert b"".join(each.span for each in found) == data
