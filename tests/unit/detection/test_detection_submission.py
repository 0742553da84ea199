"""What a request brings along, and in whose pixels its boxes are reported."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detecting import form
from detection.errors import FormError, FrameError, ImageTypeError, ParameterError
from detection.web import submission
from running import SENSOR, report
from sightline.messages import Box, Detection, Frame, MessageError, convert

WIDTH = SENSOR["intrinsics"]["image_width"]
HEIGHT = SENSOR["intrinsics"]["image_height"]
FRAME = report("f-1")["frame"]
IMAGE = b"\xff\xd8\xff whatever"


def frame(*, sensor: bool = True) -> Frame:
    message = dict(FRAME)
    if not sensor:
        del message["sensor"]
    return convert(message, Frame)


def seen(*boxes: tuple[float, float, float, float]) -> tuple[Detection, ...]:
    return tuple(
        Detection(class_name=f"class-{n}", confidence=n / 8, box=Box(*box))
        for n, box in enumerate(boxes)
    )


def reported(detections, *, width: int, height: int, sensor: bool = True):
    return submission.as_reported(detections, frame(sensor=sensor), width=width, height=height)


BOXES = seen((0, 0, 10.5, 20.25), (30, 40, 50, 60))


def test_an_image_of_the_stated_size_is_reported_as_it_is():
    assert reported(BOXES, width=WIDTH, height=HEIGHT) == BOXES


def test_without_a_sensor_there_is_no_other_size():
    assert reported(BOXES, width=17, height=4000, sensor=False) == BOXES


@pytest.mark.parametrize("factor", [0.25, 0.5, 2, 4])
def test_boxes_of_a_scaled_copy_are_scaled_to_the_stated_size(factor):
    found = reported(BOXES, width=int(WIDTH * factor), height=int(HEIGHT * factor))
    for before, after in zip(BOXES, found, strict=True):
        assert (after.class_name, after.confidence) == (before.class_name, before.confidence)
        corners = (after.box.x1, after.box.y1, after.box.x2, after.box.y2)
        expected = (before.box.x1, before.box.y1, before.box.x2, before.box.y2)
        assert corners == pytest.approx([edge / factor for edge in expected])


@given(st.integers(16, 4000))
def test_a_quarter_of_the_image_is_always_a_quarter_of_it(width):
    # Rounded to whole pixels, as whoever scales an image has to.
    height = max(1, round(width * HEIGHT / WIDTH))
    if abs((WIDTH / width) / (HEIGHT / height) - 1) > 0.01:
        return
    quarter = seen((width / 2, height / 2, width, height))
    (found,) = reported(quarter, width=width, height=height)
    corners = (found.box.x1, found.box.y1, found.box.x2, found.box.y2)
    assert corners == pytest.approx((WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT))


@pytest.mark.parametrize(
    ("width", "height"),
    [(WIDTH, HEIGHT - 60), (WIDTH - 60, HEIGHT), (HEIGHT, WIDTH), (640, 640), (WIDTH, 2 * HEIGHT)],
)
def test_a_cropped_or_turned_image_is_refused_by_the_field(width, height):
    with pytest.raises(FrameError) as caught:
        reported(BOXES, width=width, height=height)
    error = caught.value
    assert error.field == "frame.sensor.intrinsics.image_width"
    assert f"{width} x {height}" in str(error)
    assert f"{WIDTH} x {HEIGHT}" in str(error)
    assert "1%" in error.limit


def test_a_frame_in_which_nothing_was_seen_is_refused_as_well_when_it_does_not_fit():
    with pytest.raises(FrameError):
        reported((), width=WIDTH, height=WIDTH)


def read(body=IMAGE, content_type: str | None = "image/jpeg"):
    return submission.read(body, content_type=content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        *("image/jpeg", "image/jpg", "image/png", "image/webp", "image/tiff"),
        *("application/octet-stream", "IMAGE/PNG; charset=binary", None),
    ],
)
def test_a_body_is_an_image_whatever_image_it_is_called(content_type):
    asked = read(content_type=content_type)
    assert asked.image == IMAGE
    assert asked.frame is None


@pytest.mark.parametrize("content_type", ["text/plain", "image/gif", "", "application/json"])
def test_other_types_are_refused_with_those_that_are_taken(content_type):
    with pytest.raises(ImageTypeError) as caught:
        read(content_type=content_type)
    assert "image/webp" in str(caught.value)
    assert repr(content_type) in str(caught.value)


def test_a_form_brings_a_frame_along():
    body, content_type = form({"frame": json.dumps(FRAME).encode(), "image": IMAGE})
    asked = read(body, content_type)
    assert asked.image == IMAGE
    assert asked.frame == frame()


def test_a_wrong_frame_is_named_from_the_forms_part_on():
    wrong = {**FRAME, "captured_at": "2026-11-24T10:00:00"}  # which zone?
    body, content_type = form({"frame": json.dumps(wrong).encode(), "image": IMAGE})
    with pytest.raises(MessageError) as caught:
        read(body, content_type)
    assert caught.value.field == "frame.captured_at"


@pytest.mark.parametrize("text", ["0", "1", "0.25", "1e-3"])
def test_a_request_may_choose_its_threshold_and_model(text):
    asked = submission.parameters({"confidence": text, "model": "night"})
    assert (asked.confidence, asked.model) == (float(text), "night")


@pytest.mark.parametrize("text", ["", "high", "-0.1", "1.01", "nan", "inf", "0,5"])
def test_a_threshold_that_is_none_is_refused(text):
    with pytest.raises(ParameterError) as caught:
        submission.parameters({"confidence": text})
    assert (caught.value.field, caught.value.limit) == ("confidence", "0..1")


def test_an_unknown_parameter_is_most_likely_misspelt():
    with pytest.raises(ParameterError, match="known: confidence, model") as caught:
        submission.parameters({"treshold": "0.5"})  # codespell:ignore treshold
    assert caught.value.field == "treshold"  # codespell:ignore treshold


@pytest.mark.parametrize(
    ("text", "side"), [("auto", "auto"), ("off", "off"), ("640", 640), ("64", 64), ("8192", 8192)]
)
def test_a_request_may_have_its_image_cut_into_tiles(text, side):
    assert submission.parameters({"tiles": text}).tiles == side


@pytest.mark.parametrize("text", ["", "on", "63", "8193", "-640", "6e2", "6 40", "٦٤٠", "9" * 400])
def test_tiles_that_are_none_are_refused(text):
    with pytest.raises(ParameterError) as caught:
        submission.parameters({"tiles": text})
    assert (caught.value.field, caught.value.limit) == ("tiles", "64..8192")


def test_timings_may_be_left_out():
    assert submission.parameters({}).timings
    assert submission.parameters({"timings": "true"}).timings
    assert not submission.parameters({"timings": "false"}).timings
    with pytest.raises(ParameterError, match="neither true nor false"):
        submission.parameters({"timings": "yes"})


def batch(*images: bytes, frames: object = None, most: int = 3):
    body = b"".join(
        b'--xyz\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + image + b"\r\n"
        for image in images
    )
    if frames is not None:
        text = json.dumps(frames).encode()
        body += b'--xyz\r\nContent-Disposition: form-data; name="frames"\r\n\r\n' + text + b"\r\n"
    return submission.read_batch(
        body + b"--xyz--", content_type="multipart/form-data; boundary=xyz", most=most
    )


def test_a_batch_is_its_images_in_order_each_with_its_frame():
    read_ = batch(b"one", b"two", b"three", frames=[None, FRAME, None])
    assert [each.image for each in read_] == [b"one", b"two", b"three"]
    assert [each.frame for each in read_] == [None, frame(), None]
    assert [each.frame for each in batch(b"one", b"two")] == [None, None]


def test_a_batch_of_too_many_or_with_too_few_frames_is_refused():
    with pytest.raises(FormError, match="4 times, at most 3") as caught:
        batch(b"1", b"2", b"3", b"4")
    assert (caught.value.field, caught.value.limit) == ("image", "3 images")
    with pytest.raises(FormError, match="1 entries where there are 2 images") as caught:
        batch(b"1", b"2", frames=[None])
    assert caught.value.field == "frames"
    with pytest.raises(MessageError) as wrong:
        batch(b"1", frames=[{"camera_id": "c"}])
    assert wrong.value.field.startswith("frames[0]")
    with pytest.raises(FormError, match="missing"):
        batch()


def test_a_batch_is_a_form():
    with pytest.raises(ImageTypeError, match="multipart/form-data"):
        submission.read_batch(IMAGE, content_type="image/jpeg", most=3)
