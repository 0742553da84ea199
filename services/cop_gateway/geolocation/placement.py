"""From pixels to points on the ground, with their error: one vectorised call for a whole batch.

A ray is intersected with the surface of constant height above the WGS84 ellipsoid (the configured
ground, raised by half an object's height, since the middle of a box looks at the middle of the
object). The one-sigma inputs are carried to the ground by the exact Jacobian: an error δ of the
point in space moves the intersection by Π δ, where Π = I − d nᵀ / (d·n) projects along the ray d
onto the ground with normal n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cop_gateway.geolocation.accuracy import LE90_PER_SIGMA, ce90
from cop_gateway.geolocation.camera import Camera, normalised, optical_axes
from cop_gateway.geolocation.wgs84 import (
    SEMI_MAJOR_M,
    SEMI_MINOR_M,
    Array,
    ecef_from_geodetic,
    geodetic_from_ecef,
    ned_axes,
)

PLACED, NO_RAY, BELOW_GROUND, ABOVE_HORIZON, GRAZING, TOO_FAR, UNCERTAIN = range(7)
"""What became of a pixel."""

_NEWTON_STEPS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Sigmas:
    """One sigma of every input, (N,): metres, degrees, a fraction of the focal length, pixels."""

    horizontal_m: Array
    vertical_m: Array
    heading: Array
    pitch: Array
    roll: Array
    focal: Array
    u: Array
    v: Array
    surface_m: Array
    """The looked-at surface against the camera's own height reference."""
    ground_m: Array
    """The ground's height above the ellipsoid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Where a ray stops being a measurement."""

    grazing_degrees: float = 3.0
    """Smallest angle between the ray and the ground."""
    range_m: float = 20_000.0
    """Largest slant range."""
    ce90_m: float = 5_000.0
    """Largest error that still says something."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fixes:
    """Points on the ground, (N,); NaN where the status is not PLACED.

    `hae` is the ground's own height. `covariance` is (N, 2, 2) in m², east then north.
    """

    status: NDArray[np.int64]
    latitude: Array
    longitude: Array
    hae: Array
    slant_range_m: Array
    grazing_degrees: Array
    covariance: Array
    ce90_m: Array
    le90_m: Array


def locate(
    camera: Camera,
    u: Array,
    v: Array,
    *,
    ground_hae: Array,
    lift_m: Array,
    sigmas: Sigmas,
    limits: Limits,
) -> Fixes:
    """Place N pixels on the ground.

    `camera` is one pose or N of them; `u`, `v` pixels of the original image; `ground_hae` metres
    above the ellipsoid; `lift_m` how far above the ground the looked-at point of the object is.
    """
    x, y = normalised(camera, u, v)
    forward, right, under = optical_axes(camera)
    ray = forward + x[..., None] * right + y[..., None] * under
    length = np.linalg.norm(ray, axis=-1)
    direction = ray / length[..., None]
    origin = np.broadcast_to(
        ecef_from_geodetic(camera.latitude, camera.longitude, camera.hae), direction.shape
    )
    surface = ground_hae + lift_m
    reach, meets = _reach(origin, direction, surface)
    point = origin + reach[..., None] * direction
    latitude, longitude, _ = geodetic_from_ecef(point)
    north, east, down = ned_axes(latitude, longitude)
    sink = np.sum(direction * down, axis=-1)
    grazing = np.degrees(np.arcsin(np.clip(sink, -1.0, 1.0)))

    # Columns of the Jacobian, each (N, 3): the point's shift for one sigma of one input.
    cam_north, cam_east, cam_down = ned_axes(camera.latitude, camera.longitude)
    heading = np.radians(camera.heading)[..., None]
    abeam = np.cos(heading) * cam_east - np.sin(heading) * cam_north
    swing = (reach * np.radians(1.0))[..., None]
    per_x, per_y = (reach / length)[..., None] * right, (reach / length)[..., None] * under
    columns = np.stack(
        (
            sigmas.horizontal_m[..., None] * cam_north,
            sigmas.horizontal_m[..., None] * cam_east,
            sigmas.vertical_m[..., None] * cam_down,
            sigmas.heading[..., None] * swing * np.cross(cam_down, direction),
            sigmas.pitch[..., None] * swing * np.cross(abeam, direction),
            sigmas.roll[..., None] * swing * np.cross(forward, direction),
            sigmas.focal[..., None] * (x[..., None] * per_x + y[..., None] * per_y),
            (sigmas.u / camera.fx)[..., None] * per_x,
            (sigmas.v / camera.fy)[..., None] * per_y,
            sigmas.surface_m[..., None] * down,
        ),
        axis=-2,
    )
    with np.errstate(all="ignore"):
        slide = np.sum(columns * down[..., None, :], axis=-1) / sink[..., None]
        e_shift = np.sum(columns * east[..., None, :], axis=-1)
        n_shift = np.sum(columns * north[..., None, :], axis=-1)
        e_shift = e_shift - slide * np.sum(direction * east, axis=-1)[..., None]
        n_shift = n_shift - slide * np.sum(direction * north, axis=-1)[..., None]
        ee, nn = np.sum(e_shift * e_shift, axis=-1), np.sum(n_shift * n_shift, axis=-1)
        en = np.sum(e_shift * n_shift, axis=-1)
        covariance = np.stack((np.stack((ee, en), axis=-1), np.stack((en, nn), axis=-1)), axis=-2)
        radius = ce90(covariance)
        status = np.select(
            (
                ~np.isfinite(length),
                camera.hae <= surface,
                ~meets,
                grazing < limits.grazing_degrees,
                reach > limits.range_m,
                ~(radius <= limits.ce90_m),
            ),
            (NO_RAY, BELOW_GROUND, ABOVE_HORIZON, GRAZING, TOO_FAR, UNCERTAIN),
            PLACED,
        )
    lost = status != PLACED

    def known(values: Array) -> Array:
        return np.where(lost, np.nan, values)

    return Fixes(
        status=status,
        latitude=known(latitude),
        longitude=known(longitude),
        hae=known(ground_hae + np.zeros_like(reach)),
        slant_range_m=known(reach),
        grazing_degrees=known(grazing),
        covariance=np.where(lost[..., None, None], np.nan, covariance),
        ce90_m=known(radius),
        le90_m=known(LE90_PER_SIGMA * sigmas.ground_m + np.zeros_like(reach)),
    )


def _reach(origin: Array, direction: Array, hae: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Metres along each ray to the surface of that height, and whether it gets there.

    Begins at the ellipsoid whose axes are longer by the height, which is within a metre or so of
    the surface of constant height, and refines by Newton's method on the true geodetic height.
    """
    axes = np.stack((SEMI_MAJOR_M + hae, SEMI_MAJOR_M + hae, SEMI_MINOR_M + hae), axis=-1)
    o, d = origin / axes, direction / axes
    a, b = np.sum(d * d, axis=-1), np.sum(o * d, axis=-1)
    c = np.sum(o * o, axis=-1) - 1.0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        discriminant = b * b - a * c
        meets = (discriminant >= 0.0) & (b < 0.0)
        root = np.sqrt(np.where(meets, discriminant, 0.0))
        # The nearer root, in the form that does not cancel when the camera is close to the ground.
        reach = c / (root - b)
        for _ in range(_NEWTON_STEPS):
            latitude, longitude, height = geodetic_from_ecef(origin + reach[..., None] * direction)
            _, _, down = ned_axes(latitude, longitude)
            step = (height - hae) / np.sum(direction * down, axis=-1)
            reach = np.where(meets, reach + step, np.nan)
            if not np.any(np.abs(np.where(meets, step, 0.0)) > 1e-6):
                break
    return reach, meets & (reach > 0.0)
