"""How well a position is known: circular and linear error probable at 90 %, flags and categories.

Sources: circular error of an elliptical normal distribution (exact quantile, no circular
approximation); JP 3-09.3 for the target location error categories.
"""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np

from cop_gateway.geolocation.wgs84 import Array

PROBABILITY = 0.9
CE90_PER_SIGMA = 2.145966026289347
"""90 % of a circular normal distribution lies within this many sigmas of its mean."""
LE90_PER_SIGMA = 1.6448536269514722
"""90 % of a normal distribution lies within this many sigmas of its mean."""

_RATIOS = 201
_ANGLES = 8192
_TLE_LIMITS_M = (6.0, 15.0, 30.0, 91.0, 305.0)


@functools.cache
def _quantiles() -> tuple[Array, Array]:
    """Ratio of the minor to the major sigma, and the 90 % radius in major sigmas for each.

    In polar coordinates P(R) = mean over θ of (1 − exp(−R² a/2)) / (r a), a = cos²θ + sin²θ / r².
    Solved by Newton's method; a ratio of zero is the one-dimensional case.
    """
    ratio = np.linspace(0.0, 1.0, _RATIOS)
    r = ratio[1:, None]
    theta = (np.arange(_ANGLES) + 0.5) * (np.pi / 2.0 / _ANGLES)
    a = np.cos(theta) ** 2 + np.sin(theta) ** 2 / r**2
    radius = np.full((_RATIOS - 1, 1), 2.0)
    for _ in range(12):
        tail = np.exp(-(radius**2) * a / 2.0)
        excess = np.mean((1.0 - tail) / a, axis=1, keepdims=True) / r - PROBABILITY
        slope = radius * np.mean(tail, axis=1, keepdims=True) / r
        radius = radius - excess / slope
    return ratio, np.concatenate(([LE90_PER_SIGMA], radius[:, 0]))


def ce90(covariance: Array) -> Array:
    """Radius in metres of the circle that holds 90 % of a normal error (..., 2, 2) in m²."""
    xx, yy, xy = covariance[..., 0, 0], covariance[..., 1, 1], covariance[..., 0, 1]
    middle, half = (xx + yy) / 2.0, np.hypot((xx - yy) / 2.0, xy)
    major = np.sqrt(middle + half)
    minor = np.sqrt(np.maximum(middle - half, 0.0))
    ratio = np.divide(minor, major, out=np.zeros_like(major), where=major > 0.0)
    return np.asarray(major * np.interp(ratio, *_quantiles()))


def ellipse(covariance: Array) -> tuple[Array, Array, Array]:
    """The one-sigma error ellipse of (..., 2, 2) in m², east then north.

    Its semi-axes in metres, and the major one's azimuth in degrees clockwise from true north,
    0 to 180.
    """
    ee, nn, en = covariance[..., 0, 0], covariance[..., 1, 1], covariance[..., 0, 1]
    middle, half = (ee + nn) / 2.0, np.hypot((ee - nn) / 2.0, en)
    azimuth = np.mod(np.degrees(0.5 * np.arctan2(2.0 * en, nn - ee)), 180.0)
    return np.sqrt(middle + half), np.sqrt(np.maximum(middle - half, 0.0)), azimuth


def flag(ce90_m: float) -> Literal["GREEN", "YELLOW", "RED"]:
    """GREEN under 30 m, YELLOW to 100 m, RED above."""
    if ce90_m < 30.0:
        return "GREEN"
    return "YELLOW" if ce90_m <= 100.0 else "RED"


def tle_category(ce90_m: float) -> int:
    """Target location error category, 1 (at most 6 m) to 6 (above 305 m)."""
    return 1 + sum(ce90_m > limit for limit in _TLE_LIMITS_M)
