"""Which events of a batch go to a sink, and why the others do not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cop_gateway.outbox.record import Dispatch

StaleRule = Literal["all", "live_only", "latest_per_uid"]
"""What becomes of an event whose time is over when its turn comes, after an outage say: it is sent
all the same; it is left out; or only the newest of each object is sent."""

FILTERED, STALE, SUPERSEDED, DEAD = "filtered", "stale", "superseded", "dead"


@dataclass(frozen=True, kw_only=True, slots=True)
class Area:
    """Degrees. West of east, or across the antimeridian where `west` is the larger."""

    south: float
    west: float
    north: float
    east: float

    def holds(self, latitude: float, longitude: float) -> bool:
        """Whether a point is inside."""
        if not self.south <= latitude <= self.north:
            return False
        if self.west <= self.east:
            return self.west <= longitude <= self.east
        return longitude >= self.west or longitude <= self.east


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """What a sink wants. None is no limit. All limits must hold.

    Cameras and the points that they look at are no detections: class, confidence and CE90 do not
    matter to them, area and affiliation do; `cameras` leaves them out altogether.
    """

    classes: frozenset[str] | None = None
    affiliations: frozenset[str] | None = None
    """Letters of the CoT type's second atom: u unknown, f friend, h hostile, n neutral, …"""
    min_confidence: float | None = None
    max_ce90_m: float | None = None
    area: Area | None = None
    cameras: bool = True

    def wants(self, event: Dispatch) -> bool:
        """Whether the sink wants this event.

        It always gets retractions: there is nothing in them to hide, and whoever never had the
        marker has nothing to delete.
        """
        if event.kind == "retraction":
            return True
        return self._wants_kind(event) and self._wants_place(event)

    def _wants_kind(self, event: Dispatch) -> bool:
        if event.kind != "detection":
            return self.cameras
        if self.classes is not None and event.class_name.lower() not in self.classes:
            return False
        if self.min_confidence is not None and event.confidence < self.min_confidence:
            return False
        return self.max_ce90_m is None or event.ce90_m <= self.max_ce90_m

    def _wants_place(self, event: Dispatch) -> bool:
        affiliation = affiliation_of(event.cot_type)
        if self.affiliations is not None and affiliation not in (None, *self.affiliations):
            return False
        return self.area is None or self.area.holds(event.latitude, event.longitude)


def affiliation_of(cot_type: str) -> str | None:
    """The second atom of an `a-` type; None for markers, which have none."""
    parts = cot_type.split("-")
    return parts[1] if len(parts) > 1 and parts[0] == "a" else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """A batch, sorted out."""

    first: int
    last: int
    chosen: tuple[Dispatch, ...]
    skipped: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def count(self, *reasons: str) -> int:
        """How many are left out for these reasons."""
        return sum(len(self.skipped.get(reason, ())) for reason in reasons)


def select(
    batch: Sequence[Dispatch],
    *,
    wanted: Filter,
    stale_rule: StaleRule,
    now: datetime,
    newest: Callable[[Iterable[str]], Mapping[str, int]],
    dead: frozenset[int] = frozenset(),
) -> Selection:
    """Sort a batch out (it holds at least one event).

    `newest` is asked for stale events only, and only under the rule `latest_per_uid`.
    """
    skipped: dict[str, list[int]] = {}
    chosen: list[Dispatch] = []
    late: list[Dispatch] = []
    for event in batch:
        reason = _reason(event, wanted, stale_rule, now, dead)
        if reason is None:
            chosen.append(event)
            if stale_rule == "latest_per_uid" and _is_stale(event, now):
                late.append(event)
        else:
            skipped.setdefault(reason, []).append(event.sequence)
    if late:
        latest = newest({event.uid for event in late})
        gone = {each.sequence for each in late if latest.get(each.uid, 0) > each.sequence}
        chosen = [event for event in chosen if event.sequence not in gone]
        if gone:
            skipped[SUPERSEDED] = sorted(gone)
    return Selection(
        first=batch[0].sequence,
        last=batch[-1].sequence,
        chosen=tuple(chosen),
        skipped={reason: tuple(sequences) for reason, sequences in skipped.items()},
    )


def _reason(
    event: Dispatch, wanted: Filter, rule: StaleRule, now: datetime, dead: frozenset[int]
) -> str | None:
    if event.sequence in dead:
        return DEAD
    if not wanted.wants(event):
        return FILTERED
    return STALE if rule == "live_only" and _is_stale(event, now) else None


def _is_stale(event: Dispatch, now: datetime) -> bool:
    # A marker that was taken back must go, however late.
    late = event.stale_at is not None and event.stale_at <= now
    return late and event.kind != "retraction"
