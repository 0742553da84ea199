"""Large frames from high up, in tiles: what is found in them is what is found flown lower.

The simulator shows the same scenes both ways, and the demo's real detector looks at them. The
figures for many scenes and ways to cut them are `tests/bench/tiling.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from detection import pipeline
from detection.scratch import Scratch
from detection.tiling import Tiling
from loading import load
from surveying import HIGH, Survey, Verdict, judge, lower

MODEL = Path(__file__).parents[2] / "models/demo/demo.onnx"
SCENES = (11, 12)

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What was found in it, whichever way it was looked at."""

    low: tuple[Verdict, ...]
    untiled: Verdict
    tiled: Verdict

    @property
    def wanted(self) -> frozenset[str]:
        """What is found flown lower, of what can be seen from high up as well."""
        return lower(self.low) & self.tiled.expected


@pytest.fixture(scope="module")
def scenes() -> tuple[Scene, ...]:
    model, scratch = load(MODEL), Scratch()

    def verdict(shot, side) -> Verdict:
        # As the demo does; the rest as it is without being asked for.
        request = pipeline.Request(confidence=0.4, tiling=Tiling(side=side))
        sighting = pipeline.detect(shot.jpeg, model=model, scratch=scratch, request=request)
        assert (sighting.tiles > 0) == (side != "off")
        return judge(sighting.detections, shot.truth)

    surveys = [(survey, survey.high()) for survey in map(Survey, SCENES)]
    return tuple(
        Scene(
            low=tuple(verdict(shot, "off") for shot in survey.low()),
            untiled=verdict(high, "off"),
            tiled=verdict(high, "auto"),
        )
        for survey, high in surveys
    )


def precision(verdicts: Sequence[Verdict]) -> float:
    found = sum(len(each.found) for each in verdicts)
    return found / (found + sum(each.duplicates + each.wrong for each in verdicts))


def test_the_scenes_are_of_twelve_megapixels_and_full_of_small_things(scenes):
    assert HIGH.width * HIGH.height == 12_000_000
    for scene in scenes:
        assert len(scene.wanted) > 50
        people = sum(name.startswith("person") for name in scene.wanted)
        assert people > len(scene.wanted) / 2
        # Looked at as a whole, most of them are too small.
        assert len(scene.untiled.found & scene.wanted) < 0.5 * len(scene.wanted)


def test_in_tiles_as_much_is_found_as_flown_lower(scenes):
    wanted = sum(len(scene.wanted) for scene in scenes)
    found = sum(len(scene.tiled.found & scene.wanted) for scene in scenes)
    assert found >= 0.95 * wanted


def test_what_is_found_in_tiles_is_as_often_right(scenes):
    flown_lower = precision([each for scene in scenes for each in scene.low])
    assert precision([scene.tiled for scene in scenes]) >= flown_lower - 0.02


def test_seams_count_nothing_twice(scenes):
    for scene in scenes:
        assert scene.tiled.duplicates <= 0.02 * len(scene.tiled.found)
