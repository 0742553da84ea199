"""The EGM96 geoid: published values, seams, and a self-test that really refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_gateway.geolocation import GeoidError, geoid, undulation

VECTORS = sorted((Path(__file__).parents[2] / "vectors/geoid").glob("*.json"))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_published_points(path):
    points = np.array(json.loads(path.read_text())["points"])
    assert undulation(points[:, 0], points[:, 1]) == pytest.approx(points[:, 2], abs=0.02)


def test_the_extremes_are_where_they_are_known_to_be():
    """EGM96's lowest is south of India (-107 m), its highest near New Guinea (85 m)."""
    lat, lon = np.meshgrid(np.arange(-90, 90.1, 0.25), np.arange(-180, 180, 0.25), indexing="ij")
    height = undulation(lat, lon)
    assert height.min() == pytest.approx(-107.0, abs=0.5)
    assert height.max() == pytest.approx(85.4, abs=0.5)
    low = np.unravel_index(height.argmin(), height.shape)
    assert (lat[low], lon[low]) == pytest.approx((4.7, 78.8), abs=1.0)


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_it_is_continuous_everywhere_and_periodic_in_longitude(lat, lon):
    here = undulation(lat, lon)
    assert abs(undulation(lat, lon + 360.0) - here) < 1e-6
    assert abs(undulation(np.clip(lat + 1e-4, -90, 90), lon + 1e-4) - here) < 0.02
    assert -108 < here < 86


@pytest.mark.parametrize("latitude", [-90.0, 90.0])
def test_at_a_pole_every_meridian_agrees(latitude):
    assert np.ptp(undulation(latitude, np.arange(-180.0, 180.0, 7.0))) < 1e-6


@pytest.mark.parametrize("corrupt", [np.zeros_like, lambda g: -g, lambda g: g[:, ::-1]])
def test_the_self_test_refuses_a_geoid_that_is_not_applied(monkeypatch, corrupt):
    geoid.self_test()
    wrong = corrupt(geoid._grid())
    monkeypatch.setattr(geoid, "_grid", lambda: wrong)
    with pytest.raises(GeoidError, match="NGA's test points"):
        geoid.self_test()
