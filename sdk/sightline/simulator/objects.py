"""What moves over the ground: its shape, its paint and its way, each a pure function of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ClassName = Literal["car", "truck", "person", "boat"]
CLASSES: tuple[ClassName, ...] = ("car", "truck", "person", "boat")


@dataclass(frozen=True, kw_only=True)
class Face:
    """A convex polygon (n, 3) in metres, wound counter-clockwise seen from outside, and its paint.

    Body frame: x forward, y left, z up from the ground under the object's middle.
    """

    corners: Array
    colour: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A closed way: an ellipse in local metres, run through at constant speed, offset sideways."""

    centre: tuple[float, float]
    radii: tuple[float, float]
    turn: float
    start: float
    speed_mps: float
    table: Array
    """Arc length in metres at evenly spaced angles."""

    def at(self, seconds: float) -> tuple[float, float, float]:
        """East and north in metres and the course in radians clockwise from north."""
        length = self.table[-1]
        along = (self.start * length + self.speed_mps * seconds) % length
        angle = float(np.interp(along, self.table, np.linspace(0, 2 * math.pi, len(self.table))))
        x, y = self.radii[0] * math.cos(angle), self.radii[1] * math.sin(angle)
        dx, dy = -self.radii[0] * math.sin(angle), self.radii[1] * math.cos(angle)
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        east = self.centre[0] + x * cos - y * sin
        north = self.centre[1] + x * sin + y * cos
        d_east, d_north = dx * cos - dy * sin, dx * sin + dy * cos
        if self.speed_mps < 0:
            d_east, d_north = -d_east, -d_north
        return east, north, math.atan2(d_east, d_north)

    @classmethod
    def of(
        cls,
        *,
        centre: tuple[float, float],
        radii: tuple[float, float],
        turn: float,
        start: float,
        speed_mps: float,
    ) -> Loop:
        """A loop with its arc length tabulated."""
        angle = np.linspace(0, 2 * math.pi, 361)
        x, y = radii[0] * np.cos(angle), radii[1] * np.sin(angle)
        table = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))))
        return cls(
            centre=centre, radii=radii, turn=turn, start=start, speed_mps=speed_mps, table=table
        )


@dataclass(frozen=True, kw_only=True)
class SceneObject:
    """One object: who it is, what it looks like, where it goes."""

    object_id: str
    class_name: ClassName
    faces: tuple[Face, ...]
    way: Loop
    height_m: float


def _box(
    x: tuple[float, float],
    y: tuple[float, float],
    z: tuple[float, float],
    sides: tuple[float, float, float],
    top: tuple[float, float, float],
) -> list[Face]:
    (x0, x1), (y0, y1), (z0, z1) = x, y, z
    ring = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    return _prism(ring, z0, z1, sides, top)


def _prism(
    ring: list[tuple[float, float]],
    z0: float,
    z1: float,
    sides: tuple[float, float, float],
    top: tuple[float, float, float],
) -> list[Face]:
    """Walls over a counter-clockwise footprint, and the roof."""
    faces = []
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1], strict=True):
        faces.append(
            Face(
                corners=np.array([(ax, ay, z0), (bx, by, z0), (bx, by, z1), (ax, ay, z1)]),
                colour=sides,
            )
        )
    faces.append(Face(corners=np.array([(x, y, z1) for x, y in ring]), colour=top))
    return faces


_PAINT = (
    (235, 235, 235), (200, 200, 205), (150, 152, 158), (90, 92, 98), (40, 40, 45), (22, 22, 26),
    (40, 40, 165), (30, 30, 120), (150, 70, 30), (120, 50, 20), (60, 110, 60), (50, 140, 190),
    (40, 170, 220), (120, 150, 170), (90, 60, 40),
)  # fmt: skip
_GLASS = (60.0, 52.0, 45.0)
_CLOTHES = (
    (40, 40, 160), (160, 60, 30), (40, 40, 45), (225, 225, 225), (60, 140, 60), (50, 190, 220),
    (120, 110, 100), (170, 120, 60), (90, 60, 130), (30, 100, 200),
)  # fmt: skip
_SKIN = ((120, 160, 210), (90, 125, 175), (60, 85, 125), (140, 180, 225))


