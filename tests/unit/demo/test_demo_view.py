"""The terminal view of a demo that is under way."""

from __future__ import annotations

import dataclasses
import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from sightline.demo.view import Snapshot, draw, line
from sightline.messages import Event, GroundPosition, SinkState

EVENT = Event(
    sequence=7,
    uid="sightline-0001-beef",
    cot_type="a-u-G-E-V-C",
    class_name="truck",
    confidence=0.9,
    camera_id="mast-3",
    frame_id="000007",
    index=0,
    captured_at=datetime(2026, 1, 1, tzinfo=UTC),
    committed_at=datetime(2026, 1, 1, tzinfo=UTC),
    stale_at=datetime(2026, 1, 1, tzinfo=UTC),
    position=GroundPosition(latitude=47.376912, longitude=8.541734, hae=455.0),
    ce90_m=6.4,
    le90_m=1.0,
    flag="GREEN",
    tle_category=1,
    speed_mps=9.1,
)
SINK = SinkState(
    name="tak",
    target="tcp://127.0.0.1:8087",
    state="connected",
    acknowledges=True,
    cursor=40,
    sent_cursor=44,
    lag_events=23,
    lag_seconds=0.1,
    sent=4321,
    acknowledged=4298,
    reconnects=0,
)
SHOT = Snapshot(
    seconds=12.0,
    rate_hz=9.8,
    frames=117,
    failed=0,
    detections=612,
    placed=598,
    unplaced={"grazing": 9, "above_horizon": 5},
    received=587,
    commit_ms=(41.0, 87.0),
    tak_ms=(44.0, 93.0),
    error_m=2.94,
    inside_ce90=0.91,
    recall=0.97,
    precision=0.96,
    sinks=(SINK,),
    events=(EVENT,),
    map_url="http://127.0.0.1:40001/",
    message=None,
)


def shown(shot: Snapshot, width: int = 120) -> str:
    console = Console(width=width, height=40, record=True, file=io.StringIO())
    console.print(draw(shot))
    return console.export_text()


@pytest.mark.parametrize(
    "text",
    [
        "9.8", "117", "612", "598", "14", "587", "41 / 87 ms", "44 / 93 ms", "2.9 m", "91%",
        "97% / 96%", "http://127.0.0.1:40001/", "tak tcp://127.0.0.1:8087", "connected", "4321",
        "4298", "truck", "47.376912", "8.541734", "6.4 m", "9.1 m/s", "mast-3", "beef",
    ],
)  # fmt: skip
def test_the_view_shows(text: str) -> None:
    assert text in shown(SHOT)


def test_before_the_first_frame_there_are_dashes_and_no_numbers() -> None:
    empty = dataclasses.replace(
        SHOT, commit_ms=(None, None), tak_ms=(None, None), error_m=None, inside_ce90=None,
        recall=None, precision=None, sinks=(), events=(),
    )  # fmt: skip
    assert "– / – ms" in shown(empty)
    assert "– ms" in line(empty)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_view_keeps_within_the_terminal(width: int) -> None:
    assert max(len(row) for row in shown(SHOT, width).splitlines()) <= width


def test_a_sink_that_is_away_says_why() -> None:
    away = SinkState(
        name="tak", target="tcp://127.0.0.1:8087", state="backing_off", acknowledges=True,
        cursor=0, sent_cursor=0, lag_events=5, lag_seconds=3.0, sent=0, acknowledged=0,
        reconnects=2, last_error="refused",
    )  # fmt: skip
    text = shown(dataclasses.replace(SHOT, sinks=(away,)))
    assert "backing off" in text
    assert "refused" in text


def test_failed_frames_are_told_with_their_reason() -> None:
    failed = dataclasses.replace(SHOT, failed=3, message="503 Busy: the queue is full")
    for text in (shown(failed), line(failed)):
        assert "503 Busy: the queue is full" in text
    assert "failed" not in line(SHOT)


def test_a_text_from_outside_is_no_markup() -> None:
    tricky = dataclasses.replace(SHOT, failed=1, message="[red]not[/red] [/closing] markup")
    assert "[red]not[/red]" in shown(tricky)


def test_the_line_is_one_line_with_the_same_totals() -> None:
    text = line(SHOT)
    assert "\n" not in text
    for part in ("117 frames", "612 detections", "598 placed", "587 in TAK", "91%"):
        assert part in text
