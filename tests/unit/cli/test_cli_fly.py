"""`sightline fly` against a service that answers as it is told to."""

from __future__ import annotations

import json
from typing import Any

from running import free_port
from sightline.cli import exits

RESULT: dict[str, Any] = {
    "frame_id": "f",
    "camera_id": "c",
    "model": {"name": "demo", "version": "1"},
    "image": {"width": 960, "height": 540},
    "detections": [{"class": "truck", "confidence": 0.9, "box": [1, 2, 3, 4], "event": None}],
    "committed": True,
    "timings_ms": {
        "queue": 0, "decode": 1, "letterbox": 1, "inference": 9, "postprocess": 1, "total": 12,
    },
}  # fmt: skip
PROBLEM = {"type": "/problems/bad-frame", "title": "No", "status": 422, "detail": "frame: no"}

FLIGHT = ("fly", "--frames", "4", "--rate", "50", "--cameras", "2")


def last(out: str) -> dict[str, Any]:
    line = json.loads(out.splitlines()[-1])
    assert line.pop("time").endswith("+00:00")
    return dict(line)


def test_frames_are_posted_with_their_poses_and_counted(sightline, serve):
    bodies: list[bytes] = []

    def reply(_method, _path, body):
        bodies.append(body)
        return 200, RESULT

    service = serve(reply)
    ended = sightline(*FLIGHT, "--url", service.url)
    assert ended.code == exits.OK, ended.err
    assert last(ended.out) == {
        "level": "info", "event": "flight", "service": "simulator",
        "frames": 4, "detections": 4, "committed": 4, "failed": 0,
    }  # fmt: skip
    assert [path for _, path in service.asked] == ["/v1/detect"] * 4
    assert all(b"\xff\xd8" in body and b"altitude_reference" in body for body in bodies)
    # A second flight is not taken for a repetition of the first.
    assert sightline(*FLIGHT, "--url", service.url).code == exits.OK
    assert len(set(bodies)) == 8


def test_frames_that_fail_are_counted_and_the_flight_goes_on(sightline, serve):
    replies = iter([(200, RESULT), (422, PROBLEM), (200, RESULT), (422, PROBLEM)])
    service = serve(lambda *_: next(replies))
    ended = sightline(*FLIGHT, "--url", service.url)
    assert ended.code == exits.FAILED
    told = last(ended.out)
    assert (told["level"], told["frames"], told["failed"]) == ("warning", 2, 2)
    assert "frame: no" in told["problem"]
    assert ended.complaint.startswith("sightline: 2 frames failed, the last one: ")


def test_nobody_there_is_one_sentence(sightline):
    ended = sightline("fly", "--frames", "1", "--url", f"http://127.0.0.1:{free_port()}")
    assert ended.code == exits.FAILED
    assert "does not answer" in ended.complaint


def test_what_it_needs_is_named(sightline):
    ended = sightline(*FLIGHT, absent=("numpy",))
    assert ended.code == exits.MISSING
    assert ended.complaint == (
        "sightline: numpy is not installed: pip install 'sightline[simulator]'"
    )
