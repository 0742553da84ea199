"""Tracking: one uid for one object, told apart from its neighbours; no state changed in place."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cop_gateway.tracking import Rules, Sightings, Tracks, step, update

RULES = Rules()
LATITUDE, LONGITUDE = 47.4, 8.5
PER_LAT = 111_195.0
PER_LON = PER_LAT * np.cos(np.radians(LATITUDE))


def seen(second, places, *, sigma=1.0, classes=None, tag="f", longitude=LONGITUDE):
    places = np.asarray(places, dtype=float).reshape(-1, 2)
    return Sightings(
        seconds=1e9 + second,
        latitude=LATITUDE + places[:, 1] / PER_LAT,
        longitude=(longitude + places[:, 0] / PER_LON + 180) % 360 - 180,
        covariance=np.broadcast_to(np.eye(2) * sigma**2, (len(places), 2, 2)),
        class_name=tuple(classes or ["car"] * len(places)),
        seed=tuple(f"{tag}/{second}/{i}" for i in range(len(places))),
    )


def follow(path, tracks=None, **options):
    tracks, uids, last = tracks or Tracks.none(), [], None
    for second, places in path:
        tracks, last = step(tracks, seen(second, places, **options), RULES)
        uids.append(last.uid)
    return tracks, uids, last


def test_a_moving_object_keeps_its_uid_and_its_course_and_speed_are_found():
    rng = np.random.default_rng(1)
    path = [(t, [[8.0 * t + rng.normal(), -6.0 * t + rng.normal()]]) for t in range(12)]
    tracks, uids, last = follow(path)
    assert len({each[0] for each in uids}) == 1
    assert len(tracks) == 1
    assert last.speed_mps[0] == pytest.approx(10.0, abs=2.0)
    assert last.course[0] == pytest.approx(np.degrees(np.arctan2(8, -6)), abs=12.0)


def test_a_parked_object_has_no_course():
    rng = np.random.default_rng(2)
    _, uids, last = follow([(t, [rng.normal(0, 1.0, 2)]) for t in range(30)])
    assert len({each[0] for each in uids}) == 1
    assert np.isnan(last.course[0])
    assert np.isnan(last.speed_mps[0])


def test_two_that_cross_are_not_swapped():
    rng = np.random.default_rng(3)
    path = []
    for t in np.arange(25) / 4:
        places = np.array([[10 * t - 30, 0.0], [0.0, 34 - 10 * t]])
        path.append((t, places + rng.normal(0, 0.3, (2, 2))))
    _, uids, _ = follow(path, sigma=0.3)
    assert len({each[0] for each in uids}) == 1
    assert len({each[1] for each in uids}) == 1
    assert uids[0][0] != uids[0][1]


def test_two_sightings_of_one_frame_are_two_objects_however_near():
    _, uids, _ = follow([(0, [[0, 0]]), (1, [[0.1, 0], [0, 0.1]])])
    assert len(set(uids[1])) == 2
    assert uids[0][0] in uids[1]


def test_far_away_is_another_object():
    _, uids, last = follow([(0, [[0, 0]]), (1, [[200, 0]])])
    assert uids[0] != uids[1]
    assert last.is_new.tolist() == [True]


def test_one_object_seen_as_two_classes_is_one_track():
    tracks, first = step(Tracks.none(), seen(0, [[0, 0]], classes=["truck"]), RULES)
    _, second = step(tracks, seen(1, [[0.5, 0]], classes=["car"]), RULES)
    assert first.uid == second.uid


def test_the_same_class_is_preferred():
    tracks, first = step(Tracks.none(), seen(0, [[0, 0], [3, 0]], classes=["car", "person"]), RULES)
    _, second = step(tracks, seen(1, [[1.4, 0]], classes=["person"]), RULES)
    assert second.uid[0] == first.uid[1]


def test_an_object_not_seen_for_long_is_a_new_one():
    _, uids, _ = follow([(0, [[0, 0]]), (RULES.timeout_seconds + 1, [[0, 0]])])
    assert uids[0] != uids[1]


def test_a_frame_that_comes_late_belongs_to_the_track_and_does_not_move_it_back():
    tracks, uids, _ = follow([(t, [[10.0 * t, 0.0]]) for t in range(8)])
    after, late = step(tracks, seen(5.5, [[55.0, 0.0]], tag="late"), RULES)
    assert late.uid == uids[0]
    assert after.seconds[0] == tracks.seconds[0]
    assert after.longitude[0] == tracks.longitude[0]


def test_tracking_goes_on_across_the_date_line():
    tracks, uids = Tracks.none(), set()
    for t in range(6):
        tracks, who = step(tracks, seen(t, [[10.0 * t, 0.0]], longitude=179.9998), RULES)
        uids |= set(who.uid)
    assert len(uids) == 1
    assert -180 <= tracks.longitude[0] <= 180


def test_the_uid_is_made_from_the_first_sighting_alone():
    """So that the same frame, worked on again after a failed commit, gets the same uid."""
    one = step(Tracks.none(), seen(0, [[0, 0]]), RULES)[1]
    two = step(Tracks.none(), seen(0, [[0, 0]]), RULES)[1]
    other = step(Tracks.none(), seen(0, [[0, 0]], tag="g"), RULES)[1]
    assert one.uid == two.uid
    assert one.uid != other.uid


def test_a_step_changes_neither_input():
    tracks, _, _ = follow([(t, [[10.0 * t, 0.0], [0, 50]]) for t in range(5)])
    before = {f.name: np.copy(getattr(tracks, f.name)) for f in fields(tracks)}
    step(tracks, seen(5, [[50, 0], [0, 50]]), RULES)
    for name, value in before.items():
        assert np.array_equal(np.asarray(getattr(tracks, name)), value)


@given(st.integers(0, 2**32 - 1), st.integers(150, 400), st.sampled_from([LONGITUDE, 180.0]))
def test_a_crowd_far_away_makes_no_difference(seed, crowd, longitude):
    """Those that cannot be meant are sorted out first; whoever could be is still compared."""
    rng = np.random.default_rng(seed)
    many = seen(0, rng.uniform(-3000, 3000, (crowd, 2)), sigma=3.0, tag="m", longitude=longitude)
    few = seen(1, rng.uniform(-400, 400, (6, 2)), sigma=5.0, tag="n", longitude=longitude)
    tracks, _ = step(Tracks.none(), many, RULES)
    _, all_compared = step_with(few, tracks, few_tracks=10**6)
    _, sorted_out = step_with(few, tracks, few_tracks=0)
    assert sorted_out.uid == all_compared.uid


def step_with(sightings, tracks, *, few_tracks):
    before = update._FEW_TRACKS
    update._FEW_TRACKS = few_tracks
    try:
        return step(tracks, sightings, RULES)
    finally:
        update._FEW_TRACKS = before


def test_an_empty_frame_only_lets_time_pass():
    tracks, _, _ = follow([(0, [[0, 0]])])
    same, who = step(tracks, seen(1, []), RULES)
    assert who.uid == ()
    assert len(same) == 1
    gone, _ = step(tracks, seen(RULES.timeout_seconds + 1, []), RULES)
    assert len(gone) == 0


def test_there_are_never_more_tracks_than_allowed():
    rules = Rules(most_tracks=10)
    tracks = Tracks.none()
    for t in range(5):
        tracks, _ = step(tracks, seen(t, [[500.0 * i, 1000.0 * t] for i in range(6)]), rules)
        assert len(tracks) <= 16
    assert tracks.seconds.max() == 1e9 + 4


def test_the_covariance_stays_symmetric_and_positive():
    rng = np.random.default_rng(6)
    tracks, _, _ = follow([(t / 10, [rng.normal(0, 1, 2)]) for t in range(300)])
    covariance = tracks.covariance[0]
    assert covariance == pytest.approx(covariance.T, abs=1e-9)
    assert np.linalg.eigvalsh(covariance).min() > 0
