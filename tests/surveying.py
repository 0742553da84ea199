"""One simulated scene, surveyed from high up in one large frame, and flown lower in many.

Both show an object at about the same number of pixels a metre, so that a detector that looks at the
large frame piece by piece should find what it finds flown lower.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.messages import Detection
from sightline.simulator import Scenario, SimulatedCamera, Simulator, TrueObject
from sightline.simulator.flight import Mast, Pose

Numbers = NDArray[np.float64]

PITCH = -50.0
"""How cameras look, in degrees: neither flat nor straight down, as the detector was trained."""
PIXELS_PER_METRE = 18.0
"""In the middle of either frame, across: people have some 15 x 30 pixels then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Optics:
    """A sensor and its lens, in pixels."""

    width: int
    height: int
    focal: float

    @property
    def distance(self) -> float:
        """From which a metre has PIXELS_PER_METRE."""
        return self.focal / PIXELS_PER_METRE


HIGH = Optics(width=4000, height=3000, focal=6000.0)
LOW = Optics(width=960, height=540, focal=950.0)
LOW_OVERLAP = 0.3
MATCHING_IOU = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Shot:
    """A frame and what is really in it."""

    jpeg: bytes
    truth: tuple[TrueObject, ...]


class Survey:
    """A scene at one moment; `seed` below 10,000, of which the demo's detector has seen none."""

    def __init__(self, seed: int, *, vehicles: int = 24, people: int = 60, boats: int = 7) -> None:
        self._scenario = replace(
            Scenario.default(seed=seed, cameras=1), vehicles=vehicles, people=people, boats=boats
        )
        self._simulator = Simulator(self._scenario)

    def high(self) -> Shot:
        """Twelve megapixels from high up."""
        return self._shot(HIGH, (0.0, 0.0), number=0)

    def low(self) -> Iterator[Shot]:
        """Ordinary frames, in passes over the ground that the high one shows."""
        slope = math.sin(math.radians(-PITCH))
        easts = _stations(HIGH.width / PIXELS_PER_METRE, LOW.width / PIXELS_PER_METRE)
        norths = _stations(
            HIGH.height / PIXELS_PER_METRE / slope, LOW.height / PIXELS_PER_METRE / slope
        )
        for number, (north, east) in enumerate(product(norths, easts), start=1):
            yield self._shot(LOW, (east, north), number=number)

    def _shot(self, optics: Optics, at: tuple[float, float], *, number: int) -> Shot:
        """What lies around a place on the ground, seen from the south of it."""
        tilt = math.radians(-PITCH)
        pose = Pose(
            east=at[0],
            north=at[1] - optics.distance * math.cos(tilt),
            above_ground_m=optics.distance * math.sin(tilt),
            heading=0.0,
            pitch=PITCH,
            roll=0.0,
        )
        camera = SimulatedCamera(
            camera_id="survey",
            platform="drone",
            flight=Mast(pose=pose),
            altitude_reference="agl",
            accuracy=self._scenario.cameras[0].accuracy,
            image_width=optics.width,
            image_height=optics.height,
            focal_px=optics.focal,
        )
        light = self._scenario.light
        rng = np.random.default_rng([self._scenario.seed, 5, number])
        image, truth = self._simulator.render(camera, pose, 0.0, light=light, rng=rng)
        _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, light.jpeg_quality])
        return Shot(jpeg=jpeg.tobytes(), truth=truth)


def _stations(length: float, footprint: float) -> list[float]:
    """Where to look from along one axis, in metres from the middle."""
    count = int(np.ceil((length - footprint) / (footprint * (1.0 - LOW_OVERLAP)))) + 1
    return np.linspace(-(length - footprint) / 2, (length - footprint) / 2, count).tolist()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of the objects in a frame, and of the detections."""

    expected: frozenset[str]
    """Objects of which enough can be seen."""
    found: frozenset[str]
    """Objects that a detection of their class lies on, whether expected or not."""
    duplicates: int
    """Detections of an object that a surer one has found."""
    wrong: int
    """Detections of nothing, or of something else."""


def judge(detections: Sequence[Detection], truth: Sequence[TrueObject]) -> Verdict:
    """Match detections, surest first, with the truth: IoU of a half or more, same class."""
    boxes = np.array([each.box for each in truth], dtype=float).reshape(-1, 4)
    names = np.array([each.class_name for each in truth])
    vague = np.array([not each.scored for each in truth], dtype=bool)
    found: set[int] = set()
    duplicates = wrong = 0
    for detection in detections:
        assert detection.box is not None
        box = np.array([detection.box.x1, detection.box.y1, detection.box.x2, detection.box.y2])
        iou, inside = _overlaps(box, boxes)
        alike = names == detection.class_name
        matching = np.flatnonzero(alike & (iou >= MATCHING_IOU))
        fresh = [int(i) for i in matching[np.argsort(-iou[matching])] if i not in found]
        if fresh:
            found.add(fresh[0])
        elif any(inside[i] >= 0.5 and alike[i] for i in found):
            duplicates += 1
        elif not (vague & (inside >= 0.5)).any():
            wrong += 1
    return Verdict(
        expected=frozenset(each.object_id for each in truth if each.scored),
        found=frozenset(truth[i].object_id for i in found),
        duplicates=duplicates,
        wrong=wrong,
    )


def lower(verdicts: Iterable[Verdict]) -> frozenset[str]:
    """Objects that are found in any of several frames."""
    return frozenset().union(*(each.found for each in verdicts))


def _overlaps(box: Numbers, boxes: Numbers) -> tuple[Numbers, Numbers]:
    """The intersection with each, over the union of both, and over the box itself."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=1)
    area = (box[2:] - box[:2]).prod()
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return shared / (area + areas - shared), shared / area
