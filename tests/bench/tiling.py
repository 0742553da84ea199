"""What tiles find in large frames that high-flying cameras take, and what that costs.

    python tests/bench/tiling.py [--scenes 4] [--seed 11]

Each scene is surveyed in one simulated frame of twelve megapixels, and flown lower in ordinary
frames (`tests/surveying.py`); the demo's detector looks at both. Recall is of those objects that it
finds flown lower; people, who are smallest, also on their own. A duplicate lies on an object that
has been found, a wrong one on nothing. Seconds are a frame's, on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from detection import pipeline  # noqa: E402
from detection.models.model import Model  # noqa: E402
from detection.scratch import Scratch  # noqa: E402
from detection.tiling import Tiling  # noqa: E402
from loading import load  # noqa: E402
from surveying import Shot, Survey, Verdict, judge, lower  # noqa: E402

CONFIDENCE = 0.4
WAYS = {
    "untiled": Tiling(),
    "auto, overlap 0": Tiling(side="auto", overlap=0.0),
    "auto, overlap 0.1": Tiling(side="auto", overlap=0.1),
    "auto, overlap 0.2": Tiling(side="auto"),
    "auto, overlap 0.3": Tiling(side="auto", overlap=0.3),
    "auto, overlap 0.2, whole off": Tiling(side="auto", whole=False),
    "side 720": Tiling(side=720, limit=100),
    "side 1280": Tiling(side=1280),
    "side 1600": Tiling(side=1600),
    "side 1920": Tiling(side=1920),
    "side 2560": Tiling(side=2560),
}
HEADING = (
    f"| {'way':<28} | tiles | recall | people | precision | duplicates | wrong | seconds |\n"
    "|---|---|---|---|---|---|---|---|"
)


@dataclass(kw_only=True, slots=True)
class Row:
    """One way to look at frames, over all scenes."""

    tiles: int = 0
    wanted: int = 0
    found: int = 0
    people_wanted: int = 0
    people_found: int = 0
    right: int = 0
    duplicates: int = 0
    wrong: int = 0
    seconds: float = 0.0
    frames: int = 0

    def add(self, verdict: Verdict, base: frozenset[str]) -> None:
        """One frame's; `base` is what should be found."""
        people = frozenset(each for each in base if each.startswith("person"))
        self.wanted += len(base)
        self.found += len(base & verdict.found)
        self.people_wanted += len(people)
        self.people_found += len(people & verdict.found)
        self.right += len(verdict.found)
        self.duplicates += verdict.duplicates
        self.wrong += verdict.wrong

    def line(self, name: str) -> str:
        """Of the table."""
        precision = self.right / max(1, self.right + self.duplicates + self.wrong)
        return (
            f"| {name:<28} | {self.tiles:>5} | {self.found / self.wanted:>6.3f}"
            f" | {self.people_found / self.people_wanted:>6.3f} | {precision:>9.3f}"
            f" | {self.duplicates:>10} | {self.wrong:>5} | {self.seconds / self.frames:>7.2f} |"
        )


def look(shot: Shot, model: Model, scratch: Scratch, tiling: Tiling) -> pipeline.Sighting:
    """Once."""
    request = pipeline.Request(confidence=CONFIDENCE, tiling=tiling)
    return pipeline.detect(shot.jpeg, model=model, scratch=scratch, request=request)


def main() -> None:
    """Look at every scene in every way, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=11, help="of the first scene, below 10000")
    options = parser.parse_args()
    model, scratch = load(ROOT / "models/demo/demo.onnx"), Scratch()
    rows = {name: Row() for name in ("flown lower", *WAYS)}
    for seed in range(options.seed, options.seed + options.scenes):
        survey = Survey(seed)
        high = survey.high()
        verdicts = []
        for shot in survey.low():
            began = time.perf_counter()
            sighting = look(shot, model, scratch, Tiling())
            rows["flown lower"].seconds += time.perf_counter() - began
            rows["flown lower"].frames += 1
            verdicts.append(judge(sighting.detections, shot.truth))
        base = lower(verdicts) & judge((), high.truth).expected
        for verdict in verdicts:
            rows["flown lower"].add(verdict, verdict.expected)
        for name, tiling in WAYS.items():
            began = time.perf_counter()
            sighting = look(high, model, scratch, tiling)
            rows[name].seconds += time.perf_counter() - began
            rows[name].frames += 1
            rows[name].tiles = sighting.tiles
            rows[name].add(judge(sighting.detections, high.truth), base)
    print(f"{options.scenes} scenes from seed {options.seed}, confidence {CONFIDENCE}")
    print(HEADING)
    for name, row in rows.items():
        print(row.line(name))


if __name__ == "__main__":
    main()
