"""Placing pixels: round trips to a millimetre, honest covariances, and clear refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymap3d.los import lookAtSpheroid

from cop_gateway.geolocation import (
    Camera,
    Limits,
    Sigmas,
    ce90,
    ecef_from_geodetic,
    locate,
    project,
)
from cop_gateway.geolocation.placement import (
    ABOVE_HORIZON,
    BELOW_GROUND,
    GRAZING,
    NO_RAY,
    PLACED,
    TOO_FAR,
    UNCERTAIN,
)
from cop_gateway.geolocation.wgs84 import metres_per_degree

USUAL = Limits()
ANY = Limits(grazing_degrees=0.0, range_m=1e7, ce90_m=1e9)
SIGMA = dict(
    horizontal_m=1.5, vertical_m=2.0, heading=1.0, pitch=0.3, roll=0.3, focal=0.002, u=1.0, v=1.0,
    surface_m=0.5, ground_m=0.7,
)  # fmt: skip


def sigmas(count: int, **changes: float) -> Sigmas:
    return Sigmas(**{name: np.full(count, value) for name, value in (SIGMA | changes).items()})


def one(camera: Camera, u: float, v: float, *, ground: float, limits: Limits = USUAL, **s: float):
    return locate(
        camera, np.array([u]), np.array([v]), ground_hae=np.array([ground]),
        lift_m=np.zeros(1), sigmas=sigmas(1, **s), limits=limits,
    )  # fmt: skip


@settings(max_examples=300)
@given(
    lat=st.floats(-85, 85),
    lon=st.floats(-180, 180),
    ground=st.floats(-400, 5000),
    height=st.floats(2, 5000),
    heading=st.floats(-180, 360),
    pitch=st.floats(-90, -5),
    roll=st.floats(-60, 60),
    focal=st.floats(300, 8000),
    k1=st.floats(-0.1, 0.1),
    p1=st.floats(-0.003, 0.003),
    east=st.floats(-1.5, 1.5),
    north=st.floats(-1.5, 1.5),
)
def test_a_ground_point_that_is_projected_is_located_within_a_millimetre(
    lat, lon, ground, height, heading, pitch, roll, focal, k1, p1, east, north
):
    cam = Camera.of(
        latitude=lat, longitude=lon, hae=ground + height, heading=heading, pitch=pitch, roll=roll,
        focal_px=focal, centre=(960, 540), distortion=(k1, 0.0, p1, -p1, 0.0),
    )  # fmt: skip
    per_lat, per_lon = metres_per_degree(lat, ground)
    away = height / np.tan(np.radians(-pitch)) if pitch > -89 else 0.0
    there_lat = lat + (away * np.cos(np.radians(heading)) + north * height / 4) / per_lat
    there_lon = lon + (away * np.sin(np.radians(heading)) + east * height / 4) / per_lon
    assume(abs(there_lat) < 89)
    point = ecef_from_geodetic(there_lat, there_lon, ground)
    u, v, depth = project(cam, point)
    assume(np.isfinite(u) and depth > 0 and -2000 < u < 4000 and -2000 < v < 3000)
    fix = one(cam, float(u), float(v), ground=ground, limits=ANY)
    # The point itself may be hidden behind the Earth's curve only at grazing angles.
    assume(fix.status[0] != ABOVE_HORIZON and fix.grazing_degrees[0] > 2.0)
    found = ecef_from_geodetic(fix.latitude, fix.longitude, fix.hae)
    assert np.linalg.norm(found[0] - point) < 1e-3


@pytest.mark.parametrize("depression", [10, 30, 60, 89])
@pytest.mark.parametrize("latitude", [0.0, 47.0, -80.0])
def test_agrees_with_an_independent_ray_on_the_ellipsoid(depression, latitude):
    """pymap3d intersects with the ellipsoid itself, which is a ground height of zero."""
    hae = 1000.0
    cam = Camera.of(
        latitude=latitude, longitude=15.0, hae=hae, heading=77.0, pitch=-depression, roll=0.0,
        focal_px=1000, centre=(500, 500),
    )  # fmt: skip
    fix = one(cam, 500, 500, ground=0.0)
    lat, lon, reach = lookAtSpheroid(latitude, 15.0, hae, 77.0, 90.0 - depression)
    assert fix.latitude[0] == pytest.approx(float(lat), abs=1e-9)
    assert fix.longitude[0] == pytest.approx(float(lon), abs=1e-9)
    assert fix.slant_range_m[0] == pytest.approx(float(reach), abs=1e-3)


def test_the_earth_is_not_flat():
    """At 5 km the ground has fallen by two metres: the ray goes 90 m further."""
    cam = Camera.of(
        latitude=47.0, longitude=8.0, hae=500.0 + 100.0, heading=0.0, pitch=-1.2, roll=0.0,
        focal_px=1000, centre=(500, 500),
    )  # fmt: skip
    fix = one(cam, 500, 500, ground=500.0, limits=ANY)
    # height = s sin θ − s² cos² θ / 2R, with the ellipsoid's meridional radius at 47 degrees.
    sine, cosine = np.sin(np.radians(1.2)), np.cos(np.radians(1.2))
    bend = cosine**2 / (2 * (6_370_000.0 + 500.0))
    curved = (sine - np.sqrt(sine**2 - 4 * bend * 100.0)) / (2 * bend)
    assert curved - 100.0 / sine > 80.0
    assert fix.slant_range_m[0] == pytest.approx(curved, abs=1.0)


@pytest.mark.parametrize("pitch", [-90.0, -80.0, -45.0, -20.0, -10.0])
def test_the_covariance_is_that_of_monte_carlo(pitch):
    """20,000 cameras with noisy inputs put the same pixel where the covariance says."""
    rng, count = np.random.default_rng(7), 20_000
    cam = Camera.of(
        latitude=47.4, longitude=8.5, hae=500.0, heading=33.0, pitch=pitch, roll=5.0, focal_px=900,
        centre=(480, 270), distortion=(-0.08, 0.01, 0.001, 0.0005, 0.0),
    )  # fmt: skip
    exact = one(cam, 620.0, 330.0, ground=400.0, limits=Limits(grazing_degrees=1.0))
    per_lat, per_lon = metres_per_degree(47.4, 400.0)

    def noise(name: str) -> np.ndarray:
        return SIGMA[name] * rng.standard_normal(count)

    scale = 1.0 + noise("focal")
    noisy = replace(
        cam,
        latitude=47.4 + noise("horizontal_m") / per_lat,
        longitude=8.5 + noise("horizontal_m") / per_lon,
        hae=500.0 + noise("vertical_m"),
        heading=33.0 + noise("heading"),
        pitch=pitch + noise("pitch"),
        roll=5.0 + noise("roll"),
        fx=900.0 * scale,
        fy=900.0 * scale,
        distortion=np.broadcast_to(cam.distortion, (count, 5)),
    )
    cloud = locate(
        noisy, 620.0 + noise("u"), 330.0 + noise("v"), ground_hae=400.0 + noise("surface_m"),
        lift_m=np.zeros(count), sigmas=sigmas(count), limits=Limits(grazing_degrees=0.2),
    )  # fmt: skip
    east = (cloud.longitude - exact.longitude) * per_lon
    north = (cloud.latitude - exact.latitude) * per_lat
    assert np.isfinite(east).all()
    sample = np.cov(east, north)
    assert exact.covariance[0] == pytest.approx(sample, rel=0.06, abs=0.15)
    inside = np.mean(np.hypot(east, north) <= exact.ce90_m)
    assert inside == pytest.approx(0.9, abs=0.012)


@given(st.floats(0.01, 100), st.floats(0, 1), st.floats(0, np.pi))
@settings(max_examples=30)
def test_ce90_holds_ninety_percent_of_any_ellipse(major, ratio, turn):
    rng = np.random.default_rng(3)
    points = rng.standard_normal((40_000, 2)) * (major, major * ratio)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    covariance = spin @ np.diag([major**2, (major * ratio) ** 2]) @ spin.T
    inside = np.mean(np.hypot(*(points @ spin.T).T) <= ce90(covariance))
    assert inside == pytest.approx(0.9, abs=0.008)


def test_ce90_of_a_circle_is_its_closed_form():
    assert float(ce90(np.eye(2) * 9.0)) == pytest.approx(
        3.0 * np.sqrt(-2.0 * np.log(0.1)), rel=1e-5
    )


def test_le90_is_the_grounds_own_error():
    fix = one(_down(), 480, 270, ground=400.0, ground_m=2.0)
    assert fix.le90_m[0] == pytest.approx(2.0 * 1.6449, rel=1e-4)


def test_the_middle_of_a_standing_object_is_above_its_feet():
    """A ray through the middle of a 4 m high object at 45 degrees lands 2 m behind it."""
    cam = replace(_down(), pitch=np.float64(-45.0), heading=np.float64(0.0))
    flat = one(cam, 480, 270, ground=400.0)
    standing = locate(
        cam, np.array([480.0]), np.array([270.0]), ground_hae=np.array([400.0]),
        lift_m=np.array([2.0]), sigmas=sigmas(1), limits=Limits(),
    )  # fmt: skip
    per_lat, _ = metres_per_degree(47.4, 400.0)
    nearer = (flat.latitude - standing.latitude) * per_lat
    assert nearer[0] == pytest.approx(2.0, abs=0.01)
    assert standing.hae[0] == 400.0


def _down(**changes: float) -> Camera:
    pose = dict(latitude=47.4, longitude=8.5, hae=500.0, heading=0.0, pitch=-90.0, roll=0.0)
    return Camera.of(**(pose | changes), focal_px=900, centre=(480, 270))


@pytest.mark.parametrize(
    ("camera", "ground", "limits", "status"),
    [
        (_down(), 400.0, Limits(), PLACED),
        (_down(pitch=10.0), 400.0, Limits(), ABOVE_HORIZON),
        (_down(pitch=90.0), 400.0, Limits(), ABOVE_HORIZON),
        (_down(pitch=-2.0), 400.0, Limits(), GRAZING),
        (_down(), 500.0, Limits(), BELOW_GROUND),
        (_down(), 600.0, Limits(), BELOW_GROUND),
        (_down(pitch=-5.0), 400.0, Limits(range_m=1000.0), TOO_FAR),
        (_down(), 400.0, Limits(ce90_m=0.5), UNCERTAIN),
        (_down(hae=1e7, pitch=-20.0), 400.0, Limits(), ABOVE_HORIZON),
    ],
)
def test_what_cannot_be_placed_says_why(camera, ground, limits, status):
    fix = one(camera, 480, 270, ground=ground, limits=limits)
    assert fix.status[0] == status
    assert np.isfinite(fix.latitude[0]) == (status == PLACED)


def test_a_pixel_without_a_ray_is_refused_and_its_neighbours_are_not():
    fisheye = Camera.of(
        latitude=1, longitude=1, hae=100, heading=0, pitch=-90, roll=0, focal_px=500,
        centre=(480, 270), distortion=(-0.4, 0.0, 0.0, 0.0, 0.0),
    )  # fmt: skip
    fix = locate(
        fisheye, np.array([480.0, 1480.0]), np.array([270.0, 270.0]), ground_hae=np.zeros(2),
        lift_m=np.zeros(2), sigmas=sigmas(2), limits=Limits(),
    )  # fmt: skip
    assert fix.status.tolist() == [PLACED, NO_RAY]


def test_a_batch_is_its_members():
    rng = np.random.default_rng(5)
    u, v = rng.uniform(0, 960, 20), rng.uniform(0, 540, 20)
    cam = _down(pitch=-40.0, heading=200.0)
    batch = locate(
        cam, u, v, ground_hae=np.full(20, 400.0), lift_m=np.zeros(20), sigmas=sigmas(20),
        limits=Limits(),
    )  # fmt: skip
    for i in range(20):
        single = one(cam, u[i], v[i], ground=400.0)
        assert batch.latitude[i] == single.latitude[0]
        assert batch.ce90_m[i] == pytest.approx(single.ce90_m[0], rel=1e-12)
