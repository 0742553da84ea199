"""A track that an operator takes back: its marker vanishes from every map, and stays away."""

from __future__ import annotations

import json
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cot_checker import problems
from fakes.tak_server import TakServer
from postgres_server import Postgres
from running import Answer, Gateway, http, report, started, wait_for


@pytest.fixture
def server() -> Iterator[TakServer]:
    running = TakServer()
    yield running
    running.close()


@pytest.fixture
def gateway(tmp_path: Path, server: TakServer) -> Iterator[Gateway]:
    with started(Gateway(tmp_path, sink=server.url)) as process:
        yield process


def seen(gateway: Gateway, frame: str, **options: Any) -> str:
    """The uid of a car that was just seen."""
    uid: str = gateway.post(report(frame, cars=1, **options)).json["results"][0]["uid"]
    return uid


def retract(gateway: Gateway, uid: str, query: str = "") -> Answer:
    return http(f"{gateway.url}/v1/events/{uid}{query}", method="DELETE")


def deletions(server: TakServer) -> list[ET.Element]:
    return [ET.fromstring(e) for e in server.events if b'type="t-x-d-d"' in e]


def test_the_marker_is_deleted_in_tak_after_its_last_sighting(
    gateway: Gateway, server: TakServer
) -> None:
    uid = seen(gateway, "1")
    answer = retract(gateway, uid, "?reason=a%20shadow")
    assert answer.status == 200
    assert answer.json["uid"] == uid
    assert answer.json["reason"] == "a shadow"
    (event,) = wait_for(lambda: deletions(server), what="the deletion")
    assert problems(ET.tostring(event)) == []
    link = event.find("detail/link")
    assert link is not None
    assert link.get("uid") == uid
    assert link.get("relation") == "p-p"
    assert event.find("detail/__forcedelete") is not None
    assert event.get("uid") != uid
    kinds = [k for k in server.kinds() if k in ("t-x-d-d", "a-u-G-E-V-C")]
    assert kinds == ["a-u-G-E-V-C", "t-x-d-d"]


def test_what_is_seen_there_next_is_another_track_also_after_a_restart(gateway: Gateway) -> None:
    now = datetime.now(UTC)
    uid = seen(gateway, "1", at=now - timedelta(seconds=2))
    assert seen(gateway, "2", at=now - timedelta(seconds=1)) == uid
    assert retract(gateway, uid).status == 200
    gateway.stop()
    gateway.start()
    other = seen(gateway, "3", at=now)
    assert other != uid
    assert seen(gateway, "4", at=now + timedelta(seconds=0.5)) == other


def test_taking_back_twice_is_once(gateway: Gateway, server: TakServer) -> None:
    uid = seen(gateway, "1")
    first, second = retract(gateway, uid, "?reason=one"), retract(gateway, uid, "?reason=two")
    assert second.body == first.body
    assert second.headers.get("sightline-duplicate") == "true"
    seen(gateway, "2")
    wait_for(lambda: gateway.get("/v1/sinks/tak")["lag_events"] == 0, what="delivery")
    assert len(deletions(server)) == 1


def test_the_history_keeps_it_and_says_so(gateway: Gateway) -> None:
    uid = seen(gateway, "1")
    since = gateway.get("/v1/events")["events"][0]["sequence"]
    assert gateway.get(f"/v1/events/{uid}")["retracted_at"] is None
    moment = retract(gateway, uid).json["retracted_at"]
    (event,) = gateway.get("/v1/events")["events"]
    for told in (event["retracted_at"], gateway.get(f"/v1/events/{uid}")["retracted_at"]):
        between = datetime.fromisoformat(told) - datetime.fromisoformat(moment)
        assert timedelta(0) <= between < timedelta(seconds=5)
    assert gateway.get(f"/v1/events?since={since}")["retracted"] == [uid]
    assert "sightline_gateway_tracks_retracted_total" in _metrics(gateway)


def _metrics(gateway: Gateway) -> str:
    return http(f"{gateway.url}/metrics").body.decode()


def test_whoever_watches_the_stream_is_told(gateway: Gateway) -> None:
    uid = seen(gateway, "1")
    retract(gateway, uid)
    request = urllib.request.Request(f"{gateway.url}/v1/stream?since=0")
    told: list[tuple[str, str]] = []
    with urllib.request.urlopen(request, timeout=10) as stream:
        name = ""
        while len(told) < 2:
            line = stream.readline().decode()
            if line.startswith("event: "):
                name = line[7:].strip()
            elif line.startswith("data: "):
                told.append((name, json.loads(line[6:])["uid"]))
    assert told == [("sighting", uid), ("retraction", uid)]


def test_what_was_never_seen_cannot_be_taken_back(gateway: Gateway) -> None:
    answer = retract(gateway, "nobody")
    assert answer.status == 404
    assert answer.json["type"] == "/problems/no-such-track"
    uid = seen(gateway, "1")
    assert retract(gateway, uid, "?why=x").status == 422
    too_long = retract(gateway, uid, f"?reason={'x' * 201}")
    assert too_long.status == 422
    assert too_long.json["limit"] == "200 characters"
    # Its receipt is not taken for a frame's.
    assert retract(gateway, uid).status == 200
    audit = http(f"{gateway.url}/v1/audit?camera_id=drone-1&frame_id=~{uid}")
    assert audit.status == 404


def test_it_is_late_and_filtered_and_sent_all_the_same(tmp_path: Path, server: TakServer) -> None:
    """A sink that was away for long, wants no old news and only boats: the marker must go."""
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'[[sinks]]\nname = "tak"\nurl = "{server.url}"\nstale = "live_only"\n'
        '[sinks.filter]\nclasses = ["boat"]\n'
    )
    gateway = Gateway(tmp_path)
    gateway.command += ["--config", str(config)]
    with started(gateway):
        uid = seen(gateway, "1")
        retract(gateway, uid)
        wait_for(lambda: deletions(server), what="the deletion")
        assert not any(b' class="car"' in event for event in server.events)


def test_another_gateway_on_the_same_database_forgets_the_track_as_well(
    tmp_path: Path, server: TakServer
) -> None:
    (tmp_path / "db").mkdir()
    with started(Postgres(tmp_path / "db")) as database:
        gateways = [
            Gateway(tmp_path / name, sink=server.url, database=database.url)
            for name in ("blue", "green")
        ]
        with started(gateways[0]) as blue, started(gateways[1]) as green:
            now = datetime.now(UTC)
            uid = seen(blue, "1", at=now - timedelta(seconds=2))
            assert seen(green, "2", at=now - timedelta(seconds=1)) == uid
            assert retract(green, uid).status == 200
            assert seen(blue, "3", at=now) != uid
            assert retract(blue, uid).headers.get("sightline-duplicate") == "true"
