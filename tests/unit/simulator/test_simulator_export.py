"""A simulation as files: what POST /v1/detect takes, and the truth beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from sightline.messages import Frame, decode, encode
from sightline.simulator import Scenario, Simulator, export


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(Scenario.default(seed=3, cameras=2))


def test_files_are_the_frames_of_the_simulation(simulator, tmp_path):
    out = tmp_path / "not" / "there"
    pictures = export(simulator, out, frames=4, rate_hz=2.0)
    shots = list(simulator.frames(rate_hz=2.0, count=4))
    assert len(set(pictures)) == 4
    assert sorted(out.glob("*.jpg")) == sorted(pictures)
    for picture, shot in zip(pictures, shots, strict=True):
        assert picture.read_bytes() == shot.jpeg
        beside = json.loads(picture.with_suffix(".json").read_text())
        # What a client posts as the part `frame` of POST /v1/detect.
        assert decode(json.dumps(beside["frame"]).encode(), Frame) == shot.frame
        assert beside["truth"] == json.loads(encode([asdict(each) for each in shot.truth]))


def test_files_are_the_same_for_the_same_seed(simulator, tmp_path):
    again = Simulator(Scenario.default(seed=3, cameras=2))
    for name, each in (("a", simulator), ("b", again)):
        export(each, tmp_path / name, frames=2, rate_hz=1.0)
    first = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert len(first) == 4
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}


def test_the_first_frame_is_taken_when_asked(simulator, tmp_path):
    start = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
    first, second = export(simulator, tmp_path, frames=2, rate_hz=2.0, start=start)
    moments = [
        datetime.fromisoformat(
            json.loads(path.with_suffix(".json").read_text())["frame"]["captured_at"]
        )
        for path in (first, second)
    ]
    assert moments[0] == start
    assert (moments[1] - start).total_seconds() == 0.5
