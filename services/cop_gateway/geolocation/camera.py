"""The camera: where a point on Earth falls in the image, and which ray a pixel looks along.

Frames of reference. The image has its origin at the upper left corner of the upper left pixel; u
grows to the right, v down, in pixels of the original image (the centre of the first pixel is 0.5,
0.5). The camera looks along its optical axis; x is to the right of the image and y down. Attitude
is that of the optical axis: heading in degrees clockwise from true north, pitch 0 level and −90
straight down, roll with the right side down positive; rotations are applied in that order
(intrinsic ZYX, the aerospace convention), in the north-east-down frame of the camera's position.

Lens: pinhole with Brown-Conrady distortion (k1, k2, p1, p2, k3), as in OpenCV and in DJI's
DewarpData. Source: D. C. Brown, "Close-range camera calibration", 1971; OpenCV calib3d.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cop_gateway.geolocation.wgs84 import Array, ecef_from_geodetic, ned_axes

_UNDISTORT_STEPS = 12
_BEHIND_M = 1e-6
_CONVERGED = 1e-13
_FRACTIONS = np.linspace(0.05, 1.0, 20) ** 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera:
    """One camera pose, or a batch of them: every field is a scalar or an array that broadcasts.

    Degrees, metres above the ellipsoid, pixels. `distortion` is (..., 5): k1, k2, p1, p2, k3.
    """

    latitude: Array
    longitude: Array
    hae: Array
    heading: Array
    pitch: Array
    roll: Array
    fx: Array
    fy: Array
    cx: Array
    cy: Array
    distortion: Array

    @classmethod
    def of(
        cls,
        *,
        latitude: float,
        longitude: float,
        hae: float,
        heading: float,
        pitch: float,
        roll: float,
        focal_px: float,
        centre: tuple[float, float],
        distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0),
    ) -> Camera:
        """One camera with square pixels, from plain numbers."""
        return cls(
            latitude=np.float64(latitude),  # type: ignore[arg-type]
            longitude=np.float64(longitude),  # type: ignore[arg-type]
            hae=np.float64(hae),  # type: ignore[arg-type]
            heading=np.float64(heading),  # type: ignore[arg-type]
            pitch=np.float64(pitch),  # type: ignore[arg-type]
            roll=np.float64(roll),  # type: ignore[arg-type]
            fx=np.float64(focal_px),  # type: ignore[arg-type]
            fy=np.float64(focal_px),  # type: ignore[arg-type]
            cx=np.float64(centre[0]),  # type: ignore[arg-type]
            cy=np.float64(centre[1]),  # type: ignore[arg-type]
            distortion=np.asarray(distortion, dtype=np.float64),
        )


def optical_axes(camera: Camera) -> tuple[Array, Array, Array]:
    """Forward (optical axis), right and down-in-the-image unit vectors in ECEF, each (..., 3)."""
    north, east, down = ned_axes(camera.latitude, camera.longitude)
    heading, pitch, roll = (
        np.radians(camera.heading)[..., None],
        np.radians(camera.pitch)[..., None],
        np.radians(camera.roll)[..., None],
    )
    ahead = np.cos(heading) * north + np.sin(heading) * east
    abeam = np.cos(heading) * east - np.sin(heading) * north
    forward = np.cos(pitch) * ahead - np.sin(pitch) * down
    below = np.sin(pitch) * ahead + np.cos(pitch) * down
    right = np.cos(roll) * abeam + np.sin(roll) * below
    under = np.cos(roll) * below - np.sin(roll) * abeam
    return forward, right, under


def distort(x: Array, y: Array, distortion: Array) -> tuple[Array, Array]:
    """Ideal normalised image coordinates → those that the lens really gives."""
    k1, k2, p1, p2, k3 = (distortion[..., i] for i in range(5))
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return (
        x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
        y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
    )


def _distortion_slopes(x: Array, y: Array, distortion: Array) -> tuple[Array, Array, Array]:
    """The Jacobian of `distort`, which is symmetric: dx/dx, dx/dy = dy/dx, dy/dy."""
    k1, k2, p1, p2, k3 = (distortion[..., i] for i in range(5))
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 2.0 * (k1 + r2 * (2.0 * k2 + 3.0 * r2 * k3))
    return (
        radial + x * x * slope + 2.0 * p1 * y + 6.0 * p2 * x,
        x * y * slope + 2.0 * p1 * x + 2.0 * p2 * y,
        radial + y * y * slope + 6.0 * p1 * y + 2.0 * p2 * x,
    )


def _unfolded(x: Array, y: Array, distortion: Array) -> NDArray[np.bool_]:
    """Whether the lens polynomial still grows all the way from the centre out to x, y.

    Beyond the radius where it folds back, two directions fall on one pixel and the model means
    nothing.
    """
    k1, k2, k3 = distortion[..., 0], distortion[..., 1], distortion[..., 4]
    r2 = (x * x + y * y)[..., None] * _FRACTIONS
    growth = 1.0 + r2 * (
        3.0 * k1[..., None] + r2 * (5.0 * k2[..., None] + 7.0 * r2 * k3[..., None])
    )
    return np.asarray(np.all(growth > 0.0, axis=-1))


def undistort(x: Array, y: Array, distortion: Array) -> tuple[Array, Array]:
    """Invert `distort` by Newton's method; NaN where the lens model has no inverse there."""
    if not np.any(distortion):
        return x, y
    ideal_x, ideal_y = x, y
    with np.errstate(all="ignore"):
        for _ in range(_UNDISTORT_STEPS):
            got_x, got_y = distort(ideal_x, ideal_y, distortion)
            off_x, off_y = x - got_x, y - got_y
            if np.all(np.hypot(off_x, off_y) < _CONVERGED):
                break
            xx, xy, yy = _distortion_slopes(ideal_x, ideal_y, distortion)
            det = xx * yy - xy * xy
            ideal_x = ideal_x + (yy * off_x - xy * off_y) / det
            ideal_y = ideal_y + (xx * off_y - xy * off_x) / det
        got_x, got_y = distort(ideal_x, ideal_y, distortion)
        good = (np.hypot(got_x - x, got_y - y) < 1e-9) & _unfolded(ideal_x, ideal_y, distortion)
    return np.where(good, ideal_x, np.nan), np.where(good, ideal_y, np.nan)


