"""Simulated frames: the same for the same seed, and what they say of the truth is true."""

from __future__ import annotations

import math
import time
from collections import Counter
from datetime import timedelta

import cv2
import numpy as np
import pytest

from cop_gateway.geolocation import ecef_from_geodetic, project, undulation
from cop_gateway.geolocation.wgs84 import metres_per_degree
from sightline.messages import Frame, decode, encode
from sightline.simulator import START, Scenario, Simulator, flight
from sightline.simulator.objects import CLASSES

SCENARIO = Scenario.default(seed=7, cameras=3)
MOMENTS = tuple(np.arange(0.0, 60.0, 2.5))


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(SCENARIO)


@pytest.fixture(scope="module")
def shots(simulator):
    """Every camera at many moments: (camera, seconds, shot)."""
    return [
        (camera, seconds, simulator.frame(camera.camera_id, seconds))
        for camera in SCENARIO.cameras
        for seconds in MOMENTS
    ]


def test_the_same_seed_gives_the_same_bytes(simulator):
    again = Simulator(Scenario.default(seed=7, cameras=3))
    for one, other in zip(
        simulator.frames(rate_hz=3, count=6), again.frames(rate_hz=3, count=6), strict=True
    ):
        assert one.jpeg == other.jpeg
        assert encode(one.frame) == encode(other.frame)
        assert one.truth == other.truth


def test_another_seed_gives_another_world(simulator):
    other = Simulator(Scenario.default(seed=8, cameras=3))
    for one, two in zip(
        simulator.frames(rate_hz=3, count=3), other.frames(rate_hz=3, count=3), strict=True
    ):
        assert one.jpeg != two.jpeg
        assert one.frame.sensor != two.frame.sensor
        assert one.truth != two.truth


def test_frames_do_not_depend_on_the_order_in_which_they_are_asked_for(simulator):
    names = [camera.camera_id for camera in SCENARIO.cameras]
    asked = [(name, seconds) for seconds in (0.0, 1.5, 40.0) for name in names]
    forwards = {key: simulator.frame(*key) for key in asked}
    for key in reversed(asked):
        assert simulator.frame(*key) == forwards[key]


def test_frames_come_in_turn_with_ids_and_times_of_their_own(simulator):
    shots = list(simulator.frames(rate_hz=4.0, count=9))
    names = [camera.camera_id for camera in SCENARIO.cameras]
    assert [shot.frame.camera_id for shot in shots] == names * 3
    assert len({shot.frame.frame_id for shot in shots}) == 9
    assert [shot.frame.captured_at - START for shot in shots] == [
        timedelta(seconds=n / 4.0) for n in range(9)
    ]
    later = START + timedelta(days=5)
    (first,) = simulator.frames(rate_hz=4.0, count=1, start=later)
    assert first.frame.captured_at == later
    assert first.jpeg == shots[0].jpeg


def test_consecutive_frames_differ(simulator):
    drone = SCENARIO.cameras[0].camera_id
    assert simulator.frame(drone, 1.0).jpeg != simulator.frame(drone, 1.1).jpeg


def test_a_frame_is_what_the_contract_takes(shots):
    for camera, _, shot in shots:
        assert decode(encode(shot.frame), Frame) == shot.frame
        image = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR)
        lens = shot.frame.sensor.intrinsics
        assert image.shape == (lens.image_height, lens.image_width, 3)
        assert (lens.image_width, lens.image_height) == (camera.image_width, camera.image_height)
        assert shot.frame.sensor.accuracy == camera.accuracy


def test_the_true_ground_point_projects_into_the_box(simulator, shots):
    """Through the true camera: under the object's middle, so within the box or at its lower edge.

    Only boxes that the image does not cut: of the others a part is missing.
    """
    seen = 0
    for camera, seconds, shot in shots:
        view = simulator.view(camera, camera.flight.at(seconds))
        for each in shot.truth:
            x1, y1, x2, y2 = each.box
            if x1 <= 0 or y1 <= 0 or x2 >= view.width or y2 >= view.height:
                continue
            assert each.hae == SCENARIO.ground_hae
            u, v, depth = project(
                view.camera, ecef_from_geodetic(each.latitude, each.longitude, each.hae)
            )
            assert depth > 0
            assert x1 - 1 <= u <= x2 + 1
            assert y1 - 1 <= v <= y2 + 1
            seen += 1
    assert seen > 100


def test_boxes_are_in_the_image_and_the_visible_share_is_one(shots):
    shares = []
    for camera, _, shot in shots:
        for each in shot.truth:
            x1, y1, x2, y2 = each.box
            assert 0 <= x1 < x2 <= camera.image_width
            assert 0 <= y1 < y2 <= camera.image_height
            assert 0.0 <= each.visible <= 1.0
            assert each.scored == (each.visible >= 0.5)
            shares.append(each.visible)
            cut = x1 == 0 or y1 == 0 or x2 == camera.image_width or y2 == camera.image_height
            assert not (cut and each.visible > 0.9999)
    assert min(shares) < 0.5 < max(shares) == pytest.approx(1.0)


