"""The EGM96 geoid: how far mean sea level is above the WGS84 ellipsoid.

h = H + N: height above the ellipsoid is height above mean sea level plus the undulation. The grid
ships with the package, for a geoid that is silently not applied is an error of up to 107 m;
`self_test` refuses to run without it. Interpolated with Catmull-Rom cubics, which keeps within
2 cm of NGA's published test points (bilinear: up to half a metre in the mountains).

Source: Lemoine et al., NASA/TP-1998-206861; grid WW15MGH by NGA.
"""

from __future__ import annotations

import functools
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike

from cop_gateway.geolocation.errors import GeoidError
from cop_gateway.geolocation.wgs84 import Array

_STEP_DEGREES = 0.25
_ROWS, _COLUMNS = 721, 1440

# NGA's own check of its interpolation program (OUTINTPT.DAT): latitude, longitude, undulation.
PUBLISHED_POINTS = (
    (38.6281550, 269.7791550, -31.628),
    (-14.6212170, 305.0211140, -2.969),
    (46.8743190, 102.4487290, -43.575),
    (-23.6174460, 133.8747120, 15.871),
    (38.6254730, 359.9995000, 50.066),
    (-0.4667440, 0.0023000, 17.329),
)
_SELF_TEST_TOLERANCE_M = 0.05


@functools.cache
def _grid() -> Array:
    """Undulations in metres, (721, 1440), from the south pole and 180 degrees west."""
    resource = files("cop_gateway.geolocation").joinpath("data/egm96_15.npz")
    try:
        with resource.open("rb") as stream, np.load(stream) as archive:
            differences = archive["second_differences"].astype(np.int32)
    except (OSError, KeyError, ValueError) as error:
        raise GeoidError(f"the EGM96 grid cannot be read from the package: {error}") from error
    if differences.shape != (_ROWS, _COLUMNS):
        raise GeoidError(f"the EGM96 grid has shape {differences.shape}, not {(_ROWS, _COLUMNS)}")
    centimetres = differences.cumsum(axis=0).cumsum(axis=1)
    return np.asarray(centimetres / 100.0, dtype=np.float64)


def _cubic_weights(t: Array) -> Array:
    """Catmull-Rom weights (..., 4) of the four neighbours at fraction t."""
    return 0.5 * np.stack(
        (
            -t * (1.0 - t) ** 2,
            2.0 + t * t * (3.0 * t - 5.0),
            t * (1.0 + t * (4.0 - 3.0 * t)),
            t * t * (t - 1.0),
        ),
        axis=-1,
    )


def undulation(latitude: ArrayLike, longitude: ArrayLike) -> Array:
    """Metres of the EGM96 geoid above the WGS84 ellipsoid at geodetic degrees (vectorised)."""
    grid = _grid()
    y = (np.asarray(latitude, dtype=np.float64) + 90.0) / _STEP_DEGREES
    x = np.mod(np.asarray(longitude, dtype=np.float64) + 180.0, 360.0) / _STEP_DEGREES
    y, x = np.broadcast_arrays(y, x)
    row = np.clip(np.floor(y), 0, _ROWS - 2)
    column = np.floor(x)
    rows = np.clip(row[..., None].astype(np.intp) + np.arange(-1, 3), 0, _ROWS - 1)
    columns = np.mod(column[..., None].astype(np.intp) + np.arange(-1, 3), _COLUMNS)
    around = grid[rows[..., :, None], columns[..., None, :]]
    along = np.sum(around * _cubic_weights(x - column)[..., None, :], axis=-1)
    return np.asarray(np.sum(along * _cubic_weights(y - row), axis=-1))


def self_test() -> None:
    """Raise GeoidError unless the grid reproduces NGA's published undulations."""
    latitude, longitude, expected = np.array(PUBLISHED_POINTS).T
    worst = float(np.max(np.abs(undulation(latitude, longitude) - expected)))
    if not worst <= _SELF_TEST_TOLERANCE_M:
        raise GeoidError(
            f"the EGM96 grid is off by {worst:.3f} m at NGA's test points"
            f" (limit {_SELF_TEST_TOLERANCE_M} m): heights above sea level would be wrong"
        )
