"""The camera itself on the map: where it is, its field of view, and the point that it looks at."""

from __future__ import annotations

import math
from datetime import timedelta

from cop_gateway.cot import CotEvent, Point, to_xml
from cop_gateway.geolocation.accuracy import CE90_PER_SIGMA, LE90_PER_SIGMA
from cop_gateway.outbox.record import EventRecord
from cop_gateway.pipeline.doctrine import Doctrine
from cop_gateway.pipeline.placing import Placed
from cop_gateway.pipeline.sighting import camera_uid
from sightline.messages import DetectionReport, Platform, Sensor

# Affiliation stays unknown here, too: that a drone is ours is for the operator to say.
_TYPES: dict[Platform, str] = {
    "fixed": "b-m-p-s-p-loc",
    "drone": "a-u-A-M-H-Q",
    "drone_rtk": "a-u-A-M-H-Q",
    "aircraft": "a-u-A-M-F-Q",
}
_INTEREST_TYPE = "b-m-p-s-p-i"


def platform_events(
    report: DetectionReport, placed: Placed, doctrine: Doctrine
) -> list[EventRecord]:
    """The camera's own event, with its sensor cone, and the point of interest in the centre."""
    sensor, fixes = placed.sensor, placed.fixes
    if sensor is None or fixes is None:
        return []
    sees_ground = bool(fixes.status[-1] == 0)
    reach = float(fixes.slant_range_m[-1]) if sees_ground else None
    sigma = sensor.sigmas()
    events = [
        _event(
            report,
            doctrine,
            kind="platform",
            uid=camera_uid(report.frame.camera_id),
            cot_type=_TYPES[sensor.platform],
            where=(sensor.position.latitude, sensor.position.longitude, placed.camera_hae),
            error=(
                CE90_PER_SIGMA * (sigma.horizontal_m or 0.0),
                LE90_PER_SIGMA * (sigma.vertical_m or 0.0),
            ),
            detail={
                "contact": {"callsign": report.frame.camera_id},
                "sensor": _cone(sensor, reach),
            },
        )
    ]
    if sees_ground:
        events.append(
            _event(
                report,
                doctrine,
                kind="interest",
                uid=f"{camera_uid(report.frame.camera_id)}-spi",
                cot_type=_INTEREST_TYPE,
                where=(
                    float(fixes.latitude[-1]),
                    float(fixes.longitude[-1]),
                    float(fixes.hae[-1]),
                ),
                error=(float(fixes.ce90_m[-1]), float(fixes.le90_m[-1])),
                detail={
                    "contact": {"callsign": f"{report.frame.camera_id} SPI"},
                    "link": {
                        "uid": camera_uid(report.frame.camera_id),
                        "type": _TYPES[sensor.platform],
                        "relation": "p-p",
                    },
                },
            )
        )
    return events


def _cone(sensor: Sensor, reach: float | None) -> dict[str, str]:
    """The sensor element: degrees (azimuth true, fields of view) and metres (range)."""
    lens = sensor.intrinsics
    fov = 2.0 * math.degrees(math.atan(lens.image_width / 2.0 / lens.focal_pixels))
    vfov = 2.0 * math.degrees(math.atan(lens.image_height / 2.0 / lens.focal_pixels))
    return {
        "azimuth": f"{sensor.attitude.heading % 360.0:.1f}",
        "elevation": f"{sensor.attitude.pitch:.1f}",
        "roll": f"{sensor.attitude.roll:.1f}",
        "fov": f"{fov:.1f}",
        "vfov": f"{vfov:.1f}",
        "north": "0",
        "type": "r-e",
        "version": "0.6",
        **({"range": f"{reach:.0f}"} if reach is not None else {}),
    }


def _event(
    report: DetectionReport,
    doctrine: Doctrine,
    *,
    kind: str,
    uid: str,
    cot_type: str,
    where: tuple[float, float, float],
    error: tuple[float, float],
    detail: dict[str, dict[str, str]],
) -> EventRecord:
    frame = report.frame
    stale_at = frame.captured_at + timedelta(seconds=doctrine.stale_seconds)
    latitude, longitude, hae = where
    own = {"camera": frame.camera_id, "frame": frame.frame_id, "version": doctrine.version}
    event = CotEvent(
        uid=uid,
        type=cot_type,
        how="m-s" if doctrine.simulated else "m-g" if kind == "platform" else doctrine.how,
        time=frame.captured_at,
        stale=stale_at,
        point=Point(
            latitude=latitude,
            longitude=longitude,
            hae=hae,
            ce=error[0] / doctrine.ce_divisor,
            le=error[1] / doctrine.le_divisor,
        ),
        detail={**detail, "__sightline": own},
        marks=doctrine.marks,
    )
    return EventRecord(
        kind="platform" if kind == "platform" else "interest",
        uid=uid,
        cot_type=cot_type,
        class_name="",
        confidence=1.0,
        index=-1,
        captured_at=frame.captured_at,
        stale_at=stale_at,
        latitude=latitude,
        longitude=longitude,
        hae=hae,
        ce90_m=error[0],
        le90_m=error[1],
        course=None,
        speed_mps=None,
        xml=to_xml(event),
    )