def normalised(camera: Camera, u: Array, v: Array) -> tuple[Array, Array]:
    """Pixels → ideal normalised image coordinates (the lens taken out)."""
    return undistort((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, camera.distortion)


def pixel_rays(camera: Camera, u: Array, v: Array) -> tuple[Array, Array]:
    """Camera position and unit viewing direction in ECEF metres, each (..., 3), of pixels u, v."""
    x, y = normalised(camera, np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64))
    forward, right, under = optical_axes(camera)
    direction = forward + x[..., None] * right + y[..., None] * under
    direction = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    origin = ecef_from_geodetic(camera.latitude, camera.longitude, camera.hae)
    return np.broadcast_to(origin, direction.shape), direction


def project(camera: Camera, ecef: Array) -> tuple[Array, Array, Array]:
    """Pixels u, v and depth along the optical axis in metres of ECEF points (..., 3).

    Points behind the camera have a depth of zero or less and NaN pixels; so have points so far
    off the axis that the lens polynomial folds back.
    """
    offset = np.asarray(ecef, dtype=np.float64) - ecef_from_geodetic(
        camera.latitude, camera.longitude, camera.hae
    )
    forward, right, under = optical_axes(camera)
    depth = np.sum(offset * forward, axis=-1)
    safe = np.where(depth > _BEHIND_M, depth, np.nan)
    x, y = np.sum(offset * right, axis=-1) / safe, np.sum(offset * under, axis=-1) / safe
    if np.any(camera.distortion):
        unfolded = _unfolded(x, y, camera.distortion)
        x, y = distort(x, y, camera.distortion)
        x, y = np.where(unfolded, x, np.nan), np.where(unfolded, y, np.nan)
    return x * camera.fx + camera.cx, y * camera.fy + camera.cy, depth
