"""The WGS84 ellipsoid: geodetic, ECEF and local frames.

Everything is vectorised: angles in degrees and lengths in metres, as arrays that broadcast against
each other; vectors are the last axis (..., 3). Heights are above the ellipsoid (HAE).

Sources: NGA.STND.0036 (WGS84 constants); Bowring (1985) for the inverse.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]

SEMI_MAJOR_M = 6378137.0
FLATTENING = 1.0 / 298.257223563
SEMI_MINOR_M = SEMI_MAJOR_M * (1.0 - FLATTENING)
E2 = FLATTENING * (2.0 - FLATTENING)
EP2 = E2 / (1.0 - E2)


def ecef_from_geodetic(latitude: ArrayLike, longitude: ArrayLike, hae: ArrayLike) -> Array:
    """Earth-centred Earth-fixed metres (..., 3) of geodetic degrees and metres of height."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    height = np.asarray(hae, dtype=np.float64)
    sin_lat, cos_lat = np.sin(lat), np.cos(lat)
    prime_vertical = SEMI_MAJOR_M / np.sqrt(1.0 - E2 * sin_lat * sin_lat)
    equatorial = (prime_vertical + height) * cos_lat
    return np.stack(
        np.broadcast_arrays(
            equatorial * np.cos(lon),
            equatorial * np.sin(lon),
            (prime_vertical * (1.0 - E2) + height) * sin_lat,
        ),
        axis=-1,
    )


def geodetic_from_ecef(ecef: ArrayLike) -> tuple[Array, Array, Array]:
    """Latitude and longitude in degrees and height in metres of ECEF metres (..., 3).

    Bowring's formula with two refinements: below 1e-9 m anywhere a drone or an aircraft can be.
    """
    point = np.asarray(ecef, dtype=np.float64)
    x, y, z = point[..., 0], point[..., 1], point[..., 2]
    p = np.hypot(x, y)
    beta = np.arctan2(z, (1.0 - FLATTENING) * p)
    for _ in range(2):
        lat = np.arctan2(
            z + EP2 * SEMI_MINOR_M * np.sin(beta) ** 3,
            p - E2 * SEMI_MAJOR_M * np.cos(beta) ** 3,
        )
        beta = np.arctan2((1.0 - FLATTENING) * np.sin(lat), np.cos(lat))
    sin_lat = np.sin(lat)
    # Stable at the poles and at the equator alike.
    height = p * np.cos(lat) + z * sin_lat - SEMI_MAJOR_M * np.sqrt(1.0 - E2 * sin_lat * sin_lat)
    return np.degrees(lat), np.degrees(np.arctan2(y, x)), height


def ned_axes(latitude: ArrayLike, longitude: ArrayLike) -> tuple[Array, Array, Array]:
    """North, east and down unit vectors in ECEF, each (..., 3), at geodetic degrees."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    sin_lat, cos_lat, sin_lon, cos_lon = np.sin(lat), np.cos(lat), np.sin(lon), np.cos(lon)
    zero = np.zeros(np.broadcast_shapes(np.shape(lat), np.shape(lon)))
    north = np.stack((-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat + zero), axis=-1)
    east = np.stack((-sin_lon + zero, cos_lon + zero, zero), axis=-1)
    down = np.stack((-cos_lat * cos_lon, -cos_lat * sin_lon, -sin_lat + zero), axis=-1)
    return north, east, down


def metres_per_degree(latitude: ArrayLike, hae: ArrayLike = 0.0) -> tuple[Array, Array]:
    """Metres of northing per degree of latitude, and of easting per degree of longitude."""
    lat = np.radians(latitude)
    w2 = 1.0 - E2 * np.sin(lat) ** 2
    meridian = SEMI_MAJOR_M * (1.0 - E2) / w2**1.5 + np.asarray(hae)
    prime_vertical = SEMI_MAJOR_M / np.sqrt(w2) + np.asarray(hae)
    return np.radians(1.0) * meridian, np.radians(1.0) * prime_vertical * np.cos(lat)
