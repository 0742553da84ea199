"""The camera model: what is projected is found again, and conventions mean what they say."""

from __future__ import annotations

import numpy as np
import pymap3d
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_gateway.geolocation import (
    Camera,
    ecef_from_geodetic,
    geodetic_from_ecef,
    pixel_rays,
    project,
)
from cop_gateway.geolocation.camera import distort, undistort

WIDTH, HEIGHT = 1920, 1080


def camera(**changes: float) -> Camera:
    pose = dict(
        latitude=47.4, longitude=8.5, hae=600.0, heading=0.0, pitch=-45.0, roll=0.0, focal_px=1500.0
    )
    return Camera.of(**(pose | changes), centre=(WIDTH / 2, HEIGHT / 2))


angles = st.floats(-180, 360)
latitudes, longitudes = st.floats(-89.9, 89.9), st.floats(-180, 180)


@given(latitudes, longitudes, st.floats(-500, 50_000))
def test_geodetic_and_ecef_round_trip_and_agree_with_pymap3d(lat, lon, hae):
    ecef = ecef_from_geodetic(lat, lon, hae)
    assert ecef == pytest.approx(pymap3d.geodetic2ecef(lat, lon, hae), abs=1e-6)
    back = geodetic_from_ecef(ecef)
    assert back[0] == pytest.approx(lat, abs=1e-11)
    assert float(np.cos(np.radians(back[1] - lon))) == pytest.approx(1.0, abs=1e-15)
    assert back[2] == pytest.approx(hae, abs=1e-6)


@given(latitudes, longitudes, st.floats(1, 20_000), angles, st.floats(-90, 90), angles)
def test_the_optical_axis_points_where_heading_and_pitch_say(lat, lon, hae, heading, pitch, roll):
    """Against pymap3d's azimuth and elevation, an independent implementation."""
    looking = camera(latitude=lat, longitude=lon, hae=hae, heading=heading, pitch=pitch, roll=roll)
    origin, ray = pixel_rays(looking, np.float64(WIDTH / 2), np.float64(HEIGHT / 2))
    expected = np.array(pymap3d.aer2ecef(heading, pitch, 1000.0, lat, lon, hae))
    assert origin + 1000.0 * ray == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("pixel", "azimuth", "elevation"),
    [
        ((WIDTH / 2 + 100, HEIGHT / 2), 30 + np.degrees(np.arctan(0.1)), 0.0),  # right: clockwise
        ((WIDTH / 2, HEIGHT / 2 + 100), 30.0, -np.degrees(np.arctan(0.1))),  # down: below level
    ],
)
def test_right_in_the_image_is_clockwise_and_down_is_below(pixel, azimuth, elevation):
    looking = camera(heading=30.0, pitch=0.0, focal_px=1000.0)
    origin, ray = pixel_rays(looking, np.float64(pixel[0]), np.float64(pixel[1]))
    got = pymap3d.ecef2aer(*(origin + 1000.0 * ray), 47.4, 8.5, 600.0)
    assert got[:2] == pytest.approx((azimuth, elevation), abs=1e-6)


def test_positive_roll_has_the_right_side_down():
    rolled = camera(heading=0.0, pitch=0.0, roll=10.0)
    origin, ray = pixel_rays(rolled, np.float64(WIDTH), np.float64(HEIGHT / 2))
    _, elevation, _ = pymap3d.ecef2aer(*(origin + 1000.0 * ray), 47.4, 8.5, 600.0)
    assert elevation < -1.0


def test_heading_matters_when_looking_straight_down():
    """Near nadir, the top of the image is towards the heading."""
    nadir = camera(heading=90.0, pitch=-90.0)
    origin, ray = pixel_rays(nadir, np.float64(WIDTH / 2), np.float64(0.0))
    azimuth, _, _ = pymap3d.ecef2aer(*(origin + 100.0 * ray), 47.4, 8.5, 600.0)
    assert azimuth == pytest.approx(90.0, abs=1e-3)


lenses = st.tuples(
    st.floats(-0.15, 0.15),
    st.floats(-0.02, 0.02),
    st.floats(-0.005, 0.005),
    st.floats(-0.005, 0.005),
    st.floats(-0.005, 0.005),
)


@given(st.floats(-0.6, 0.6), st.floats(-0.4, 0.4), lenses)
def test_the_lens_is_taken_out_again(x, y, lens):
    bend = np.array(lens)
    seen = distort(np.float64(x), np.float64(y), bend)
    ideal = undistort(*seen, bend)
    assert ideal == pytest.approx((x, y), abs=1e-9)


def test_distortion_is_that_of_opencv():
    cv2 = pytest.importorskip("cv2")
    bend = np.array([-0.12, 0.03, 0.001, -0.002, 0.004])
    points = np.array([[0.3, -0.2, 1.0], [-0.5, 0.4, 1.0], [0.0, 0.0, 1.0]])
    pinhole = np.array([[900.0, 0, 480], [0, 900.0, 270], [0, 0, 1]])
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), pinhole, bend)
    x, y = distort(points[:, 0], points[:, 1], bend)
    got = np.stack((x * 900 + 480, y * 900 + 270), axis=-1)
    assert got == pytest.approx(expected[:, 0, :], abs=1e-9)


def test_a_pixel_beyond_the_fold_of_the_lens_has_no_ray_and_its_points_no_pixel():
    fisheye = Camera.of(
        latitude=0.1, longitude=0.1, hae=100, heading=0, pitch=0, roll=0, focal_px=500,
        centre=(480, 270), distortion=(-0.4, 0.0, 0.0, 0.0, 0.0),
    )  # fmt: skip
    _, ray = pixel_rays(fisheye, np.array([480.0, 480.0 + 500 * 2]), np.array([270.0, 270.0]))
    assert np.isfinite(ray[0]).all()
    assert np.isnan(ray[1]).all()
    # 70 degrees off the axis: the polynomial would fold it back into the image.
    aside = np.array(pymap3d.aer2ecef(70.0, 0.0, 100.0, 0.1, 0.1, 100.0))
    u, v, depth = project(fisheye, aside)
    assert np.isnan(u)
    assert np.isnan(v)
    assert depth > 0


def test_points_behind_the_camera_have_no_pixel():
    behind = np.array(pymap3d.aer2ecef(180.0, 0.0, 100.0, 47.4, 8.5, 600.0))
    u, v, depth = project(camera(pitch=0.0), behind)
    assert np.isnan(u)
    assert np.isnan(v)
    assert depth < 0
