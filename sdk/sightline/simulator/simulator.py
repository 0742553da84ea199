"""A scenario, frame by frame: image, reported sensor and the truth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from cop_gateway.geolocation import undulation
from sightline.messages import Attitude, Distortion, Frame, Intrinsics, Position, Sensor
from sightline.simulator import flight, terrain
from sightline.simulator.rendering import (
    Placed,
    Silhouette,
    View,
    expose,
    paint_objects,
    terrain_seen,
)
from sightline.simulator.scenario import Light, Scenario, SimulatedCamera, populate
from sightline.simulator.terrain import Picture

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SCORED_VISIBILITY = 0.5
"""Objects of which less is visible count neither for nor against a detector."""


@dataclass(frozen=True, kw_only=True)
class TrueObject:
    """What is really there: an object in the image and on the ground.

    `box` is in pixels (x1, y1, x2, y2), clipped to the image; the position is the point on the
    ground under the object's middle, in WGS84 degrees and metres above the ellipsoid.
    """

    object_id: str
    class_name: str
    box: tuple[float, float, float, float]
    visible: float
    """Share of the whole box that is inside the image and not behind another object."""
    latitude: float
    longitude: float
    hae: float
    course: float
    """Degrees clockwise from true north."""
    speed_mps: float

    @property
    def scored(self) -> bool:
        """Whether enough of it is visible to expect that it is found."""
        return self.visible >= SCORED_VISIBILITY


@dataclass(frozen=True, kw_only=True)
class SimulatedFrame:
    """What a camera sends, and the truth that it does not know."""

    frame: Frame
    jpeg: bytes
    truth: tuple[TrueObject, ...]


class Simulator:
    """Renders a scenario. Frames depend on the camera and the time alone, in whatever order."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._terrain = terrain.paint(scenario.seed)
        self._objects = populate(scenario, self._terrain)
        self._cameras = {camera.camera_id: camera for camera in scenario.cameras}

    def frame(
        self, camera_id: str, seconds: float, *, index: int = 0, start: datetime = START
    ) -> SimulatedFrame:
        """What that camera sees so many seconds after the start."""
        camera = self._cameras[camera_id]
        number = list(self._cameras).index(camera_id)
        rng = np.random.default_rng([self.scenario.seed, 4, number, round(seconds * 1000)])
        pose = camera.flight.at(seconds)
        light = self.scenario.light
        image, truth = self.render(camera, pose, seconds, light=light, rng=rng)
        _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, light.jpeg_quality])
        return SimulatedFrame(
            frame=Frame(
                frame_id=f"{index:06d}",
                camera_id=camera_id,
                captured_at=start + timedelta(seconds=seconds),
                sensor=self._reported(camera, pose, rng),
            ),
            jpeg=jpeg.tobytes(),
            truth=truth,
        )

    def render(
        self,
        camera: SimulatedCamera,
        pose: flight.Pose,
        seconds: float,
        *,
        light: Light,
        rng: np.random.Generator,
    ) -> tuple[Picture, tuple[TrueObject, ...]]:
        """The scene at a time through any camera at any pose, in any light: BGR and the truth."""
        view = self.view(camera, pose)
        image = terrain_seen(view, self._terrain.picture)
        placed = [
            Placed(thing=each, east=where[0], north=where[1], course=where[2])
            for each in self._objects
            for where in (each.way.at(seconds),)
        ]
        silhouettes = paint_objects(image, view, placed, light)
        truth = tuple(
            self._true(each, seen)
            for each, seen in zip(placed, silhouettes, strict=True)
            if seen is not None
        )
        return expose(image, light, rng), truth

    def _true(self, each: Placed, seen: Silhouette) -> TrueObject:
        latitude, longitude = flight.degrees(
            each.east,
            each.north,
            origin=self.scenario.origin,
            ground_hae=self.scenario.ground_hae,
        )
        return TrueObject(
            object_id=each.thing.object_id,
            class_name=each.thing.class_name,
            box=seen.box,
            visible=seen.visible,
            latitude=latitude,
            longitude=longitude,
            hae=self.scenario.ground_hae,
            course=math.degrees(each.course) % 360.0,
            speed_mps=abs(each.thing.way.speed_mps),
        )

    def frames(
        self, *, rate_hz: float, count: int, start: datetime = START
    ) -> Iterator[SimulatedFrame]:
        """Frames of all cameras in turn, so many a second altogether."""
        names = list(self._cameras)
        for index in range(count):
            yield self.frame(names[index % len(names)], index / rate_hz, index=index, start=start)

    def view(self, camera: SimulatedCamera, pose: flight.Pose) -> View:
        """The true camera at a pose."""
        return View(
            camera=flight.camera(
                pose,
                origin=self.scenario.origin,
                ground_hae=self.scenario.ground_hae,
                focal_px=camera.focal_px,
                centre=(camera.image_width / 2, camera.image_height / 2),
                distortion=camera.distortion,
            ),
            width=camera.image_width,
            height=camera.image_height,
            origin=self.scenario.origin,
            ground_hae=self.scenario.ground_hae,
        )

    def _reported(
        self, camera: SimulatedCamera, pose: flight.Pose, rng: np.random.Generator
    ) -> Sensor:
        """The sensor as the camera believes it: the truth and noise of the declared sigmas."""
        sigma = camera.accuracy
        noise = rng.standard_normal(7).tolist()
        east = pose.east + noise[0] * (sigma.horizontal_m or 0.0)
        north = pose.north + noise[1] * (sigma.horizontal_m or 0.0)
        above = pose.above_ground_m + noise[2] * (sigma.vertical_m or 0.0)
        latitude, longitude = flight.degrees(
            east, north, origin=self.scenario.origin, ground_hae=self.scenario.ground_hae
        )
        altitude = self.scenario.ground_hae + above
        if camera.altitude_reference == "msl":
            altitude -= float(undulation(latitude, longitude))
        elif camera.altitude_reference == "agl":
            altitude = above
        pitch = pose.pitch + noise[4] * (sigma.pitch or 0.0)
        return Sensor(
            position=Position(
                latitude=latitude,
                longitude=longitude,
                altitude=altitude,
                altitude_reference=camera.altitude_reference,
            ),
            attitude=Attitude(
                heading=(pose.heading + noise[3] * (sigma.heading or 0.0)) % 360.0,
                pitch=min(90.0, max(-90.0, pitch)),
                roll=pose.roll + noise[5] * (sigma.roll or 0.0),
            ),
            intrinsics=Intrinsics(
                image_width=camera.image_width,
                image_height=camera.image_height,
                focal_px=camera.focal_px * (1.0 + noise[6] * (sigma.focal or 0.0)),
                distortion=Distortion(
                    **dict(zip(("k1", "k2", "p1", "p2", "k3"), camera.distortion, strict=True))
                )
                if any(camera.distortion)
                else None,
            ),
            accuracy=sigma,
            platform=camera.platform,
        )
