"""`sightline simulate`: pictures with the sensor and the truth beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sightline.cli import exits
from sightline.messages import Frame, decode, encode

Command = Callable[..., Any]


def digest(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_picture_has_its_frame_and_truth_beside_it(
    sightline: Command, tmp_path: Path
) -> None:
    out = tmp_path / "frames"
    ended = sightline("simulate", str(out), "--frames", "5", "--cameras", "2", "--rate", "4")
    assert ended.code == exits.OK
    pictures = sorted(out.glob("*.jpg"))
    assert len(pictures) == 5
    seen = 0
    for path in pictures:
        beside = json.loads(path.with_suffix(".json").read_text())
        frame = decode(json.dumps(beside["frame"]).encode(), Frame)
        assert path.stem == f"{frame.camera_id}-{frame.frame_id}"
        assert frame.sensor is not None
        with Image.open(path) as image:
            lens = frame.sensor.intrinsics
            assert image.size == (lens.image_width, lens.image_height)
        for truth in beside["truth"]:
            x1, y1, x2, y2 = truth["box"]
            assert 0 <= x1 < x2 <= image.width
            assert 0 <= y1 < y2 <= image.height
            seen += 1
        assert json.loads(encode(frame)) == beside["frame"]
    assert seen > 0
    assert len({path.stem.rsplit("-", 1)[0] for path in pictures}) == 2


def test_the_same_seed_is_the_same_to_the_byte_and_another_is_not(
    sightline: Command, tmp_path: Path
) -> None:
    for name, seed in (("a", "5"), ("again", "5"), ("b", "6")):
        sightline("simulate", str(tmp_path / name), "--frames", "2", "--seed", seed)
    first = digest(tmp_path / "a")
    assert len(first) == 4
    assert first == digest(tmp_path / "again")
    other = digest(tmp_path / "b")
    assert all(first[name] != other.get(name) for name in first)


def test_frames_taken_now_can_be_committed_now(sightline: Command, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    ended = sightline("simulate", str(tmp_path), "--frames", "2", "--start", "now")
    assert ended.code == exits.OK
    moments = sorted(
        datetime.fromisoformat(json.loads(path.read_text())["frame"]["captured_at"])
        for path in tmp_path.glob("*.json")
    )
    assert before <= moments[0] < moments[1]


@pytest.mark.parametrize("moment", ["soon", "2026-11-25T10:00:00"])
def test_a_start_that_is_no_time_is_refused(
    sightline: Command, tmp_path: Path, moment: str
) -> None:
    ended = sightline("simulate", str(tmp_path), "--frames", "1", "--start", moment)
    assert ended.code == exits.USAGE
    assert moment in ended.err
