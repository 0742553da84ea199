"""A model's own words on itself: read, never run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.errors import ModelError
from detection.models import labels

LETTERS = st.characters(exclude_categories=["Cc", "Cs"])
NAMES = st.lists(st.text(LETTERS, min_size=1, max_size=64), min_size=1, max_size=20)


@pytest.mark.parametrize("text", ["{0: 'car', 1: 'boat'}", "['car', 'boat']", "('car', \"boat\")"])
def test_names_are_read_as_ultralytics_writes_them(text):
    assert labels.labels_of({"names": text}) == ("car", "boat")


@given(NAMES, st.randoms())
def test_any_names_come_back_in_the_order_of_their_numbers(names, random):
    numbered = list(enumerate(names))
    random.shuffle(numbered)
    assert labels.labels_of({"names": str(dict(numbered))}) == tuple(names)
    assert labels.labels_of({"names": str(names)}) == tuple(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "found none"),
        ("", "names"),
        ("{}", "names"),
        ("[]", "names"),
        ("'car'", "names"),
        ("17", "names"),
        ("{0: 'car'", "names"),
        ("{1: 'car'}", "0..0 without gaps"),
        ("{0: 'car', 2: 'boat'}", "0..1 without gaps"),
        ("{'0': 'car'}", "without gaps"),
        ("{0: 17}", "name 0"),
        ("{0: 'car', 1: ''}", "name 1"),
        (str(["car", "x" * 65]), "1..64 letters"),
        (str(["car"] * 10_001), "10000"),
        (str(["car", "a\0b"]), "name 1"),
        (str(["two\nlines"]), r"'two\nlines'"),
        (r"['\ud800']", r"'\ud800'"),
        ("[" * 5000 + "]" * 5000, "names"),
        ("-" * 100_000 + "1", "names"),
        ("['car'" + " " * 300_000 + "]", "names"),
    ],
)
def test_other_names_are_refused_with_what_was_expected(text, words):
    reason = labels.labels_of({} if text is None else {"names": text})
    assert isinstance(reason, str)
    assert words in reason
    assert len(reason) < 200


def test_names_are_never_run(tmp_path):
    trace = tmp_path / "trace"
    code = f"[open({str(trace)!r}, 'w').write('x')]"
    assert isinstance(labels.labels_of({"names": code}), str)
    assert not trace.exists()


@given(st.text(max_size=200))
def test_any_text_is_names_or_a_reason(text):
    found = labels.labels_of({"names": text})
    if not isinstance(found, str):
        assert all(0 < len(name) <= 64 for name in found)
        # Each can stand in a detection as the gateway takes it.
        assert all("\0" not in name and name.encode() for name in found)


def test_a_manifests_labels_are_in_order_or_by_number():
    assert labels.stated(("car", "boat"), "labels") == ("car", "boat")
    assert labels.stated({"0": "car", "1": "boat"}, "labels") == ("car", "boat")
    # COCO's 91 have gaps; what the model says of one must not become another's name.
    assert labels.stated({"2": "boat", "0": "car"}, "labels") == ("car", "class-1", "boat")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "1..10000 names, found 0"),
        ({}, "1..10000 names, found 0"),
        (("car",) * 10_001, "10001"),
        ({"10000": "car"}, "10001"),
        ({"99999999999999": "car"}, "numbers of classes"),
        ({"one": "car"}, "'one'"),
        ({"-1": "car"}, "'-1'"),
        ({"01": "car"}, "'01'"),
        (("car", ""), "name 1"),
        (("x" * 65,), "found 65"),
        (("a\0b",), r"'a\x00b'"),
        (("\x1b[2J",), "name 0"),
    ],
)
def test_a_manifests_other_labels_are_refused_by_field(names, words):
    with pytest.raises(ModelError) as caught:
        labels.stated(names, "labels_file")
    assert str(caught.value).startswith("labels_file: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("[384, 640]", (384, 640)),
        ("(384, 640)", (384, 640)),
        ("640", (640, 640)),
        ("[640]", None),
        ("[640, 640, 3]", None),
        ("[640.5, 640]", None),
        ("large", None),
        ("True", None),
        ("[True, 640]", None),
        ("", None),
        (None, None),
    ],
)
def test_the_stated_input_is_height_and_width(text, size):
    assert labels.input_size_of({} if text is None else {"imgsz": text}) == size


@pytest.mark.parametrize(
    ("text", "stride"),
    [("64", 64), ("1", 1), (None, 32), ("", 32), ("0", 32), ("-8", 32), ("8.5", 32), ("٣٢", 32)],
)
def test_a_stride_that_is_not_stated_is_32(text, stride):
    assert labels.stride_of({} if text is None else {"stride": text}) == stride
