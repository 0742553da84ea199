"""The contract's values, its JSON Schema and its golden examples are one and the same."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.messages import (
    Box,
    Detection,
    DetectionReport,
    Frame,
    Intrinsics,
    MessageError,
    Sensor,
    decode,
    encode,
    json_schemas,
)
from sightline.messages.schema import DOCUMENTS

ROOT = Path(__file__).parents[3]
GOOD = sorted((ROOT / "tests/vectors/messages/good").glob("*.json"))
BAD = sorted((ROOT / "tests/vectors/messages/bad").glob("*.json"))
SCHEMAS = ROOT / "docs/reference/schema"


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_golden_examples_are_read_written_and_valid(path):
    name = path.name.split(".")[0]
    message = json.loads(path.read_text())
    jsonschema.Draft202012Validator(json_schemas()[name]).validate(message)
    value = decode(path.read_bytes(), DOCUMENTS[name])
    again = json.loads(encode(value))
    jsonschema.Draft202012Validator(json_schemas()[name]).validate(again)
    assert decode(encode(value), DOCUMENTS[name]) == value
    assert_says_all_of(again, message)


def assert_says_all_of(written, golden):
    """Nothing of the example is lost on the way (times may change their offset's spelling)."""
    if isinstance(golden, dict):
        for key, part in golden.items():
            assert_says_all_of(written[key], part)
    elif isinstance(golden, list):
        assert len(written) == len(golden)
        for one, other in zip(written, golden, strict=True):
            assert_says_all_of(one, other)
    elif isinstance(golden, str) and "T" in golden and golden[:2] == "20":
        assert datetime.fromisoformat(written) == datetime.fromisoformat(golden)
    else:
        assert written == golden


def test_every_document_has_a_golden_example():
    assert {path.name.split(".")[0] for path in GOOD} == set(DOCUMENTS)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_examples_name_the_field_and_the_limit(path):
    vector = json.loads(path.read_text())
    with pytest.raises(MessageError) as caught:
        decode(json.dumps(vector["message"]).encode(), DOCUMENTS[vector["document"]])
    assert str(caught.value) == vector["error"]
    assert caught.value.limit == vector.get("limit")
    assert caught.value.field == vector["error"].split(": ")[0]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_committed_schema_is_the_generated_one(name):
    committed = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    assert committed == json_schemas()[name], "run `make reference` and commit"
    jsonschema.Draft202012Validator.check_schema(committed)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"frame": NaN}', b"[" * 5000, b"[" * 5000 + b"]" * 5000, b"null"],
    ids=["empty", "cut", "not-utf8", "nan", "deep-cut", "deep", "null"],
)
def test_what_is_not_the_message_at_all_is_one_clear_error(body):
    with pytest.raises(MessageError) as caught:
        decode(body, DetectionReport)
    assert caught.value.field == "body"
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(number):
    body = b'{"class": "car", "confidence": %s, "pixel": [1, 2]}' % number.encode()
    with pytest.raises(MessageError):
        decode(body, Detection)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_raise_anything_else(body):
    try:
        decode(body, DetectionReport)
    except MessageError as error:
        assert error.field  # noqa: PT017


@given(
    st.builds(
        Detection,
        class_name=st.text(
            st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=64
        ),
        confidence=st.floats(0, 1),
        box=st.builds(
            lambda x, y, w, h: Box(x, y, x + w, y + h),
            st.floats(0, 1000),
            st.floats(0, 1000),
            st.floats(1, 1000),
            st.floats(1, 1000),
        ),
    )
)
def test_detections_round_trip(detection):
    report = DetectionReport(
        frame=Frame(frame_id="1", camera_id="c", captured_at=datetime(2026, 1, 1, tzinfo=UTC)),
        detections=(detection,),
    )
    assert decode(encode(report), DetectionReport) == report


def test_three_ways_to_state_one_focal_length():
    by_pixels = Intrinsics(image_width=4000, image_height=3000, focal_px=4000 / 6.3 * 4.5)
    by_millimetres = Intrinsics(
        image_width=4000, image_height=3000, focal_mm=4.5, sensor_width_mm=6.3
    )
    hfov = 2 * math.degrees(math.atan(6.3 / 2 / 4.5))
    by_angle = Intrinsics(image_width=4000, image_height=3000, hfov=hfov)
    assert by_millimetres.focal_pixels == pytest.approx(by_pixels.focal_pixels)
    assert by_angle.focal_pixels == pytest.approx(by_pixels.focal_pixels)
    assert by_angle.centre == (2000, 1500)


def test_sigmas_left_out_are_the_platforms():
    sensor = decode(
        (ROOT / "tests/vectors/messages/good/frame.fixed-by-field-of-view.json").read_bytes(), Frame
    ).sensor
    assert isinstance(sensor, Sensor)
    stated = msgspec.structs.replace(
        sensor, accuracy=msgspec.structs.replace(sensor.accuracy, heading=7.0)
    )
    assert stated.sigmas().heading == 7.0
    assert stated.sigmas().pitch == sensor.sigmas().pitch
    drone = msgspec.structs.replace(sensor, platform="drone")
    assert drone.sigmas().heading > sensor.sigmas().heading
    assert all(value is not None for value in msgspec.structs.astuple(drone.sigmas()))


def test_values_do_not_change():
    frame = Frame(frame_id="1", camera_id="c", captured_at=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(AttributeError):
        frame.frame_id = "2"
