"""The ground: a painted square of land with fields, woods, roads and a lake, different by seed.

The map is north-up and east-right in local metres around the scene's origin; beyond its edge it is
mirrored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Metres = TypeVar("Metres", float, NDArray[np.float64])

SIDE_M = 480.0
METRES_PER_TEXEL = 0.15
TEXELS = round(SIDE_M / METRES_PER_TEXEL)


@dataclass(frozen=True, kw_only=True)
class Ellipse:
    """Local metres; the turn is counter-clockwise from east, in radians."""

    centre: tuple[float, float]
    radii: tuple[float, float]
    turn: float


@dataclass(frozen=True, kw_only=True)
class Terrain:
    """The painted ground, and where roads and water are."""

    picture: Picture
    """(TEXELS, TEXELS, 3) BGR; row 0 is the north edge."""
    lake: Ellipse
    roads: tuple[Ellipse, ...]


def paint(seed: int) -> Terrain:
    """The terrain of a seed: always the same."""
    rng = np.random.default_rng([seed, 1])
    grass = rng.uniform((35, 70, 55), (90, 125, 120)).astype(np.float32)
    earth = rng.uniform((60, 85, 110), (120, 150, 180)).astype(np.float32)
    blend = _clouds(rng, 6)[..., None]
    ground = grass * (1 - blend) + earth * blend
    _fields(ground, rng)
    lake = Ellipse(
        centre=(float(rng.uniform(-25, 25)), float(rng.uniform(-25, 25))),
        radii=(float(rng.uniform(42, 60)), float(rng.uniform(28, 42))),
        turn=float(rng.uniform(0, math.pi)),
    )
    roads = (
        Ellipse(
            centre=lake.centre,
            radii=(
                lake.radii[0] + float(rng.uniform(18, 28)),
                lake.radii[1] + float(rng.uniform(18, 28)),
            ),
            turn=lake.turn,
        ),
        Ellipse(
            centre=(
                lake.centre[0] + float(rng.uniform(-15, 15)),
                lake.centre[1] + float(rng.uniform(-15, 15)),
            ),
            radii=(
                lake.radii[0] + float(rng.uniform(62, 85)),
                lake.radii[1] + float(rng.uniform(62, 85)),
            ),
            turn=lake.turn + float(rng.uniform(-0.5, 0.5)),
        ),
    )
    picture = np.clip(ground, 0, 255).astype(np.uint8)
    _houses(picture, rng)
    _trees(picture, rng)
    for road in roads:
        _road(picture, road, rng)
    _water(picture, lake, rng)
    grain = rng.standard_normal((TEXELS // 2, TEXELS // 2), dtype=np.float32)
    grain = cv2.resize(grain * float(rng.uniform(3, 9)), (TEXELS, TEXELS)).astype(np.int16)
    cv2.add(picture, cv2.merge((grain, grain, grain)), dst=picture, dtype=cv2.CV_8U)
    return Terrain(picture=picture, lake=lake, roads=roads)


def texel(east: Metres, north: Metres) -> tuple[Metres, Metres]:
    """Column and row (texel centres are whole numbers) of local metres."""
    return (
        (east + SIDE_M / 2) / METRES_PER_TEXEL - 0.5,
        (SIDE_M / 2 - north) / METRES_PER_TEXEL - 0.5,
    )


def _clouds(rng: np.random.Generator, octaves: int) -> NDArray[np.float32]:
    """Smooth noise 0..1 over the whole map."""
    side = TEXELS // 4
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        cells = 4 * 2**octave
        coarse = rng.random((cells, cells), dtype=np.float32)
        layer = np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))
        total += layer / np.float32(1.7**octave)
    low, high = np.percentile(total[::4, ::4], (2, 98))
    total = np.clip((total - low) / (high - low), 0, 1).astype(np.float32)
    return np.asarray(cv2.resize(total, (TEXELS, TEXELS)), dtype=np.float32)


def _fields(ground: NDArray[np.float32], rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(6, 14))):
        centre = texel(*rng.uniform(-SIDE_M / 2, SIDE_M / 2, 2))
        size = rng.uniform(30, 90, 2) / METRES_PER_TEXEL
        corners = cv2.boxPoints((centre, (size[0], size[1]), float(rng.uniform(0, 180))))
        colour = rng.uniform((30, 60, 60), (110, 160, 180)).astype(np.float32)
        slant, depth = rng.uniform(0.2, 0.8, 2), float(rng.uniform(0, 0.08))
        (x1, y1), (x2, y2) = (
            np.clip(corners.min(axis=0), 0, TEXELS).astype(int),
            np.clip(corners.max(axis=0), 0, TEXELS).astype(int),
        )
        if x1 >= x2 or y1 >= y2:
            continue
        mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
        cv2.fillConvexPoly(mask, (corners - (x1, y1)).astype(np.int32), 255)
        rows = np.arange(y2 - y1)[:, None] * slant[0] + np.arange(x2 - x1)[None, :] * slant[1]
        stripes = (1 + depth * np.sin(rows)).astype(np.float32)
        part, where = ground[y1:y2, x1:x2], mask > 0
        part[where] = 0.35 * part[where] + 0.65 * colour * stripes[where][:, None]


def _houses(picture: Picture, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(8, 26))):
        east, north = rng.uniform(-SIDE_M / 2, SIDE_M / 2, 2)
        size = rng.uniform(3, 16, 2) / METRES_PER_TEXEL
        turn = float(rng.uniform(0, 180))
        roof = rng.uniform(40, 190, 3)
        for scale, shade in ((1.0, 0.8), (0.96, 1.0)):
            box = cv2.boxPoints((texel(east, north), (size[0] * scale, size[1] * scale), turn))
            cv2.fillConvexPoly(
                picture, (box * 16).astype(np.int32), _bgr(roof * shade), cv2.LINE_AA, 4
            )


def _trees(picture: Picture, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(80, 420))):
        column, row = texel(*rng.uniform(-SIDE_M / 2, SIDE_M / 2, 2))
        radius = float(rng.uniform(0.5, 3.5)) / METRES_PER_TEXEL
        leaf = rng.uniform((15, 40, 20), (60, 110, 80))
        shift = radius * 0.6
        cv2.circle(
            picture,
            (int(column + shift), int(row + shift)),
            int(radius),
            _bgr(leaf * 0.35),
            -1,
            cv2.LINE_AA,
        )
        for scale, shade in ((1.0, 0.8), (0.7, 1.0), (0.4, 1.25)):
            spot = rng.normal(0, radius * 0.12, 2)
            cv2.circle(
                picture,
                (int(column + spot[0]), int(row + spot[1])),
                max(1, int(radius * scale)),
                _bgr(leaf * shade),
                -1,
                cv2.LINE_AA,
            )


def _road(picture: Picture, road: Ellipse, rng: np.random.Generator) -> None:
    column, row = texel(*road.centre)
    axes = (int(road.radii[0] / METRES_PER_TEXEL), int(road.radii[1] / METRES_PER_TEXEL))
    centre, turn = (int(column), int(row)), -math.degrees(road.turn)
    asphalt = rng.uniform(55, 150) + rng.normal(0, 5, 3)
    width = float(rng.uniform(8, 10)) / METRES_PER_TEXEL
    cv2.ellipse(
        picture,
        centre,
        axes,
        turn,
        0,
        360,
        _bgr(asphalt * 0.8 + 20),
        int(width * 1.15),
        cv2.LINE_AA,
    )
    cv2.ellipse(picture, centre, axes, turn, 0, 360, _bgr(asphalt), int(width), cv2.LINE_AA)
    dash = float(rng.uniform(3, 8))
    for angle in np.arange(0, 360, dash):
        cv2.ellipse(
            picture, centre, axes, turn, angle, angle + dash * 0.45, (225, 228, 230), 1, cv2.LINE_AA
        )


def _water(picture: Picture, lake: Ellipse, rng: np.random.Generator) -> None:
    column, row = texel(*lake.centre)
    mask = np.zeros(picture.shape[:2], np.uint8)
    axes = (int(lake.radii[0] / METRES_PER_TEXEL), int(lake.radii[1] / METRES_PER_TEXEL))
    turn = -math.degrees(lake.turn)
    cv2.ellipse(mask, (int(column), int(row)), axes, turn, 0, 360, 255, -1, cv2.LINE_AA)
    water = rng.uniform((70, 50, 25), (150, 115, 75)).astype(np.float32)
    height = rng.uniform(2, 8)
    x, y, width, tall = cv2.boundingRect(mask)
    ripple = rng.normal(0, height, (tall // 4, width // 8)).astype(np.float32)
    waves = np.asarray(cv2.resize(ripple, (width, tall), interpolation=cv2.INTER_CUBIC))
    part = picture[y : y + tall, x : x + width]
    alpha = mask[y : y + tall, x : x + width].astype(np.float32)[..., None] / 255
    part[:] = np.clip(part * (1 - alpha) + (water + waves[..., None]) * alpha, 0, 255)


def _bgr(colour: NDArray[np.float64]) -> tuple[int, int, int]:
    b, g, r = np.clip(colour, 0, 255)
    return int(b), int(g), int(r)
