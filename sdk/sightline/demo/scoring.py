"""What a frame's answer is worth against the truth. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sightline.messages import DetectedObject, Placement

MATCH_IOU = 0.5
IGNORED_IOU = 0.3
SMALLEST_PX = 12.0
"""Root of the area of the smallest box that a detector is expected to find."""

Corners = tuple[float, float, float, float]
_METRES_PER_DEGREE = 111_195.0


class Truth(Protocol):
    """What scoring needs of a true object."""

    @property
    def class_name(self) -> str:
        """Its class."""

    @property
    def box(self) -> Corners:
        """Pixels x1, y1, x2, y2."""

    @property
    def scored(self) -> bool:
        """Whether enough of it is visible."""

    @property
    def latitude(self) -> float:
        """WGS84 degrees."""

    @property
    def longitude(self) -> float:
        """WGS84 degrees."""


@dataclass(frozen=True, kw_only=True)
class Fix:
    """A placed detection whose truth is known: metres."""

    error_m: float
    ce90_m: float


@dataclass(frozen=True, kw_only=True)
class FrameScore:
    """One frame: truths to be found, found, wrong detections, and how far the fixes are off."""

    wanted: int
    found: int
    right: int
    wrong: int
    fixes: tuple[Fix, ...]


def score(detections: Sequence[DetectedObject], truths: Sequence[Truth]) -> FrameScore:
    """Match detections to truths: same class, IoU of at least a half, the surest first.

    A truth that is mostly hidden or tiny is neither asked for nor held against the detector; a fix
    counts wherever its truth is known and fully asked for.
    """
    counts = [each.scored and _root_area(each.box) > SMALLEST_PX for each in truths]
    taken: set[int] = set()
    right = wrong = found = 0
    fixes = []
    for detection in sorted(detections, key=lambda each: -each.confidence):
        box = (detection.box.x1, detection.box.y1, detection.box.x2, detection.box.y2)
        overlaps = [iou(box, each.box) for each in truths]
        able = [
            i for i, each in enumerate(truths)
            if i not in taken and each.class_name == detection.class_name
            and overlaps[i] >= MATCH_IOU
        ]  # fmt: skip
        if able:
            best = max(able, key=overlaps.__getitem__)
            taken.add(best)
            if counts[best]:
                right += 1
                found += 1
                if isinstance(detection.event, Placement):
                    fixes.append(_fix(detection.event, truths[best]))
        elif (
            not any(overlaps[i] >= IGNORED_IOU for i in range(len(truths)) if not counts[i])
            and _root_area(box) > SMALLEST_PX
        ):
            wrong += 1
    return FrameScore(wanted=sum(counts), found=found, right=right, wrong=wrong, fixes=tuple(fixes))


def iou(a: Corners, b: Corners) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    inter = width * height
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def _root_area(box: Corners) -> float:
    return math.sqrt(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))


def _fix(placed: Placement, truth: Truth) -> Fix:
    north = (placed.position.latitude - truth.latitude) * _METRES_PER_DEGREE
    east = (
        (placed.position.longitude - truth.longitude)
        * _METRES_PER_DEGREE
        * math.cos(math.radians(truth.latitude))
    )
    return Fix(error_m=math.hypot(east, north), ce90_m=placed.ce90_m)