def test_an_object_is_one_object_in_every_frame(shots):
    """Its id keeps its class; within a frame it is there once."""
    kinds: dict[str, str] = {}
    for _, _, shot in shots:
        ids = [each.object_id for each in shot.truth]
        assert len(ids) == len(set(ids))
        for each in shot.truth:
            assert kinds.setdefault(each.object_id, each.class_name) == each.class_name


def test_every_class_is_seen_often(shots):
    seen = Counter(each.class_name for _, _, shot in shots for each in shot.truth if each.scored)
    assert set(seen) == set(CLASSES)
    assert min(seen.values()) >= 5


def test_two_cameras_agree_where_an_object_is(shots):
    where: dict[tuple[str, float], set[tuple[float, float]]] = {}
    for _, seconds, shot in shots:
        for each in shot.truth:
            where.setdefault((each.object_id, seconds), set()).add((each.latitude, each.longitude))
    assert max(len(places) for places in where.values()) == 1


def test_objects_move_along_their_course_at_their_speed(shots, simulator):
    per_lat, per_lon = metres_per_degree(SCENARIO.latitude, SCENARIO.ground_hae)
    camera, step, checked = SCENARIO.cameras[0], 0.1, 0
    for seconds in (0.0, 10.0, 20.0, 30.0, 40.0):
        now = {each.object_id: each for each in simulator.frame(camera.camera_id, seconds).truth}
        then = simulator.frame(camera.camera_id, seconds + step).truth
        for each in then:
            before = now.get(each.object_id)
            if before is None:
                continue
            north = (each.latitude - before.latitude) * per_lat
            east = (each.longitude - before.longitude) * per_lon
            assert math.hypot(east, north) == pytest.approx(before.speed_mps * step, rel=0.03)
            off = math.degrees(math.atan2(east, north)) - before.course
            assert abs((off + 180) % 360 - 180) < 6
            checked += 1
    assert checked > 20


def test_a_frame_takes_nowhere_near_the_seconds_that_it_once_took(simulator):
    """An OpenCV call that is slow for one kind of argument made it 25 seconds."""
    began = time.perf_counter()
    simulator.frame(SCENARIO.cameras[1].camera_id, 12.25)
    assert time.perf_counter() - began < 5.0


# The noise. Only the report is made, many times over: nothing is rendered.


@pytest.mark.parametrize("camera", SCENARIO.cameras, ids=lambda camera: camera.camera_id)
def test_the_reported_sensor_is_off_by_the_declared_sigmas(simulator, camera):
    count = 1500
    pose = camera.flight.at(3.0)
    rng = np.random.default_rng(1)
    reports = [simulator._reported(camera, pose, rng) for _ in range(count)]
    latitude, longitude = flight.degrees(
        pose.east, pose.north, origin=SCENARIO.origin, ground_hae=SCENARIO.ground_hae
    )
    per_lat, per_lon = metres_per_degree(SCENARIO.latitude, SCENARIO.ground_hae)
    above = {
        "hae": SCENARIO.ground_hae,
        "agl": 0.0,
        "msl": SCENARIO.ground_hae - float(undulation(latitude, longitude)),
    }[camera.altitude_reference]
    sigma = camera.accuracy
    errors = {
        "east": ([(r.position.longitude - longitude) * per_lon for r in reports],
                 sigma.horizontal_m),
        "north": ([(r.position.latitude - latitude) * per_lat for r in reports],
                  sigma.horizontal_m),
        "up": ([r.position.altitude - above - pose.above_ground_m for r in reports],
               sigma.vertical_m),
        "heading": ([(r.attitude.heading - pose.heading + 180) % 360 - 180 for r in reports],
                    sigma.heading),
        "pitch": ([r.attitude.pitch - pose.pitch for r in reports], sigma.pitch),
        "roll": ([r.attitude.roll - pose.roll for r in reports], sigma.roll),
        "focal": ([r.intrinsics.focal_pixels / camera.focal_px - 1 for r in reports],
                  sigma.focal),
    }  # fmt: skip
    drawn = {}
    for name, (values, declared) in errors.items():
        assert declared, name
        drawn[name] = np.array(values) / declared
        # Five sigmas of the estimate of a mean and of a standard deviation.
        assert abs(drawn[name].mean()) < 5 / math.sqrt(count), name
        assert abs(drawn[name].std() - 1) < 5 / math.sqrt(2 * count), name
    together = np.corrcoef(np.stack(list(drawn.values())))
    assert np.abs(together - np.eye(len(drawn))).max() < 5 / math.sqrt(count)
    assert {r.position.altitude_reference for r in reports} == {camera.altitude_reference}
    assert all(r.accuracy == sigma for r in reports)


def test_the_three_ways_to_state_a_height_are_all_there():
    assert {camera.altitude_reference for camera in SCENARIO.cameras} == {"hae", "msl", "agl"}


def test_the_default_cameras_are_as_many_as_asked_for_and_have_names_of_their_own():
    for count in (1, 3, 7):
        cameras = Scenario.default(seed=1, cameras=count).cameras
        assert len({camera.camera_id for camera in cameras}) == count
