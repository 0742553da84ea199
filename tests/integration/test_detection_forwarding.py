"""Detection before the gateway: what is answered as committed is, and what is not says why."""

from __future__ import annotations

import json
import sqlite3
import time
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from detecting import Detection, form
from fakes.gateway import FakeGateway, Reply
from fakes.images import encoded, painted
from fakes.models import blob_model, names
from running import SENSOR, Gateway, http, started, wait_for
from sightline.messages import DetectResult, Placement, Problem, Receipt, Unplaced, decode

WIDTH = SENSOR["intrinsics"]["image_width"]
HEIGHT = SENSOR["intrinsics"]["image_height"]
BLOBS = {"red": (200, 300, 260, 360), "green": (600, 400, 660, 430)}
PICTURE = encoded(painted(WIDTH, HEIGHT, BLOBS), "JPEG")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_numbers = count(1)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    size = {"width": 480, "height": 288}
    known = names(("car", "person", "boat"))
    blob_model(folder / "known.onnx", **size, metadata={"names": known})
    # A class that no table of CoT types has.
    unknown = names(("saucer", "person", "boat"))
    blob_model(folder / "unknown.onnx", **size, metadata={"names": unknown})
    return folder


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    with started(Gateway(folder, unknown_class_type="refuse")) as process:
        yield process


@pytest.fixture(scope="module")
def service(tmp_path_factory, models, gateway):
    folder = tmp_path_factory.mktemp("detection")
    with started(Detection(folder, models, gateway_url=gateway.url)) as process:
        yield process


@pytest.fixture(scope="module")
def faked(tmp_path_factory, models):
    """A service before a gateway that answers as it is told to."""
    folder = tmp_path_factory.mktemp("faked")
    (folder / "key").write_text("sl_the-services-own-key\n")
    fake = FakeGateway()
    settings = {
        "gateway_url": fake.url,
        "gateway_key_file": folder / "key",
        "deadline_seconds": 3,
    }
    with fake.serving(), started(Detection(folder, models, **settings)) as process:
        yield process, fake


@pytest.fixture
def fake(faked):
    _, gateway = faked
    gateway.asked.clear()
    gateway.replies = [Reply()]
    return gateway


@pytest.fixture
def before_fake(faked, fake):
    process, _ = faked
    return process


def frame(**changes: Any) -> dict[str, Any]:
    number = next(_numbers)
    return {
        "frame_id": f"f-{number}",
        # A camera each, so that no frame is seen as another look at the same place.
        "camera_id": f"c-{number}",
        "captured_at": datetime.now(UTC).isoformat(),
        "sensor": SENSOR,
        **changes,
    }


def post(service, message, *, image=PICTURE, **headers):
    parts = {"image": image, "frame": json.dumps(message).encode()}
    return service.post_form(parts, **headers)


def committed(answer) -> DetectResult:
    assert answer.status == 200, answer.body
    result = decode(answer.body, DetectResult)
    assert result.committed is True
    assert result.timings_ms.gateway is not None
    assert all(each.event is not None for each in result.detections)
    return result


