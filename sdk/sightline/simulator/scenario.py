"""What is simulated: the place, the light, the objects, the cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sightline.messages import Accuracy, Platform
from sightline.messages.sensor import AltitudeReference
from sightline.simulator.flight import Flight, Mast, Pose, Racetrack
from sightline.simulator.objects import ClassName, Loop, SceneObject, shape
from sightline.simulator.terrain import Ellipse, Terrain

_DRONE = Accuracy(
    horizontal_m=1.5, vertical_m=2.0, heading=1.0, pitch=0.3, roll=0.3, focal=0.002, pixel=0.5
)
_MAST = Accuracy(
    horizontal_m=0.5, vertical_m=0.5, heading=0.4, pitch=0.2, roll=0.2, focal=0.002, pixel=0.5
)


@dataclass(frozen=True, kw_only=True)
class SimulatedCamera:
    """A camera, its lens and its way; `accuracy` is what its noise is drawn from, and declared."""

    camera_id: str
    platform: Platform
    flight: Flight
    altitude_reference: AltitudeReference
    accuracy: Accuracy
    image_width: int = 960
    image_height: int = 540
    focal_px: float = 900.0
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Light:
    """How the scene looks to the camera, whatever is in it."""

    sun_azimuth: float = 140.0
    """Degrees clockwise from north."""
    sun_elevation: float = 50.0
    gain: float = 1.0
    gamma: float = 1.0
    haze: float = 0.05
    """Share of grey that is mixed in."""
    cast: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Factor of blue, green and red."""
    blur_px: float = 0.5
    """Sigma of the lens' blur."""
    grain: float = 2.0
    """Sigma of the sensor's noise, of 255."""
    jpeg_quality: int = 88


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that a simulation is made from: equal scenarios give equal bytes.

    `latitude`, `longitude` (degrees) are the middle of the scene, `ground_hae` its height in metres
    above the ellipsoid.
    """

    seed: int
    cameras: tuple[SimulatedCamera, ...]
    latitude: float = 47.3769
    longitude: float = 8.5417
    ground_hae: float = 455.0
    vehicles: int = 16
    people: int = 22
    boats: int = 5
    light: Light = Light()

    @property
    def origin(self) -> tuple[float, float]:
        """Latitude and longitude of the middle."""
        return self.latitude, self.longitude

    @classmethod
    def default(cls, *, seed: int = 1, cameras: int = 3) -> Scenario:
        """The demo: drones on racetracks around a lake; every third camera is on a mast."""
        rng = np.random.default_rng([seed, 2])
        return cls(
            seed=seed,
            cameras=tuple(_camera(index, rng) for index in range(cameras)),
            light=Light(
                sun_azimuth=float(rng.uniform(0, 360)),
                sun_elevation=float(rng.uniform(35, 65)),
                gain=float(rng.uniform(0.9, 1.1)),
                gamma=float(rng.uniform(0.9, 1.1)),
                haze=float(rng.uniform(0.0, 0.1)),
                blur_px=float(rng.uniform(0.4, 0.7)),
                grain=float(rng.uniform(1.0, 4.0)),
            ),
        )


def _camera(index: int, rng: np.random.Generator) -> SimulatedCamera:
    bearing = float(rng.uniform(0, 360))
    target = (
        55.0 * math.sin(math.radians(bearing + 20)), 50.0 * math.cos(math.radians(bearing + 20))
    )  # fmt: skip
    if index % 3 == 2:
        away = float(rng.uniform(80, 95))
        east, north = away * math.sin(math.radians(bearing)), away * math.cos(math.radians(bearing))
        to_east, to_north = target[0] * 0.4 - east, target[1] * 0.4 - north
        return SimulatedCamera(
            camera_id=f"mast-{index + 1}",
            platform="fixed",
            altitude_reference="agl",
            accuracy=_MAST,
            focal_px=1000.0,
            flight=Mast(
                pose=Pose(
                    east=east,
                    north=north,
                    above_ground_m=38.0,
                    heading=math.degrees(math.atan2(to_east, to_north)) % 360.0,
                    pitch=-33.0,
                    roll=0.0,
                )
            ),
        )
    return SimulatedCamera(
        camera_id=f"drone-{index + 1}",
        platform="drone",
        altitude_reference="msl" if index % 3 == 0 else "hae",
        accuracy=_DRONE,
        focal_px=950.0 if index % 3 == 0 else 880.0,
        distortion=(0.0, 0.0, 0.0, 0.0, 0.0)
        if index % 3 == 0
        else (-0.12, 0.02, 0.0008, -0.0006, 0.0),
        flight=Racetrack(
            centre=(float(rng.uniform(-20, 20)), float(rng.uniform(-20, 20))),
            straight_m=float(rng.uniform(50, 90)),
            radius_m=float(rng.uniform(35, 50)),
            axis=float(rng.uniform(0, 180)),
            start=float(rng.random()),
            speed_mps=float(rng.uniform(7, 12)),
            above_ground_m=float(rng.uniform(55, 75)),
            target=(target[0], target[1]),
            wander_m=18.0,
        ),
    )


def populate(scenario: Scenario, terrain: Terrain) -> tuple[SceneObject, ...]:
    """The objects of a scenario: vehicles on the roads, people on land, boats on the lake."""
    rng = np.random.default_rng([scenario.seed, 3])
    objects: list[SceneObject] = []

    def add(class_name: ClassName, way: Loop) -> None:
        faces, height = shape(class_name, rng)
        objects.append(
            SceneObject(
                object_id=f"{class_name}-{len(objects) + 1}",
                class_name=class_name,
                faces=faces,
                way=way,
                height_m=height,
            )
        )

    starts = rng.permutation(scenario.vehicles) / max(scenario.vehicles, 1)
    for index in range(scenario.vehicles):
        road = terrain.roads[0 if rng.random() < 0.65 else 1]
        outward = bool(index % 2)
        # Each lane has one speed, so that nobody drives through anybody.
        lane = 2.1 if outward else -2.1
        speed = (9.0 if outward else -7.0) * (1.0 if road is terrain.roads[0] else 1.3)
        add(
            "truck" if rng.random() < 0.35 else "car",
            _along(road, lane, float(starts[index]), speed),
        )
    for _ in range(scenario.people):
        add("person", _stroll(terrain, rng))
    for index in range(scenario.boats):
        share = 0.35 + 0.5 * (index + 1) / (scenario.boats + 1)
        ring = Ellipse(
            centre=terrain.lake.centre,
            radii=(terrain.lake.radii[0] * share, terrain.lake.radii[1] * share),
            turn=terrain.lake.turn,
        )
        add("boat", _along(ring, 0.0, float(rng.random()), float(rng.uniform(1.5, 4.5))))
    return tuple(objects)


def _along(road: Ellipse, lane: float, start: float, speed_mps: float) -> Loop:
    return Loop.of(
        centre=road.centre,
        radii=(road.radii[0] + lane, road.radii[1] + lane),
        turn=road.turn,
        start=start,
        speed_mps=speed_mps,
    )


def _stroll(terrain: Terrain, rng: np.random.Generator) -> Loop:
    """A small round on land, mostly on the shore where cameras look."""
    lake = terrain.lake
    angle, beyond = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(7, 55))
    x, y = (lake.radii[0] + beyond) * math.cos(angle), (lake.radii[1] + beyond) * math.sin(angle)
    cos, sin = math.cos(lake.turn), math.sin(lake.turn)
    radius = float(rng.uniform(1.5, 5.0))
    return Loop.of(
        centre=(lake.centre[0] + x * cos - y * sin, lake.centre[1] + x * sin + y * cos),
        radii=(radius, radius * 0.8),
        turn=float(rng.uniform(0, math.pi)),
        start=float(rng.random()),
        speed_mps=float(rng.uniform(0.8, 1.7)),
    )
