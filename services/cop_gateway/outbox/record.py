"""What is committed: a frame with its receipt, its events in order of delivery, and the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

import msgspec

from sightline.messages import Detection, UnplacedReason

EventKind = Literal["detection", "platform", "interest", "retraction"]
"""A sighting; the camera itself with its field of view; the point that it looks at; a track that
is taken back (its uid is the track's)."""
SEEN: tuple[EventKind, ...] = ("detection",)
SEEN_OR_RETRACTED: tuple[EventKind, ...] = ("detection", "retraction")
RETRACTED = "t-x-d-d"
"""The CoT type of a retraction, by which its row is known among sightings."""
RETRACTION_MARK = "~"
"""What the frame_id of its receipt begins with, and that of no frame."""


class FrameKey(NamedTuple):
    """What names a frame for ever."""

    camera_id: str
    frame_id: str

    @property
    def is_retraction(self) -> bool:
        """Whether it names a track that is taken back, and no frame."""
        return self.frame_id.startswith(RETRACTION_MARK)


class EventRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
    received_at: datetime | None = None
    """When it was taken in, by our clock."""
    trace_id: str | None = None
    """W3C trace id of the request that brought it."""
    span_id: str | None = None
    """The span of its commit, where somebody keeps its trace: deliveries are told below it."""


class Dispatch(NamedTuple):
    """An event on its way to a sink: its place in the order, what is sent, and what filters ask."""

    sequence: int
    committed_at: datetime
    xml: str
    kind: EventKind = "detection"
    uid: str = ""
    cot_type: str = ""
    class_name: str = ""
    confidence: float = 1.0
    latitude: float = 0.0
    longitude: float = 0.0
    ce90_m: float = 0.0
    stale_at: datetime | None = None
    captured_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What is known of a sink from one run to the next."""

    cursor: int
    """Everything up to there was acknowledged, skipped for a reason, or buried."""
    paused: bool = False
    ponged: bool = False
    """Whether it has ever answered a ping: if so, silence means that it is lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A settled batch: the events `first`..`last` of the outbox, and what became of them."""

    first: int
    last: int
    sent_at: datetime
    settled_at: datetime
    acknowledged: bool
    """By a pong; else it was only sent."""
    skipped: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Reason (filtered, stale, superseded, dead) → the sequences that were not sent for it."""


class Traced(NamedTuple):
    """A frame of which something was delivered, and where its trace goes on."""

    key: FrameKey
    trace_id: str
    span_id: str
    events: int
    committed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """An event that a sink cannot take: kept until somebody retries it or it grows too old."""

    sink: str
    sequence: int
    uid: str
    reason: str
    buried_at: datetime
    retrying: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """Which steps of the schema there are, by their number."""

    code: int
    """Those that this code knows."""
    database: int
    """Those that the store has taken."""
    oldest_code: int
    """Code that knows fewer cannot work on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """Bytes: what the store takes, and what is left where it lies (None: nobody knows)."""

    used: int
    free: int | None


class Hold(Protocol):
    """The right to deliver to one sink, which one process has at a time."""

    def alive(self) -> bool:
        """Whether it is still ours. Blocks."""

    def release(self) -> None:
        """Give it up, for the next one to take over at once."""
