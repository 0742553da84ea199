"""The picture so far, and how a batch of frames moves it on.

`advance` is a pure step: the picture that it returns becomes the picture only once the records are
committed; if the commit fails, the old one still stands and the frames can be sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cop_gateway.cot import Catalogue
from cop_gateway.geolocation import Limits
from cop_gateway.outbox.record import EventRecord, FrameKey, FrameRecord, UnplacedRecord
from cop_gateway.pipeline.doctrine import Doctrine
from cop_gateway.pipeline.ground import Ground
from cop_gateway.pipeline.placing import Placed, place
from cop_gateway.pipeline.platform import platform_events
from cop_gateway.pipeline.sighting import SightingWriter, placement, unplaced
from cop_gateway.tracking import Rules, Sightings, Tracks, step
from sightline.messages import DetectionReport, Placement, Receipt, Unplaced, encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What is known at one moment: the tracks, and when each camera last told of itself."""

    tracks: Tracks = field(default_factory=Tracks.none)
    platforms: Mapping[str, float] = field(default_factory=dict)
    """Camera id → seconds since the epoch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What does not change while the gateway runs."""

    ground: Ground
    catalogue: Catalogue
    limits: Limits
    rules: Rules
    doctrine: Doctrine


def advance(
    picture: Picture, reports: Sequence[DetectionReport], world: World
) -> tuple[Picture, list[FrameRecord]]:
    """Place, track and write a batch of frames, in their order."""
    placed = place(reports, ground=world.ground, catalogue=world.catalogue, limits=world.limits)
    records: list[FrameRecord] = []
    for report, where in zip(reports, placed, strict=True):
        picture, record = _frame(picture, report, where, world)
        records.append(record)
    return picture, records


def _frame(
    picture: Picture, report: DetectionReport, placed: Placed, world: World
) -> tuple[Picture, FrameRecord]:
    frame = report.frame
    key = FrameKey(camera_id=frame.camera_id, frame_id=frame.frame_id)
    seconds = frame.captured_at.timestamp()
    placements: dict[int, Placement] = {}
    events: list[EventRecord] = []
    fixes = placed.fixes
    on_ground = (
        np.flatnonzero(fixes.status[:-1] == 0) if fixes is not None else np.zeros(0, np.intp)
    )
    if fixes is not None and len(on_ground):
        tracks, who = step(
            picture.tracks,
            Sightings(
                seconds=seconds,
                latitude=fixes.latitude[on_ground],
                longitude=fixes.longitude[on_ground],
                covariance=fixes.covariance[on_ground],
                class_name=tuple(report.detections[i].class_name for i in on_ground),
                seed=tuple(f"{key.camera_id}\n{key.frame_id}\n{i}" for i in on_ground),
            ),
            world.rules,
        )
        picture = replace(picture, tracks=tracks)
        writer = SightingWriter(report, world.doctrine)
        motion = zip(
            on_ground.tolist(), who.uid, who.course.tolist(), who.speed_mps.tolist(), strict=True
        )
        for index, uid, course, speed_mps in motion:
            kind = world.catalogue.find(report.detections[index].class_name)
            fix = placed.told[index]
            result = placements[index] = placement(index, fix, uid, kind)
            events.append(writer.event(result, fix, kind, course=course, speed_mps=speed_mps))
    interval = world.doctrine.platform_interval_seconds
    last = picture.platforms.get(key.camera_id)
    if (
        placed.sensor is not None
        and interval is not None
        and (last is None or seconds - last >= interval)
    ):
        events.extend(platform_events(report, placed, world.doctrine))
        picture = replace(picture, platforms={**picture.platforms, key.camera_id: seconds})
    results = tuple(
        placements.get(index) or unplaced(index, placed) for index in range(len(report.detections))
    )
    receipt = Receipt(frame_id=key.frame_id, camera_id=key.camera_id, results=results)
    return picture, FrameRecord(
        key=key,
        captured_at=frame.captured_at,
        receipt=encode(receipt),
        events=tuple(events),
        unplaced=tuple(
            UnplacedRecord(
                index=each.index, reason=each.reason, detection=report.detections[each.index]
            )
            for each in results
            if isinstance(each, Unplaced)
        ),
    )
