"""What is committed: a frame with its receipt, its events in order of delivery, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sightline.messages import Detection, UnplacedReason

EventKind = Literal["detection", "platform", "interest"]
"""A sighting; the camera itself with its field of view; the point that it looks at."""


class FrameKey(NamedTuple):
    """What names a frame for ever."""

    camera_id: str
    frame_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRecord:
    """One CoT event to be delivered to every sink, with what the history is asked for."""

    kind: EventKind
    uid: str
    cot_type: str
    class_name: str
    confidence: float
    index: int
    captured_at: datetime
    stale_at: datetime
    latitude: float
    longitude: float
    hae: float
    ce90_m: float
    le90_m: float
    course: float | None
    speed_mps: float | None
    xml: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UnplacedRecord:
    """A detection without a place on the ground, kept with its reason."""

    index: int
    reason: UnplacedReason
    detection: Detection


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameRecord:
    """Everything that one frame adds to the store, in one transaction."""

    key: FrameKey
    captured_at: datetime
    receipt: bytes
    """The answer as it was and will be given, in JSON."""
    events: tuple[EventRecord, ...]
    unplaced: tuple[UnplacedRecord, ...]


class Dispatch(NamedTuple):
    """An event on its way to a sink: its place in the order, and what is sent."""

    sequence: int
    committed_at: datetime
    xml: str
