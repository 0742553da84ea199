"""One simulated frame through a colour: what is made of the answers, and that it is taken back."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from fakes.colours import FakeCluster, Time
from sightline.colours.calls import CallError
from sightline.colours.smoke import DELIVERY_SECONDS, smoke
from sightline.messages import encode
from sightline.messages.examples import DETECT_RESULT


class Services:
    """A detection service and a gateway, that answer as they are told to."""

    def __init__(self, outcomes: list[str], *, committed: bool = True, placed: bool = True) -> None:
        self.outcomes = outcomes
        self.committed, self.placed = committed, placed
        self.asked: list[tuple[str, str, str]] = []
        self.frame: dict = {}
        self.breaks = False

    def call(self, component, name, method, path, *, body=None, headers=None, seconds=5.0):
        self.asked.append((component, method, path))
        if self.breaks:
            raise CallError("no port forward: the API server answers 502")
        if path == "/v1/detect":
            part = body.split(b'name="frame"')[1].split(b"\r\n\r\n")[1].split(b"\r\n")[0]
            self.frame = json.loads(part)
            return 200, encode(msgspec.structs.replace(DETECT_RESULT, committed=self.committed))
        if path.startswith("/v1/audit"):
            query = parse_qs(urlsplit(path).query)
            assert query["frame_id"] == [self.frame["frame_id"]]
            outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
            return 200, json.dumps({"entries": [self.entry(outcome)]}).encode()
        return 200, b"{}"

    def entry(self, outcome: str) -> dict:
        placed = {
            "status": "placed", "index": 0, "uid": "track-1", "cot_type": "a-f-G",
            "position": {"latitude": 47.0, "longitude": 8.0, "hae": 500.0},
            "ce90_m": 5.0, "le90_m": 5.0, "flag": "GREEN", "tle_category": 1,
        }  # fmt: skip
        unplaced = {"status": "unplaced", "index": 0, "reason": "too_far", "message": "far"}
        at = "2026-11-26T09:00:00Z"
        return {
            "camera_id": "smoke", "frame_id": self.frame["frame_id"], "index": 0,
            "trace_id": None, "captured_at": at, "received_at": at, "committed_at": at,
            "result": placed if self.placed else unplaced, "sequence": 1,
            "sinks": [{"sink": "tak", "outcome": outcome}] if self.placed else [],
        }  # fmt: skip

    @property
    def taken_back(self) -> list[str]:
        return [path for _, method, path in self.asked if method == "DELETE"]


def made(services: Services) -> dict[str, list[str]]:
    cluster = FakeCluster(Time())
    found: dict[str, list[str]] = {}
    for each in smoke(services, cluster.observe(), "green", cluster.time):
        found.setdefault(each.outcome, []).append(each.sentence)
    return found


def test_a_frame_that_every_sink_acknowledges_is_good_and_its_track_is_taken_back():
    services = Services(["waiting", "sent", "acknowledged"])
    found = made(services)
    assert set(found) == {"ok"}
    assert any("tak" in each for each in found["ok"])
    (path,) = services.taken_back
    assert path.startswith("/v1/events/track-1?")


@pytest.mark.parametrize("outcome", ["waiting", "dead"])
def test_what_is_not_delivered_fails_it_and_is_taken_back_all_the_same(outcome):
    services = Services([outcome])
    found = made(services)
    assert any(f"tak: {outcome}" in each and f"{DELIVERY_SECONDS:g} s" in each
               for each in found["failed"])  # fmt: skip
    assert len(services.taken_back) == 1


def test_where_nothing_was_placed_delivery_is_not_proven():
    found = made(Services(["acknowledged"], placed=False))
    assert "not proven" in found["warning"][0]
    assert "failed" not in found


def test_a_frame_that_is_not_committed_fails_it():
    assert "did not commit" in made(Services(["acknowledged"], committed=False))["failed"][0]


def test_a_pod_that_cannot_be_asked_fails_it():
    services = Services(["acknowledged"])
    services.breaks = True
    assert "no port forward" in made(services)["failed"][0]


def test_no_frame_is_sent_twice_under_one_name():
    first, second = Services(["acknowledged"]), Services(["acknowledged"])
    made(first)
    made(second)
    assert first.frame["frame_id"] != second.frame["frame_id"]
