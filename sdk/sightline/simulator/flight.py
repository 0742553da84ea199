"""How cameras move: a racetrack for drones, a mast that stands still. Pure functions of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from cop_gateway.geolocation import Camera
from cop_gateway.geolocation.wgs84 import metres_per_degree


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where a camera is in local metres (east, north, above ground) and how it looks, degrees."""

    east: float
    north: float
    above_ground_m: float
    heading: float
    pitch: float
    roll: float


class Flight(Protocol):
    """Where a camera is at a time."""

    def at(self, seconds: float) -> Pose:
        """The pose so many seconds after the start."""


@dataclass(frozen=True, kw_only=True)
class Racetrack:
    """Two straights and two half circles, flown at constant speed; the gimbal looks at a point.

    The point wanders slowly around `target`, as an operator's would, so that every frame differs.
    """

    centre: tuple[float, float]
    straight_m: float
    radius_m: float
    axis: float
    """Direction of the straights, degrees clockwise from north."""
    start: float
    """Where on the track the flight begins, 0..1."""
    speed_mps: float
    above_ground_m: float
    target: tuple[float, float]
    wander_m: float

    def at(self, seconds: float) -> Pose:
        """The pose so many seconds after the start."""
        lap = 2 * self.straight_m + 2 * math.pi * self.radius_m
        along = (self.start * lap + self.speed_mps * seconds) % lap
        x, y = self._track(along)
        turn = math.radians(self.axis)
        east = self.centre[0] + x * math.cos(turn) + y * math.sin(turn)
        north = self.centre[1] - x * math.sin(turn) + y * math.cos(turn)
        above = self.above_ground_m + 2.0 * math.sin(seconds / 7.0)
        to_east = self.target[0] + self.wander_m * math.sin(seconds / 5.0 + self.start * 6) - east
        to_north = self.target[1] + self.wander_m * math.cos(seconds / 6.3 + self.start * 9) - north
        return Pose(
            east=east,
            north=north,
            above_ground_m=above,
            heading=math.degrees(math.atan2(to_east, to_north)) % 360.0,
            pitch=-math.degrees(math.atan2(above, math.hypot(to_east, to_north))),
            roll=2.0 * math.sin(seconds / 3.1),
        )

    def _track(self, along: float) -> tuple[float, float]:
        """X across and y along the axis of the oval."""
        half, radius = self.straight_m / 2, self.radius_m
        arc = math.pi * radius
        if along < self.straight_m:
            return radius, -half + along
        along -= self.straight_m
        if along < arc:
            angle = along / radius
            return radius * math.cos(angle), half + radius * math.sin(angle)
        along -= arc
        if along < self.straight_m:
            return -radius, half - along
        angle = (along - self.straight_m) / radius
        return -radius * math.cos(angle), -half - radius * math.sin(angle)


@dataclass(frozen=True, kw_only=True)
class Mast:
    """A camera that does not move."""

    pose: Pose

    def at(self, seconds: float) -> Pose:  # noqa: ARG002 - it is the same at all times
        """The pose, always."""
        return self.pose


def camera(
    pose: Pose,
    *,
    origin: tuple[float, float],
    ground_hae: float,
    focal_px: float,
    centre: tuple[float, float],
    distortion: tuple[float, float, float, float, float],
) -> Camera:
    """The product's own camera model at a pose; origin in degrees, ground in metres HAE."""
    latitude, longitude = degrees(pose.east, pose.north, origin=origin, ground_hae=ground_hae)
    return Camera.of(
        latitude=latitude,
        longitude=longitude,
        hae=ground_hae + pose.above_ground_m,
        heading=pose.heading,
        pitch=pose.pitch,
        roll=pose.roll,
        focal_px=focal_px,
        centre=centre,
        distortion=distortion,
    )


def degrees(
    east: float, north: float, *, origin: tuple[float, float], ground_hae: float
) -> tuple[float, float]:
    """Latitude and longitude of local metres: the chart on which the whole scene is drawn."""
    per_lat, per_lon = metres_per_degree(origin[0], ground_hae)
    return float(origin[0] + north / per_lat), float(origin[1] + east / per_lon)
