"""One detection's answer and its CoT event."""

from __future__ import annotations

import math
import mimetypes
from datetime import timedelta
from urllib.parse import urlsplit

from cop_gateway.cot import ObjectClass
from cop_gateway.cot.xml import attributes, degrees, escape, metres, timestamp
from cop_gateway.geolocation import flag, tle_category
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
from cop_gateway.pipeline.placing import Fix, Placed
from sightline.messages import (
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


def unplaced(index: int, placed: Placed) -> Unplaced:
    """Why a detection has no place on the ground."""
    if placed.fixes is None:
        return Unplaced(
            index=index,
            reason="no_sensor",
            message="the frame has no sensor and none is configured for its camera",
        )
    reason, message = _REASONS.get(placed.told[index].status, _REASONS[UNCERTAIN])
    return Unplaced(index=index, reason=reason, message=message)


def placement(index: int, fix: Fix, uid: str, kind: ObjectClass | None) -> Placement:
    """Where a detection is."""
    return Placement(
        index=index,
        uid=uid,
        cot_type=kind.cot_type if kind else "a-u-G",
        position=GroundPosition(latitude=fix.latitude, longitude=fix.longitude, hae=fix.hae),
        ce90_m=fix.ce90_m,
        le90_m=fix.le90_m,
        flag=flag(fix.ce90_m),
        tle_category=tle_category(fix.ce90_m),
    )


class SightingWriter:
    """Writes the events of a frame's placed detections; what they share is written once.

    This is the hot path of intake: an event's XML is one f-string, and only what came from outside
    (names) is escaped.
    """

    def __init__(self, report: DetectionReport, doctrine: Doctrine) -> None:
        frame = report.frame
        self._detections = report.detections
        self._doctrine = doctrine
        self._captured_at = frame.captured_at
        self._stale_at = frame.captured_at + timedelta(seconds=doctrine.stale_seconds)
        when = timestamp(frame.captured_at)
        self._head = (
            f' how="{doctrine.how}" time="{when}" start="{when}"'
            f' stale="{timestamp(self._stale_at)}"{doctrine.marks.xml}>'
        )
        producer = {
            "uid": camera_uid(frame.camera_id),
            "type": "b-m-p-s-p-loc",
            "relation": "p-p",
            "parent_callsign": frame.camera_id,
            "production_time": when,
        }
        self._links = (
            '<precisionlocation geopointsrc="CALC" altsrc="USER"/>'
            f"<link{attributes(producer)}/>{_picture(report, doctrine)}"
        )
        self._source = f'camera="{escape(frame.camera_id)}" frame="{escape(frame.frame_id)}"'
        self._version = f'version="{escape(doctrine.version)}"'
        self._seen_by = f"m, seen by {escape(frame.camera_id)}</remarks>"
        self._names: dict[str, str] = {}

    def event(
        self,
        placed: Placement,
        fix: Fix,
        kind: ObjectClass | None,
        *,
        course: float,
        speed_mps: float,
    ) -> EventRecord:
        """The event of a placed detection; course and speed are NaN when nobody knows them."""
        detection = self._detections[placed.index]
        class_name, confidence = detection.class_name, detection.confidence
        name = self._names.get(class_name)
        if name is None:
            name = self._names[class_name] = escape(class_name)
        bearing, speed, track = None, None, ""
        if not math.isnan(course):
            # 359.97 is north, and not a bearing of 360.0.
            bearing, speed = round(course, 1) % 360.0, round(speed_mps, 2)
            track = f'<track course="{bearing:.1f}" speed="{speed_mps:.2f}"/>'
        uid, doctrine = placed.uid, self._doctrine
        callsign = f"{name} {uid[-4:]}"
        alarm = (
            f'<emergency type="{escape(kind.emergency)}">{callsign}</emergency>'
            if kind is not None and kind.emergency is not None
            else ""
        )
        xml = (
            f'<event version="2.0" uid="{uid}" type="{placed.cot_type}"{self._head}'
            f'<point lat="{degrees(fix.latitude)}" lon="{degrees(fix.longitude)}"'
            f' hae="{metres(fix.hae)}" ce="{metres(fix.ce90_m / doctrine.ce_divisor)}"'
            f' le="{metres(fix.le90_m / doctrine.le_divisor)}"/>'
            f'<detail><contact callsign="{callsign}"/>{self._links}{track}{alarm}'
            f'<__sightline {self._source} detection="{placed.index}" class="{name}"'
            f' confidence="{confidence:.3f}" ce90="{fix.ce90_m:.2f}" le90="{fix.le90_m:.2f}"'
            f' semimajor="{fix.semimajor_m:.2f}" semiminor="{fix.semiminor_m:.2f}"'
            f' azimuth="{fix.azimuth:.1f}" flag="{placed.flag}" tle="{placed.tle_category}"'
            f" {self._version}/>"
            f"<remarks>{name} {confidence:.0%}, CE90 {fix.ce90_m:.1f} {self._seen_by}"
            "</detail></event>"
        )
        return EventRecord(
            kind="detection",
            uid=uid,
            cot_type=placed.cot_type,
            class_name=class_name,
            confidence=confidence,
            index=placed.index,
            captured_at=self._captured_at,
            stale_at=self._stale_at,
            latitude=fix.latitude,
            longitude=fix.longitude,
            hae=fix.hae,
            ce90_m=fix.ce90_m,
            le90_m=fix.le90_m,
            course=bearing,
            speed_mps=speed,
            xml=xml,
        )


def camera_uid(camera_id: str) -> str:
    """The CoT uid of a camera itself."""
    return f"sightline-camera-{camera_id}"


def _picture(report: DetectionReport, doctrine: Doctrine) -> str:
    """A link to the frame's picture, which TAK clients offer to open."""
    frame = report.frame
    url = doctrine.image_of(frame.camera_id, frame.frame_id)
    if url is None:
        return ""
    link = {
        "uid": f"{camera_uid(frame.camera_id)}-{frame.frame_id}",
        "type": "b-i-x-i",
        "relation": "r-u",
        "mime": mimetypes.guess_type(urlsplit(url).path)[0] or "image/jpeg",
        "url": url,
        "remarks": f"frame {frame.frame_id}",
    }
    return f"<link{attributes(link)}/>"
