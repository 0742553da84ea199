"""Painting what a camera sees: terrain along its rays, then objects, the nearest last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cop_gateway.geolocation import (
    Camera,
    ecef_from_geodetic,
    geodetic_from_ecef,
    pixel_rays,
    project,
)
from cop_gateway.geolocation.wgs84 import SEMI_MAJOR_M, SEMI_MINOR_M, metres_per_degree, ned_axes
from sightline.simulator.objects import SceneObject
from sightline.simulator.scenario import Light
from sightline.simulator.terrain import SIDE_M, Picture, texel

Array = NDArray[np.float64]

_CELL = 16
_SHIFT = 4
_SHADOW = 0.55
_NEWTON_STEPS = 4


@dataclass(frozen=True, kw_only=True)
class Placed:
    """An object at one moment: local metres, course in radians clockwise from north."""

    thing: SceneObject
    east: float
    north: float
    course: float


@dataclass(frozen=True, kw_only=True)
class Silhouette:
    """Where an object is in the image: its clipped box in pixels, and its visible share."""

    box: tuple[float, float, float, float]
    visible: float
    depth_m: float


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera over the ground."""

    camera: Camera
    width: int
    height: int
    origin: tuple[float, float]
    ground_hae: float

    def ground(self, u: Array, v: Array) -> tuple[Array, Array]:
        """Local east and north of the ground under pixels; NaN above the horizon.

        The simulator's own intersection, on purpose another one than the product's.
        """
        origin, ray = pixel_rays(self.camera, u, v)
        axes = np.array([SEMI_MAJOR_M, SEMI_MAJOR_M, SEMI_MINOR_M]) + self.ground_hae
        o, d = origin / axes, ray / axes
        a, b = np.sum(d * d, axis=-1), np.sum(o * d, axis=-1)
        c = np.sum(o * o, axis=-1) - 1.0
        with np.errstate(invalid="ignore"):
            reach = c / (np.sqrt(b * b - a * c) - b)
            for _ in range(_NEWTON_STEPS):
                lat, lon, hae = geodetic_from_ecef(origin + reach[..., None] * ray)
                _, _, down = ned_axes(lat, lon)
                reach = reach + (hae - self.ground_hae) / np.sum(ray * down, axis=-1)
            lat, lon, _ = geodetic_from_ecef(origin + reach[..., None] * ray)
        per_lat, per_lon = metres_per_degree(self.origin[0], self.ground_hae)
        ahead = (reach > 0) & (b < 0)
        return (
            np.where(ahead, (lon - self.origin[1]) * per_lon, np.nan),
            np.where(ahead, (lat - self.origin[0]) * per_lat, np.nan),
        )

    def pixels(self, local: Array) -> tuple[Array, Array, Array]:
        """u, v and depth of local points (..., 3): east, north, up from the ground, in metres."""
        per_lat, per_lon = metres_per_degree(self.origin[0], self.ground_hae)
        return project(
            self.camera,
            ecef_from_geodetic(
                self.origin[0] + local[..., 1] / per_lat,
                self.origin[1] + local[..., 0] / per_lon,
                self.ground_hae + local[..., 2],
            ),
        )


