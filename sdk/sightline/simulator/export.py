"""A simulation as files: pictures, and beside each what the camera said and what was true."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import msgspec

from sightline.messages import encode
from sightline.simulator.simulator import START, Simulator


def export(
    simulator: Simulator,
    directory: Path,
    *,
    frames: int,
    rate_hz: float,
    start: datetime = START,
) -> list[Path]:
    """Write CAMERA-FRAME.jpg and .json for every frame; the paths of the pictures.

    The JSON holds `frame` (as POST /v1/detect takes it) and `truth`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    pictures = []
    for shot in simulator.frames(rate_hz=rate_hz, count=frames, start=start):
        stem = f"{shot.frame.camera_id}-{shot.frame.frame_id}"
        picture = directory / f"{stem}.jpg"
        picture.write_bytes(shot.jpeg)
        beside = {
            "frame": msgspec.Raw(encode(shot.frame)),
            "truth": [asdict(each) for each in shot.truth],
        }
        (directory / f"{stem}.json").write_bytes(msgspec.json.format(msgspec.json.encode(beside)))
        pictures.append(picture)
    return pictures
