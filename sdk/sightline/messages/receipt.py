"""What the gateway answers once a frame is committed, and what it tells of events."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from sightline.messages.value import Answer, Timestamp

UnplacedReason: TypeAlias = Literal[
    "no_sensor",
    "above_horizon",
    "grazing",
    "too_far",
    "below_ground",
    "no_ray",
    "uncertain",
]
Flag: TypeAlias = Literal["GREEN", "YELLOW", "RED"]


class GroundPosition(Answer, frozen=True, kw_only=True):
    """A point on the ground: WGS84 degrees and metres above the ellipsoid."""

    latitude: float
    longitude: float
    hae: float


class Placement(Answer, frozen=True, kw_only=True, tag_field="status", tag="placed"):
    """A detection that is on the map: the answer to it, and its row in the history."""

    index: int
    """Which detection of the frame, from 0."""
    uid: str
    """The CoT uid of the tracked object: the same for every sighting of it."""
    cot_type: str
    position: GroundPosition
    ce90_m: float
    """Radius of the circle that holds the true horizontal position with 90 %."""
    le90_m: float
    flag: Flag
    """GREEN under 30 m of CE90, YELLOW to 100 m, RED above."""
    tle_category: int
    """Target location error category, 1 (best) to 6 (JP 3-09.3)."""


class Unplaced(Answer, frozen=True, kw_only=True, tag_field="status", tag="unplaced"):
    """A detection that has no place on the ground; it is kept and counted."""

    index: int
    reason: UnplacedReason
    message: str


class Receipt(Answer, frozen=True, kw_only=True):
    """A committed frame. The same frame sent again gets the same receipt."""

    frame_id: str
    camera_id: str
    results: tuple[Placement | Unplaced, ...]


class Event(Answer, frozen=True, kw_only=True):
    """One committed sighting of a tracked object, as in GET /v1/events."""

    sequence: int
    uid: str
    cot_type: str
    class_name: str = msgspec.field(name="class")
    confidence: float
    camera_id: str
    frame_id: str
    index: int
    captured_at: Timestamp
    committed_at: Timestamp
    stale_at: Timestamp
    position: GroundPosition
    ce90_m: float
    le90_m: float
    flag: Flag
    tle_category: int
    course: float | None = None
    """Degrees clockwise from true north, of a moving object."""
    speed_mps: float | None = None
    retracted_at: Timestamp | None = None
    """When an operator took the whole track back; None while it stands."""


class EventList(Answer, frozen=True, kw_only=True):
    """Events, newest first; `next` is the value of `before` for the page after this one."""

    events: tuple[Event, ...]
    next: int | None = None
    retracted: tuple[str, ...] = ()
    """With `since`: the uids of the tracks that were taken back after it."""


class Retraction(Answer, frozen=True, kw_only=True):
    """A track that was taken back: TAK clients delete its marker, and its uid is not used again."""

    uid: str
    class_name: str = msgspec.field(name="class")
    retracted_at: Timestamp
    reason: str | None = None
    by: str
    """Who took it back: the id of the key or token."""