def terrain_seen(view: View, picture: Picture) -> Picture:
    """The ground as the camera sees it, (height, width, 3) BGR.

    Rays are cast on a coarse grid whose nodes are the middles of square cells, one more on every
    side, and interpolated between: the camera model bends far too little to matter within a cell.
    """
    columns, rows = -(-view.width // _CELL) + 2, -(-view.height // _CELL) + 2
    u = (np.arange(columns) - 0.5) * _CELL
    v = (np.arange(rows) - 0.5) * _CELL
    east, north = view.ground(*np.meshgrid(u, v))
    far = 4.0 * SIDE_M
    nodes = texel(
        np.clip(np.nan_to_num(east, nan=far), -far, far),
        np.clip(np.nan_to_num(north, nan=far), -far, far),
    )
    # Two maps, never one of pairs with an empty second: with that, OpenCV 5.0 takes seconds.
    column, row = (
        np.ascontiguousarray(
            cv2.resize(node.astype(np.float32), (columns * _CELL, rows * _CELL))[
                _CELL : _CELL + view.height, _CELL : _CELL + view.width
            ]
        )
        for node in nodes
    )
    seen = cv2.remap(
        picture, column, row, interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(seen, dtype=np.uint8)


def paint_objects(
    image: Picture, view: View, placed: Sequence[Placed], light: Light
) -> list[Silhouette | None]:
    """Paint the objects into the image; where each one is, or None where it is not in view."""
    meshes = [_mesh(view, each) for each in placed]
    order = sorted(range(len(placed)), key=lambda i: -meshes[i].depth)
    for i in order:
        if meshes[i].in_view:
            _paint_shadow(image, view, placed[i], light)
    for i in order:
        if meshes[i].in_view:
            _paint_faces(image, meshes[i], placed[i], light)
    boxes = [mesh.box if mesh.in_view else None for mesh in meshes]
    seen: list[Silhouette | None] = []
    for i, mesh in enumerate(meshes):
        if not mesh.in_view:
            seen.append(None)
            continue
        nearer = [
            other for j, other in enumerate(boxes)
            if other is not None and j != i and meshes[j].depth < mesh.depth
        ]  # fmt: skip
        seen.append(_silhouette(mesh, nearer, view))
    return seen


@dataclass(frozen=True, kw_only=True)
class _Mesh:
    """An object's corners in the image, face by face."""

    polygons: tuple[Array, ...]
    box: tuple[float, float, float, float]
    depth: float
    in_view: bool


def _body_to_local(each: Placed, corners: Array) -> Array:
    """Body frame (x forward, y left, z up) → local east, north, up."""
    sin, cos = math.sin(each.course), math.cos(each.course)
    x, y = corners[..., 0], corners[..., 1]
    return np.stack(
        (each.east + x * sin - y * cos, each.north + x * cos + y * sin, corners[..., 2]), axis=-1
    )


def _mesh(view: View, each: Placed) -> _Mesh:
    corners = [face.corners for face in each.thing.faces]
    u, v, depth = view.pixels(_body_to_local(each, np.concatenate(corners)))
    flat = np.stack((u, v), axis=-1)
    whole = bool(np.all(np.isfinite(flat)))
    if not whole:
        return _Mesh(polygons=(), box=(0, 0, 0, 0), depth=float("inf"), in_view=False)
    ends = np.cumsum([len(part) for part in corners])
    low, high = flat.min(axis=0), flat.max(axis=0)
    inside = high[0] > 0 and high[1] > 0 and low[0] < view.width and low[1] < view.height
    return _Mesh(
        polygons=tuple(np.split(flat, ends[:-1])),
        box=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
        depth=float(np.mean(depth)),
        in_view=bool(inside),
    )


def _silhouette(
    mesh: _Mesh, nearer: list[tuple[float, float, float, float]], view: View
) -> Silhouette | None:
    x1, y1, x2, y2 = mesh.box
    cut = (max(x1, 0.0), max(y1, 0.0), min(x2, float(view.width)), min(y2, float(view.height)))
    area = (x2 - x1) * (y2 - y1)
    if cut[2] - cut[0] < 1e-6 or cut[3] - cut[1] < 1e-6 or area <= 0:
        return None
    visible = (cut[2] - cut[0]) * (cut[3] - cut[1]) / area
    for other in nearer:
        width = min(cut[2], other[2]) - max(cut[0], other[0])
        height = min(cut[3], other[3]) - max(cut[1], other[1])
        if width > 0 and height > 0:
            visible -= width * height / area
    return Silhouette(box=cut, visible=max(0.0, visible), depth_m=mesh.depth)


def _paint_shadow(image: Picture, view: View, each: Placed, light: Light) -> None:
    """The object's outline, laid on the ground along the sun's rays."""
    if each.thing.class_name == "boat":
        return
    reach = 1.0 / math.tan(math.radians(light.sun_elevation))
    azimuth = math.radians(light.sun_azimuth)
    corners = np.concatenate([face.corners for face in each.thing.faces])
    local = _body_to_local(each, corners)
    local[:, 0] -= local[:, 2] * reach * math.sin(azimuth)
    local[:, 1] -= local[:, 2] * reach * math.cos(azimuth)
    local[:, 2] = 0.0
    u, v, _ = view.pixels(local)
    if not (np.isfinite(u).all() and np.isfinite(v).all()):
        return
    hull = cv2.convexHull(np.stack((u, v), axis=-1).astype(np.float32))[:, 0, :]
    x1, y1 = (max(0, math.floor(float(low)) - 1) for low in hull.min(axis=0))
    x2 = min(view.width, math.ceil(float(hull[:, 0].max())) + 2)
    y2 = min(view.height, math.ceil(float(hull[:, 1].max())) + 2)
    if x1 >= x2 or y1 >= y2:
        return
    mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
    cv2.fillConvexPoly(mask, _fixed(hull - (x1, y1)), 255, cv2.LINE_AA, _SHIFT)
    patch = image[y1:y2, x1:x2]
    dark = 1.0 - (1.0 - _SHADOW) * (mask.astype(np.float32)[..., None] / 255.0)
    patch[:] = (patch * dark).astype(np.uint8)


def _paint_faces(image: Picture, mesh: _Mesh, each: Placed, light: Light) -> None:
    """Faces that look towards the camera, in the order of the body's own parts."""
    sun = math.radians(light.sun_azimuth), math.radians(light.sun_elevation)
    towards = np.array(
        (math.cos(sun[1]) * math.sin(sun[0]), math.cos(sun[1]) * math.cos(sun[0]), math.sin(sun[1]))
    )
    for face, polygon in zip(each.thing.faces, mesh.polygons, strict=True):
        ab, ac = polygon[1] - polygon[0], polygon[2] - polygon[0]
        # Counter-clockwise from outside is clockwise in an image whose v grows downwards.
        if ab[0] * ac[1] - ab[1] * ac[0] >= 0:
            continue
        local = _body_to_local(each, face.corners)
        normal = np.cross(local[1] - local[0], local[2] - local[0])
        normal = normal / np.linalg.norm(normal)
        shade = 0.55 + 0.55 * max(0.0, float(normal @ towards))
        colour = tuple(min(255.0, part * shade) for part in face.colour)
        cv2.fillConvexPoly(image, _fixed(polygon), colour, cv2.LINE_AA, _SHIFT)


def _fixed(points: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
    """Sub-pixel coordinates for OpenCV, whose whole numbers are the middles of pixels."""
    return np.asarray(np.round((points - 0.5) * (1 << _SHIFT)), dtype=np.int32)


def expose(image: Picture, light: Light, rng: np.random.Generator) -> Picture:
    """Light, lens and sensor: what lies between the scene and the file."""
    levels = np.arange(256, dtype=np.float64) / 255.0
    table = np.stack(
        [
            255.0
            * (
                (1 - light.haze) * np.clip(levels * light.gain * cast, 0, 1) ** light.gamma
                + light.haze * 0.7
            )
            for cast in light.cast
        ],
        axis=-1,
    )
    out = cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8)[None])
    if light.blur_px > 0.2:
        out = cv2.GaussianBlur(out, (0, 0), light.blur_px)
    if light.grain > 0:
        seed = int(rng.integers(2**31))
        # OpenCV's generator: several times as fast as NumPy's, and as repeatable.
        cv2.setRNGSeed(seed)
        noise = np.empty(out.shape, np.int16)
        cv2.randn(noise, np.zeros(3), np.full(3, light.grain))
        out = cv2.add(out, noise, dtype=cv2.CV_8U)
    return np.asarray(out, dtype=np.uint8)
