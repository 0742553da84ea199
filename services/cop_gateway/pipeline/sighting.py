"""One detection's answer and its CoT event."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Protocol

import numpy as np

from cop_gateway.cot import Catalogue, CotEvent, Point, to_xml
from cop_gateway.cot.xml import timestamp
from cop_gateway.geolocation import Fixes, flag, tle_category
from cop_gateway.geolocation.placement import (
    ABOVE_HORIZON,
    BELOW_GROUND,
    GRAZING,
    NO_RAY,
    TOO_FAR,
    UNCERTAIN,
)
from cop_gateway.outbox.record import EventRecord
from cop_gateway.pipeline.doctrine import Doctrine
from cop_gateway.pipeline.placing import Placed
from sightline.messages import (
    Detection,
    DetectionReport,
    GroundPosition,
    Placement,
    Unplaced,
    UnplacedReason,
)

_REASONS: dict[int, tuple[UnplacedReason, str]] = {
    NO_RAY: ("no_ray", "the lens model has no ray for this pixel"),
    BELOW_GROUND: ("below_ground", "the camera is at or below the ground's height"),
    ABOVE_HORIZON: ("above_horizon", "the ray does not meet the ground"),
    GRAZING: ("grazing", "the ray meets the ground at too flat an angle"),
    TOO_FAR: ("too_far", "the ray meets the ground too far away"),
    UNCERTAIN: ("uncertain", "the position's error would be too large to say anything"),
}


class Knowledge(Protocol):
    """What an answer needs to know of the world."""

    @property
    def catalogue(self) -> Catalogue:
        """Classes and their CoT types."""


def unplaced(index: int, placed: Placed) -> Unplaced:
    """Why a detection has no place on the ground."""
    if placed.fixes is None:
        return Unplaced(
            index=index,
            reason="no_sensor",
            message="the frame has no sensor and none is configured for its camera",
        )
    reason, message = _REASONS.get(int(placed.fixes.status[index]), _REASONS[UNCERTAIN])
    return Unplaced(index=index, reason=reason, message=message)


def placement(
    index: int, fixes: Fixes, detection: Detection, uid: str, world: Knowledge
) -> Placement:
    """Where a detection is."""
    kind = world.catalogue.find(detection.class_name)
    ce90_m = float(fixes.ce90_m[index])
    return Placement(
        index=index,
        uid=uid,
        cot_type=kind.cot_type if kind else "a-u-G",
        position=GroundPosition(
            latitude=round(float(fixes.latitude[index]), 8),
            longitude=round(float(fixes.longitude[index]), 8),
            hae=round(float(fixes.hae[index]), 3),
        ),
        ce90_m=round(ce90_m, 3),
        le90_m=round(float(fixes.le90_m[index]), 3),
        flag=flag(ce90_m),
        tle_category=tle_category(ce90_m),
    )


def sighting_event(
    placed: Placement,
    *,
    report: DetectionReport,
    fixes: Fixes,
    course: float,
    speed_mps: float,
    doctrine: Doctrine,
) -> EventRecord:
    """The CoT event of a placed detection; course and speed are NaN when nobody knows them."""
    frame, detection = report.frame, report.detections[placed.index]
    stale_at = frame.captured_at + timedelta(seconds=doctrine.stale_seconds)
    moving = not math.isnan(course)
    # 359.97 is north, and not a bearing of 360.0.
    bearing = round(course, 1) % 360.0
    detail: dict[str, dict[str, str]] = {
        "contact": {"callsign": f"{detection.class_name} {placed.uid[-4:]}"},
        "precisionlocation": {"geopointsrc": "CALC", "altsrc": "USER"},
        "link": {
            "uid": camera_uid(frame.camera_id),
            "type": "b-m-p-s-p-loc",
            "relation": "p-p",
            "parent_callsign": frame.camera_id,
            "production_time": timestamp(frame.captured_at),
        },
    }
    if moving:
        detail["track"] = {"course": f"{bearing:.1f}", "speed": f"{speed_mps:.2f}"}
    detail["__sightline"] = {
        "camera": frame.camera_id,
        "frame": frame.frame_id,
        "detection": str(placed.index),
        "class": detection.class_name,
        "confidence": f"{detection.confidence:.3f}",
        "ce90": f"{placed.ce90_m:.2f}",
        "le90": f"{placed.le90_m:.2f}",
        **_ellipse(fixes, placed.index),
        "flag": placed.flag,
        "tle": str(placed.tle_category),
        "version": doctrine.version,
    }
    event = CotEvent(
        uid=placed.uid,
        type=placed.cot_type,
        how=doctrine.how,
        time=frame.captured_at,
        stale=stale_at,
        point=Point(
            latitude=placed.position.latitude,
            longitude=placed.position.longitude,
            hae=placed.position.hae,
            ce=doctrine.ce(placed.ce90_m),
            le=doctrine.le(placed.le90_m),
        ),
        detail=detail,
        remarks=(
            f"{detection.class_name} {detection.confidence:.0%}, CE90 {placed.ce90_m:.1f} m,"
            f" seen by {frame.camera_id}"
        ),
    )
    return EventRecord(
        kind="detection",
        uid=placed.uid,
        cot_type=placed.cot_type,
        class_name=detection.class_name,
        confidence=detection.confidence,
        index=placed.index,
        captured_at=frame.captured_at,
        stale_at=stale_at,
        latitude=placed.position.latitude,
        longitude=placed.position.longitude,
        hae=placed.position.hae,
        ce90_m=placed.ce90_m,
        le90_m=placed.le90_m,
        course=bearing if moving else None,
        speed_mps=round(speed_mps, 2) if moving else None,
        xml=to_xml(event),
    )


def camera_uid(camera_id: str) -> str:
    """The CoT uid of a camera itself."""
    return f"sightline-camera-{camera_id}"


def _ellipse(fixes: Fixes, index: int) -> dict[str, str]:
    """One-sigma error ellipse: semi-axes in metres and the major one's azimuth from true north."""
    ee, en, nn = (float(fixes.covariance[index][i]) for i in ((0, 0), (0, 1), (1, 1)))
    middle, half = (ee + nn) / 2.0, math.hypot((ee - nn) / 2.0, en)
    azimuth = np.degrees(0.5 * math.atan2(2.0 * en, nn - ee)) % 180.0
    return {
        "semimajor": f"{math.sqrt(middle + half):.2f}",
        "semiminor": f"{math.sqrt(max(middle - half, 0.0)):.2f}",
        "azimuth": f"{azimuth:.1f}",
    }
