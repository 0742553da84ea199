"""Several images in one request: an answer for each, as if it had come alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from detecting import Detection
from fakes.images import encoded, painted
from fakes.models import blob_model, names
from fakes.troubled import BRIGHT, failing_model
from running import SENSOR, Answer, Gateway, started, wait_for
from sightline.messages import BatchResult, DetectResult, Placement, Problem, decode

WIDTH, HEIGHT = SENSOR["intrinsics"]["image_width"], SENSOR["intrinsics"]["image_height"]
LIMIT = 5
LARGEST = 60_000


def picture(left: int) -> bytes:
    """With one red blob that begins there."""
    return encoded(painted(WIDTH, HEIGHT, {"red": (left, 200, left + 60, 260)}), "JPEG")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with started(Gateway(tmp_path_factory.mktemp("gateway"))) as process:
        yield process


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, gateway: Gateway) -> Iterator[Detection]:
    folder = tmp_path_factory.mktemp("detection")
    models = folder / "models"
    models.mkdir()
    known = {"names": names(("car", "person", "boat"))}
    blob_model(models / "blobs.onnx", width=480, height=288, metadata=known)
    failing_model(models / "failing.onnx")
    settings = {
        "gateway_url": gateway.url,
        "max_batch_images": LIMIT,
        "max_image_bytes": LARGEST,
        "max_batch_bytes": 4 * LARGEST,
    }
    with started(Detection(folder, models, **settings)) as process:
        yield process


def frame(name: str) -> dict[str, Any]:
    return {
        "frame_id": name,
        "camera_id": f"camera-{name}",
        "captured_at": datetime.now(UTC).isoformat(),
        "sensor": SENSOR,
    }


def read(answer: Answer) -> BatchResult:
    assert answer.status == 200, answer.body
    batch = decode(answer.body, BatchResult)
    assert [item.index for item in batch.results] == list(range(len(batch.results)))
    return batch


def results(batch: BatchResult) -> list[DetectResult]:
    found = [item.result for item in batch.results if item.result is not None]
    assert len(found) == len(batch.results)
    return found


def refused(answer: Answer, status: int, kind: str) -> Problem:
    problem = decode(answer.body, Problem)
    assert (answer.status, problem.type) == (status, f"/problems/{kind}"), problem
    return problem


def test_answers_are_in_the_order_of_the_images(service: Detection) -> None:
    lefts = [400, 100, 700, 250]
    found = results(read(service.post_batch([picture(left) for left in lefts])))
    assert [round(each.detections[0].box.x1, -1) for each in found] == lefts
    assert all(each.timings_ms is not None and not each.committed for each in found)


def test_each_is_answered_as_if_it_had_come_alone(service: Detection) -> None:
    (found,) = results(read(service.post_batch([picture(300)], query="?timings=false")))
    alone = service.post(picture(300), query="?timings=false")
    assert found == decode(alone.body, DetectResult)


def test_one_bad_image_leaves_the_others_their_answers(service: Detection) -> None:
    bad = {
        "no image": (b"hello", 415, "unsupported-image-type"),
        "half": (picture(100)[:2000], 422, "invalid-image"),
        "too long": (picture(100) + bytes(LARGEST), 413, "image-too-large"),
    }
    for body, status, kind in bad.values():
        batch = read(service.post_batch([picture(100), body, picture(500)]))
        good, other, last = batch.results
        assert (good.status, other.status, last.status) == (200, status, 200)
        assert good.result is not None
        assert last.result is not None
        assert other.result is None
        assert other.problem is not None
        assert (other.problem.status, other.problem.type) == (status, f"/problems/{kind}")
        # And in the very words that it would have met alone, but for who asked.
        alone = decode(service.post(body).body, Problem)
        assert status == 413 or other.problem.detail == alone.detail


def test_a_model_that_fails_on_one_image_leaves_the_others_their_answers(
    service: Detection,
) -> None:
    small = encoded(painted(64, 64, {"green": (8, 8, 20, 20)}))
    batch = read(service.post_batch([small, BRIGHT, small], query="?model=failing"))
    assert [item.status for item in batch.results] == [200, 500, 200]
    assert batch.results[1].problem is not None
    assert batch.results[1].problem.type == "/problems/inference-failed"


def test_frames_are_committed_and_images_without_one_are_not(
    service: Detection, gateway: Gateway
) -> None:
    frames = [frame("batch-0"), None, frame("batch-2")]
    batch = read(service.post_batch([picture(100), picture(300), picture(500)], frames))
    first, second, third = results(batch)
    assert (first.committed, second.committed, third.committed) == (True, False, True)
    assert (first.frame_id, second.frame_id, third.frame_id) == ("batch-0", None, "batch-2")
    events = {event["uid"]: event for event in gateway.get("/v1/events")["events"]}
    for each in (first, third):
        (seen,) = each.detections
        assert isinstance(seen.event, Placement)
        assert events[seen.event.uid]["frame_id"] == each.frame_id
    # Sent again, nothing changes, and the answers are the same.
    again = results(read(service.post_batch([picture(100), picture(500)], [frames[0], frames[2]])))
    assert [each.detections for each in again] == [first.detections, third.detections]
    with sqlite3.connect(gateway.database) as database:
        (count,) = database.execute(
            "SELECT count(*) FROM frames WHERE frame_id LIKE 'batch-%'"
        ).fetchone()
    assert count == 2


def test_a_frame_that_is_refused_is_that_images_problem(service: Detection) -> None:
    late = {**frame("late"), "captured_at": "2020-01-01T00:00:00Z"}
    other = encoded(painted(HEIGHT, HEIGHT, {}))
    frames = [frame("in-time"), late, frame("cropped")]
    batch = read(service.post_batch([picture(100), picture(100), other], frames))
    assert [item.status for item in batch.results] == [200, 422, 422]
    fields = [item.problem.field for item in batch.results if item.problem is not None]
    assert fields == ["frame.captured_at", "frame.sensor.intrinsics.image_width"]


def test_limits_are_of_the_whole_request(service: Detection) -> None:
    small = encoded(painted(64, 64, {}))
    assert len(read(service.post_batch([small] * LIMIT)).results) == LIMIT
    problem = refused(service.post_batch([small] * (LIMIT + 1)), 400, "invalid-form")
    assert (problem.field, problem.limit) == ("image", f"{LIMIT} images")
    problem = refused(service.post_batch([bytes(LARGEST)] * 4), 413, "payload-too-large")
    assert (problem.field, problem.limit) == ("body", f"{4 * LARGEST} bytes")


@pytest.mark.parametrize(
    ("frames", "status", "kind", "field"),
    [
        ([], 400, "invalid-form", "frames"),
        ([None, None, None], 400, "invalid-form", "frames"),
        ({}, 422, "invalid-message", "frames"),
        ([None, {"frame_id": "f"}], 422, "invalid-message", "frames[1].camera_id"),
    ],
)
def test_frames_that_are_not_one_for_each_image_are_refused_by_field(
    service: Detection, frames: object, status: int, kind: str, field: str
) -> None:
    answer = service.post_batch([picture(100), picture(300)], frames)
    assert refused(answer, status, kind).field == field


def test_what_is_no_batch_is_refused(service: Detection) -> None:
    refused(service.post_batch([]), 400, "invalid-form")
    refused(service.post_batch([picture(1)], query="?model=other"), 422, "invalid-parameter")
    # One image alone has a call of its own.
    answer = service.post(picture(1), query="/batch", content_type="image/jpeg")
    refused(answer, 415, "unsupported-image-type")


def test_its_log_line_says_how_many_there_were_and_what_came_of_them(service: Detection) -> None:
    body = [picture(100), b"no image", picture(300)]
    assert service.post_batch(body, X_Request_Id="told-batch").status == 200
    # The line comes after the answer.
    (line,) = wait_for(
        lambda: [each for each in service.lines() if each.get("request_id") == "told-batch"],
        what="the log line",
    )
    told = {name: line[name] for name in ("route", "model", "images", "failed", "detections")}
    assert told == {
        "route": "/v1/detect/batch", "model": "blobs", "images": 3, "failed": 1, "detections": 2,
    }  # fmt: skip