def _pick(
    rng: np.random.Generator, paints: tuple[tuple[int, int, int], ...]
) -> tuple[float, float, float]:
    base = np.array(paints[int(rng.integers(len(paints)))], dtype=float)
    b, g, r = np.clip(base + rng.normal(0, 10, 3), 5, 250)
    return float(b), float(g), float(r)


def _dim(colour: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def shape(class_name: ClassName, rng: np.random.Generator) -> tuple[tuple[Face, ...], float]:
    """The faces of one example of a class, and its height in metres."""
    s = float(rng.uniform(0.93, 1.07))
    if class_name == "car":
        paint = _pick(rng, _PAINT)
        length, width, height = 4.5 * s, 1.8 * s, 1.5 * float(rng.uniform(0.93, 1.1))
        back = -length / 2 + float(rng.uniform(0.1, 0.9))
        front = length / 2 - float(rng.uniform(1.2, 1.7))
        faces = _box(
            (-length / 2, length / 2), (-width / 2, width / 2), (0.0, 0.6 * height), paint, paint
        )
        faces += _box(
            (back, front),
            (-width / 2 + 0.12, width / 2 - 0.12),
            (0.6 * height, height),
            _GLASS,
            paint,
        )
        # The windscreen lies flatter than a wall: seen from above it is a dark band on the bonnet.
        faces.append(_patch((front, front + 0.55), width / 2 - 0.2, 0.6 * height + 0.02, _GLASS))
        faces.append(_patch((back - 0.4, back), width / 2 - 0.25, 0.6 * height + 0.02, _GLASS))
        return tuple(faces), height
    if class_name == "truck":
        paint, load = _pick(rng, _PAINT), _pick(rng, _PAINT[:8] + _PAINT[10:])
        length, width, height = 8.0 * s, 2.5, 3.2 * float(rng.uniform(0.92, 1.08))
        cab = length / 2 - 2.1
        faces = _box((cab, length / 2), (-width / 2, width / 2), (0.0, 0.85 * height), paint, paint)
        faces += _box(
            (-length / 2, cab - 0.35),
            (-width / 2, width / 2),
            (0.0, height),
            load,
            _dim(load, 1.05),
        )
        faces.append(_wall(length / 2 + 0.01, width / 2 - 0.2, (0.45 * height, 0.75 * height)))
        return tuple(faces), height
    if class_name == "person":
        height = 1.75 * s
        shirt, trousers = _pick(rng, _CLOTHES), _pick(rng, _CLOTHES)
        skin, hair = _pick(rng, _SKIN), _pick(rng, ((25, 30, 40), (60, 80, 110), (20, 20, 25)))
        stride = float(rng.uniform(0.2, 0.4))
        faces = _box((-stride / 2, stride / 2), (-0.2, 0.2), (0, 0.48 * height), trousers, trousers)
        faces += _box((-0.16, 0.16), (-0.29, 0.29), (0.48 * height, 0.86 * height), shirt, shirt)
        faces += _box((-0.11, 0.11), (-0.1, 0.1), (0.86 * height, height), skin, hair)
        return tuple(faces), height
    hull, deck = _pick(rng, _PAINT), _pick(rng, _PAINT[:4])
    length, width = 7.0 * s * float(rng.uniform(0.85, 1.2)), 2.5 * s
    ring = [
        (-length / 2, -width / 2), (length * 0.2, -width / 2), (length / 2, 0.0),
        (length * 0.2, width / 2), (-length / 2, width / 2),
    ]  # fmt: skip
    faces = _prism(ring, 0.0, 0.9, hull, deck)
    faces += _box(
        (-length * 0.25, length * 0.08), (-width / 3, width / 3), (0.9, 1.8), _GLASS, deck
    )
    return tuple(faces), 1.8


def _patch(
    x: tuple[float, float], half: float, z: float, colour: tuple[float, float, float]
) -> Face:
    return Face(
        corners=np.array([(x[0], -half, z), (x[1], -half, z), (x[1], half, z), (x[0], half, z)]),
        colour=colour,
    )


def _wall(x: float, half: float, z: tuple[float, float]) -> Face:
    return Face(
        corners=np.array([(x, -half, z[0]), (x, half, z[0]), (x, half, z[1]), (x, -half, z[1])]),
        colour=_GLASS,
    )