def refused(answer, status: int, kind: str, field: str | None = None) -> Problem:
    problem = decode(answer.body, Problem)
    assert (answer.status, problem.status) == (status, status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.type == f"/problems/{kind}"
    assert problem.field == field
    assert problem.instance == answer.headers["x-request-id"]
    return problem


def stored(gateway, message) -> tuple[int, int, int]:
    """How often the gateway has this frame, and how many of its detections on and off the map."""
    with sqlite3.connect(gateway.database) as database:
        return tuple(
            database.execute(
                f"SELECT count(*) FROM {table} WHERE camera_id = ? AND frame_id = ?",
                (message["camera_id"], message["frame_id"]),
            ).fetchone()[0]
            # The drone itself, and where it looks, are events as well.
            for table in ("frames", "(SELECT * FROM events WHERE kind = 'detection')", "unplaced")
        )


def test_an_answer_tells_what_is_on_the_map(service, gateway):
    message = frame()
    result = committed(post(service, message))
    assert (result.frame_id, result.camera_id) == (message["frame_id"], message["camera_id"])
    assert {each.class_name for each in result.detections} == {"car", "person"}
    assert stored(gateway, message) == (1, 2, 0)
    events = {
        event["index"]: event
        for event in gateway.get("/v1/events")["events"]
        if event["frame_id"] == message["frame_id"]
    }
    for each in result.detections:
        assert isinstance(each.event, Placement)
        event = events[each.event.index]
        assert event["uid"] == each.event.uid
        assert event["class"] == each.class_name
        assert event["confidence"] == each.confidence
        position = each.event.position
        assert event["position"] == {
            "latitude": position.latitude,
            "longitude": position.longitude,
            "hae": position.hae,
        }
        assert event["ce90_m"] == each.event.ce90_m > 0.0
        # On the ground that the drone looks at: east of it, some hundred metres away.
        assert 0.0 < position.longitude - SENSOR["position"]["longitude"] < 0.01
        assert abs(position.latitude - SENSOR["position"]["latitude"]) < 0.005
        assert position.hae == pytest.approx(400.0, abs=10.0)


def test_the_gateway_says_the_same_to_whoever_reports_these_boxes_itself(service, gateway):
    result = committed(post(service, frame()))
    detections = [
        {
            "class": each.class_name,
            "confidence": each.confidence,
            "box": [each.box.x1, each.box.y1, each.box.x2, each.box.y2],
        }
        for each in result.detections
    ]
    answer = gateway.post({"frame": frame(), "detections": detections})
    assert answer.status == 201, answer.body
    receipt = decode(answer.body, Receipt)
    for mine, direct in zip(result.detections, receipt.results, strict=True):
        assert mine.event.cot_type == direct.cot_type
        # Both are of the very same pixel; only how tracks come together may differ.
        for name in ("latitude", "longitude"):
            values = getattr(mine.event.position, name), getattr(direct.position, name)
            assert values[0] == pytest.approx(values[1], abs=1e-5)


def test_the_same_frame_twice_is_one_frame_with_one_answer(service, gateway):
    message = frame()
    first, second = (committed(post(service, message)) for _ in range(2))
    assert first.detections == second.detections
    assert stored(gateway, message) == (1, 2, 0)


def test_a_frame_that_is_there_already_with_other_detections_is_a_conflict(service, gateway):
    message = frame()
    committed(post(service, message))
    other = encoded(painted(WIDTH, HEIGHT, {"red": BLOBS["red"]}))
    problem = refused(post(service, message, image=other), 409, "frame-differs")
    assert message["frame_id"] in problem.detail
    assert stored(gateway, message) == (1, 2, 0)


def test_a_frame_in_which_nothing_was_seen_is_committed_as_well(service, gateway):
    message = frame()
    result = committed(post(service, message, image=encoded(painted(WIDTH, HEIGHT, {}))))
    assert result.detections == ()
    assert stored(gateway, message) == (1, 0, 0)


@pytest.mark.parametrize("reason", ["above_horizon", "no_sensor"])
def test_what_cannot_be_placed_is_committed_and_says_why(service, gateway, reason):
    message = frame()
    if reason == "no_sensor":
        del message["sensor"]
    else:
        message["sensor"] = {**SENSOR, "attitude": {"heading": 90.0, "pitch": 30.0, "roll": 0.0}}
    result = committed(post(service, message))
    assert len(result.detections) == len(BLOBS)
    for each in result.detections:
        assert isinstance(each.event, Unplaced)
        assert each.event.reason == reason
        assert each.event.message
    assert stored(gateway, message) == (1, 0, 2)


def test_a_refusal_is_passed_on_in_the_gateways_own_words(service, gateway):
    message = frame()
    parts = {"image": PICTURE, "frame": json.dumps(message).encode()}
    body, content_type = form(parts)
    answer = service.post(body, content_type=content_type, query="?model=unknown")
    # The red blob is the surest, or the second; the gateway says which.
    told = decode(answer.body, Problem)
    index = int(told.field.removeprefix("detections[").partition("]")[0])
    problem = refused(answer, 422, "invalid-message", f"detections[{index}].class")
    assert "'saucer'" in problem.detail
    direct = {"class": "saucer", "confidence": 1.0, "box": [1, 1, 9, 9]}
    harmless = {**direct, "class": "car"}
    detections = [direct if n == index else harmless for n in range(index + 1)]
    asked = gateway.post({"frame": frame(), "detections": detections})
    assert decode(asked.body, Problem).detail == problem.detail
    assert stored(gateway, message) == (0, 0, 0)


def test_a_time_that_cannot_be_is_the_gateways_to_refuse(service, gateway):
    message = frame(captured_at="2020-01-01T00:00:00Z")
    problem = refused(post(service, message), 422, "invalid-message", "frame.captured_at")
    assert "past" in problem.detail
    assert problem.limit
    assert stored(gateway, message) == (0, 0, 0)


def test_a_cropped_image_is_refused_by_the_field_and_not_reported(before_fake, fake):
    cropped = encoded(painted(HEIGHT, HEIGHT, {"red": (10, 10, 60, 60)}))
    field = "frame.sensor.intrinsics.image_width"
    problem = refused(post(before_fake, frame(), image=cropped), 422, "invalid-message", field)
    assert f"{WIDTH} x {HEIGHT}" in problem.detail
    assert f"{HEIGHT} x {HEIGHT}" in problem.detail
    assert fake.asked == []


def test_boxes_are_answered_in_the_images_pixels_and_reported_in_the_lenss(before_fake, fake):
    small = painted(WIDTH, HEIGHT, BLOBS).resize((WIDTH // 2, HEIGHT // 2))
    result = committed(post(before_fake, frame(), image=encoded(small)))
    assert (result.image.width, result.image.height) == (WIDTH // 2, HEIGHT // 2)
    (asked,) = fake.asked
    colours = {"car": "red", "person": "green"}
    for each, reported in zip(result.detections, asked.json["detections"], strict=True):
        expected = BLOBS[colours[each.class_name]]
        answered = (each.box.x1, each.box.y1, each.box.x2, each.box.y2)
        assert answered == pytest.approx([edge / 2 for edge in expected], abs=2.0)
        assert reported["box"] == pytest.approx([2 * edge for edge in answered])


def test_events_find_their_detections_whatever_the_receipts_order(before_fake, fake):
    # The fake places the first detection only, and lists its results backwards.
    result = committed(post(before_fake, frame()))
    first, second = result.detections
    assert isinstance(first.event, Placement)
    assert isinstance(second.event, Unplaced)
    (asked,) = fake.asked
    assert [each["class"] for each in asked.json["detections"]] == [
        each.class_name for each in result.detections
    ]


def test_one_trace_and_one_request_id_lead_through_both_services(before_fake, fake):
    post(before_fake, frame(), traceparent=PARENT, x_request_id="camera-7-frame-9")
    (asked,) = fake.asked
    assert asked.path == "/v1/detections"
    assert asked.headers["x-request-id"] == "camera-7-frame-9"
    version, trace, span, flags = asked.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", PARENT.split("-")[1], PARENT.split("-")[3])
    # It is written once the answer is out.
    (line,) = wait_for(
        lambda: [
            line
            for line in before_fake.lines()
            if line.get("request_id") == "camera-7-frame-9" and line["event"] == "request"
        ]
    )
    # Neither the caller's span nor the service's own: the call to the gateway has its own.
    assert len({span, PARENT.split("-")[2], line["span_id"]}) == 3


def test_the_services_key_is_shown_to_the_gateway_and_to_nobody_else(before_fake, fake):
    committed(post(before_fake, frame()))
    (asked,) = fake.asked
    assert asked.headers["authorization"] == "Bearer sl_the-services-own-key"
    assert "sl_the-services-own-key" not in before_fake.output


def test_without_a_frame_there_is_nothing_to_commit(before_fake, fake):
    answer = before_fake.post(PICTURE)
    result = decode(answer.body, DetectResult)
    assert result.committed is False
    assert len(result.detections) == len(BLOBS)
    assert fake.asked == []


def test_a_busy_gateway_is_asked_again(before_fake, fake):
    busy = Reply(status=503, body={})
    fake.replies = [busy, Reply(status=429, body={}), Reply()]
    counted = before_fake.metric("sightline_detection_forwards_total", outcome="busy")
    message = frame()
    committed(post(before_fake, message))
    assert len(fake.asked) == 3
    assert all(asked.json == fake.asked[0].json for asked in fake.asked)
    assert fake.asked[0].json["frame"]["frame_id"] == message["frame_id"]
    now = before_fake.metric("sightline_detection_forwards_total", outcome="busy")
    assert now == counted + 2


def test_a_gateway_that_says_when_to_come_back_is_believed(before_fake, fake):
    fake.replies = [Reply(status=503, body={}, headers={"Retry-After": "40"})]
    answer = post(before_fake, frame())
    refused(answer, 503, "gateway-unavailable")
    assert answer.headers["retry-after"] == "40"
    assert len(fake.asked) == 1


def test_a_gateway_that_is_too_slow_is_given_up_at_the_deadline(before_fake, fake):
    fake.replies = [Reply(seconds=20.0)]
    began = time.monotonic()
    answer = post(before_fake, frame())
    refused(answer, 504, "gateway-timeout")
    assert int(answer.headers["retry-after"]) >= 1
    # Its deadline is three seconds; twenty would mean that it had waited.
    assert time.monotonic() - began < 15.0
    fake.replies = [Reply()]
    committed(post(before_fake, frame()))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500, body={}),
        Reply(status=401, body={}),
        Reply(body=b"<html>a captive portal</html>"),
        Reply(body=b"junk", headers={"Content-Encoding": "gzip"}),
        Reply(body={"frame_id": "another", "camera_id": "another", "results": []}),
    ],
)
def test_a_gateway_that_makes_no_sense_has_committed_nothing(before_fake, fake, reply):
    fake.replies = [reply]
    refused(post(before_fake, frame()), 502, "gateway-failed")
    assert len(fake.asked) == 1


def test_a_gateway_that_is_down_commits_nothing_and_everything_works_once_it_is_up(
    tmp_path, models
):
    gateway = Gateway(tmp_path)
    settings = {"gateway_url": gateway.url, "deadline_seconds": 2}
    with started(Detection(tmp_path, models, **settings)) as service:
        early, late = frame(), frame()
        answer = post(service, early)
        problem = refused(answer, 503, "gateway-unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert "cannot be reached" in problem.detail
        # Looking at images needs no gateway, and a gateway that is away is no reason to be down.
        assert http(f"{service.url}/ready").status == 200
        with started(gateway):
            assert stored(gateway, early) == (0, 0, 0)
            # Over a connection to nobody, or to the one before: whoever asks again succeeds.
            wait_for(lambda: post(service, early).status == 200, what="the gateway found again")
            assert stored(gateway, early) == (1, 2, 0)
            gateway.kill()
            # What was answered was on the disk.
            assert stored(gateway, early) == (1, 2, 0)
            refused(post(service, late), 503, "gateway-unavailable")
            gateway.start()
            assert stored(gateway, late) == (0, 0, 0)
            committed(post(service, late))
            again = committed(post(service, early))
            assert stored(gateway, early) == (1, 2, 0)
            assert all(isinstance(each.event, Placement) for each in again.detections)
