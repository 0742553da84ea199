"""From detections to fixes: every detection of every frame of a batch in one vectorised call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cop_gateway.cot import Catalogue
from cop_gateway.geolocation import Camera, Fixes, Limits, Sigmas, locate, undulation
from cop_gateway.geolocation.accuracy import ellipse
from cop_gateway.pipeline.ground import Ground
from sightline.messages import Detection, DetectionReport, Sensor

Array = NDArray[np.float64]

BOX_SIGMA = 0.05
"""One sigma of the middle of a box, as a share of its sides: how well detectors draw boxes. With
the demo's detector 0.047 across and 0.044 down were measured, over eight seeds of the simulator."""
EGM96_SIGMA_M = 0.5
"""One sigma of EGM96 against the true geoid (NASA/TP-1998-206861: 0.5 to 1 m on land)."""

_POSE = ("latitude", "longitude", "hae", "heading", "pitch", "roll", "fx", "fy", "cx", "cy")


class Fix(NamedTuple):
    """One pixel's place on the ground in plain numbers, as it is told; NaN where not placed.

    Degrees, metres; the ellipse is of one sigma, its azimuth clockwise from true north.
    """

    status: int
    latitude: float
    longitude: float
    hae: float
    ce90_m: float
    le90_m: float
    semimajor_m: float
    semiminor_m: float
    azimuth: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """The fixes of one frame: those of its detections and that of the image's centre.

    `sensor` is None when nobody knows it; then there are no fixes at all.
    """

    sensor: Sensor | None
    camera_hae: float
    fixes: Fixes | None
    """(detections + 1,): the last one is the image's centre on the ground."""
    told: Sequence[Fix] = ()
    """The same in plain numbers."""


def place(
    reports: Sequence[DetectionReport], *, ground: Ground, catalogue: Catalogue, limits: Limits
) -> list[Placed]:
    """Place the detections of a batch of frames. Classes that nobody knows stand on the ground."""
    sensors = [ground.sensor(each.frame.camera_id, each.frame.sensor) for each in reports]
    rows: list[list[float]] = []
    counts: list[int] = []
    pixels: list[tuple[float, float, float, float, float, float]] = []
    for report, sensor in zip(reports, sensors, strict=True):
        if sensor is None:
            continue
        rows.append(_row(sensor, report.frame.camera_id, ground))
        counts.append(len(report.detections) + 1)
        pixels.extend(_looked_at(each, catalogue) for each in report.detections)
        lens = sensor.intrinsics
        pixels.append((lens.image_width / 2.0, lens.image_height / 2.0, 0.0, 0.0, 0.0, 0.0))
    if not rows:
        return [Placed(sensor=None, camera_hae=np.nan, fixes=None) for _ in reports]
    fixes = _locate(np.array(rows), np.array(counts), np.array(pixels), limits)
    told = _told(fixes)
    answer: list[Placed] = []
    start = used = 0
    for sensor in sensors:
        if sensor is None:
            answer.append(Placed(sensor=None, camera_hae=np.nan, fixes=None))
            continue
        end = start + counts[used]
        answer.append(
            Placed(
                sensor=sensor,
                camera_hae=rows[used][2],
                fixes=_part(fixes, start, end),
                told=told[start:end],
            )
        )
        start, used = end, used + 1
    return answer


def _row(sensor: Sensor, camera_id: str, ground: Ground) -> list[float]:
    """One camera as numbers: pose, distortion, then ground height and one sigma of every input."""
    where, attitude, lens = sensor.position, sensor.attitude, sensor.intrinsics
    ground_hae = ground.hae(camera_id, where.latitude, where.longitude)
    sigma = sensor.sigmas()
    vertical, surface = sigma.vertical_m or 0.0, ground.sigma_m
    hae = where.altitude
    if where.altitude_reference == "agl":
        # Measured from the ground itself: how high that ground is does not matter to the ray.
        hae, surface = ground_hae + where.altitude, 0.0
    elif where.altitude_reference == "msl":
        hae += float(undulation(where.latitude, where.longitude))
        vertical = float(np.hypot(vertical, EGM96_SIGMA_M))
    focal, centre = lens.focal_pixels, lens.centre
    k = lens.distortion
    bend = (k.k1, k.k2, k.p1, k.p2, k.k3) if k is not None else (0.0, 0.0, 0.0, 0.0, 0.0)
    return [
        *(where.latitude, where.longitude, hae),
        *(attitude.heading, attitude.pitch, attitude.roll),
        *(focal, focal, *centre, *bend),
        *(ground_hae, surface, ground.sigma_m, sigma.horizontal_m or 0.0, vertical),
        *(sigma.heading or 0.0, sigma.pitch or 0.0, sigma.roll or 0.0, sigma.focal or 0.0),
        sigma.pixel or 0.0,
    ]


def _looked_at(
    detection: Detection, catalogue: Catalogue
) -> tuple[float, float, float, float, float, float]:
    """Pixel u, v, their own sigmas, and lift with its sigma: what the fix is made from.

    The middle of a box looks at the middle of the object, half its height above the ground; a
    single pixel is where the object meets the ground.
    """
    if detection.pixel is not None:
        return detection.pixel.u, detection.pixel.v, 0.0, 0.0, 0.0, 0.0
    box = detection.box
    if box is None:
        raise AssertionError("a detection has a box or a pixel")
    kind = catalogue.find(detection.class_name)
    height, height_sigma = (kind.height_m, kind.height_sigma_m) if kind else (0.0, 0.0)
    return (
        (box.x1 + box.x2) / 2.0,
        (box.y1 + box.y2) / 2.0,
        BOX_SIGMA * (box.x2 - box.x1),
        BOX_SIGMA * (box.y2 - box.y1),
        height / 2.0,
        height_sigma / 2.0,
    )


def _locate(rows: Array, counts: NDArray[np.int64], pixels: Array, limits: Limits) -> Fixes:
    table = np.repeat(rows, counts, axis=0)
    pose = {name: table[:, i] for i, name in enumerate(_POSE)}
    bend = len(_POSE)
    (ground_hae, surface, ground_m, horizontal, vertical, heading, pitch, roll, focal, pixel) = (
        table[:, bend + 5 :].T
    )
    u, v, own_u, own_v, lift, lift_sigma = pixels.T
    return locate(
        Camera(**pose, distortion=table[:, bend : bend + 5]),
        u,
        v,
        ground_hae=ground_hae,
        lift_m=lift,
        sigmas=Sigmas(
            horizontal_m=horizontal,
            vertical_m=vertical,
            heading=heading,
            pitch=pitch,
            roll=roll,
            focal=focal,
            u=np.hypot(pixel, own_u),
            v=np.hypot(pixel, own_v),
            surface_m=np.hypot(surface, lift_sigma),
            ground_m=ground_m,
        ),
        limits=limits,
    )


def _told(fixes: Fixes) -> list[Fix]:
    columns = (
        fixes.status,
        np.round(fixes.latitude, 8),
        np.round(fixes.longitude, 8),
        *(np.round(each, 3) for each in (fixes.hae, fixes.ce90_m, fixes.le90_m)),
        *ellipse(fixes.covariance),
    )
    return list(map(Fix._make, zip(*(each.tolist() for each in columns), strict=True)))


def _part(fixes: Fixes, start: int, end: int) -> Fixes:
    return Fixes(**{name: getattr(fixes, name)[start:end] for name in Fixes.__slots__})
