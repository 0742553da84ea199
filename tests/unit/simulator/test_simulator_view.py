"""The simulated camera: its own way to the ground and back, its light and its grain."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sightline.simulator import Light, Scenario, flight, terrain
from sightline.simulator.flight import Mast, Pose, Racetrack
from sightline.simulator.objects import CLASSES, Loop, SceneObject, shape
from sightline.simulator.rendering import Placed, View, expose, paint_objects, terrain_seen
from sightline.simulator.scenario import populate

WIDTH, HEIGHT = 960, 540
DISTORTIONS = ((0.0, 0.0, 0.0, 0.0, 0.0), (-0.12, 0.02, 0.0008, -0.0006, 0.0))


def view_of(pose: Pose, *, latitude=47.3769, longitude=8.5417, ground=455.0, bend=DISTORTIONS[0]):
    origin = (latitude, longitude)
    return View(
        camera=flight.camera(
            pose, origin=origin, ground_hae=ground, focal_px=900.0,
            centre=(WIDTH / 2, HEIGHT / 2), distortion=bend,
        ),
        width=WIDTH, height=HEIGHT, origin=origin, ground_hae=ground,
    )  # fmt: skip


@settings(max_examples=300)
@given(
    latitude=st.floats(-70, 70),
    longitude=st.floats(-170, 170),
    ground=st.floats(-100, 3000),
    east=st.floats(-200, 200),
    north=st.floats(-200, 200),
    above=st.floats(10, 200),
    heading=st.floats(0, 360),
    pitch=st.floats(-90, -10),
    roll=st.floats(-20, 20),
    bend=st.sampled_from(DISTORTIONS),
    u=st.floats(0, WIDTH),
    v=st.floats(0, HEIGHT),
)
def test_the_ground_under_a_pixel_is_seen_in_that_pixel(
    latitude, longitude, ground, east, north, above, heading, pitch, roll, bend, u, v
):
    pose = Pose(
        east=east, north=north, above_ground_m=above, heading=heading, pitch=pitch, roll=roll
    )
    view = view_of(pose, latitude=latitude, longitude=longitude, ground=ground, bend=bend)
    there = view.ground(np.array([u]), np.array([v]))
    assume(np.isfinite(there[0][0]))
    assume(math.hypot(there[0][0] - east, there[1][0] - north) < 2000)
    point = np.array([[there[0][0], there[1][0], 0.0]])
    back_u, back_v, depth = view.pixels(point)
    assert depth[0] > 0
    # A millimetre on the ground, as it is seen from there.
    again = view.ground(back_u, back_v)
    assert np.hypot(again[0] - there[0], again[1] - there[1])[0] < 1e-3
    assert math.hypot(back_u[0] - u, back_v[0] - v) < 1e-3 * 900.0 / depth[0] + 1e-6


def test_straight_down_the_middle_of_the_image_is_under_the_camera():
    """And the top of the image is towards the heading: independent of any inverse."""
    pose = Pose(east=30.0, north=-20.0, above_ground_m=90.0, heading=90.0, pitch=-90.0, roll=0.0)
    view = view_of(pose)
    east, north = view.ground(
        np.array([WIDTH / 2, WIDTH / 2, WIDTH / 2 + 100]),
        np.array([HEIGHT / 2, HEIGHT / 2 - 100, HEIGHT / 2]),
    )
    reach = 90.0 * 100 / 900.0
    assert east == pytest.approx([30.0, 30.0 + reach, 30.0], abs=0.02)
    assert north == pytest.approx([-20.0, -20.0, -20.0 - reach], abs=0.02)


def test_above_the_horizon_there_is_no_ground():
    level = Pose(east=0, north=0, above_ground_m=50, heading=0, pitch=0, roll=0)
    view = view_of(level)
    east, north = view.ground(np.array([480.0, 480.0]), np.array([100.0, 500.0]))
    assert np.isnan([east[0], north[0]]).all()
    assert np.isfinite([east[1], north[1]]).all()


def test_the_terrain_is_painted_where_it_is():
    """A map that is black but for one white square: it is seen in the pixels of its place."""
    picture = np.zeros((terrain.TEXELS, terrain.TEXELS, 3), np.uint8)
    square = ((18.0, -12.0), (22.0, -8.0))
    (column1, row2), (column2, row1) = (terrain.texel(*corner) for corner in square)
    picture[round(row1) : round(row2), round(column1) : round(column2)] = 255
    pose = Pose(east=0, north=-60, above_ground_m=60, heading=10, pitch=-45, roll=3)
    view = view_of(pose, bend=DISTORTIONS[1])
    rows, columns = np.nonzero(terrain_seen(view, picture)[..., 0] > 127)
    u, v, _ = view.pixels(np.array([20.0, -10.0, 0.0]))
    assert len(rows) > 100
    assert columns.mean() + 0.5 == pytest.approx(float(u), abs=2.0)
    assert rows.mean() + 0.5 == pytest.approx(float(v), abs=2.0)


def test_what_stands_behind_something_is_seen_in_part():
    """A car right behind another one, a third far aside; the camera looks north, flat and low."""
    faces, height = shape("car", np.random.default_rng(1))
    way = Loop.of(centre=(0.0, 0.0), radii=(1.0, 1.0), turn=0.0, start=0.0, speed_mps=0.0)

    def parked(name: str, east: float, north: float) -> Placed:
        thing = SceneObject(
            object_id=name, class_name="car", faces=faces, way=way, height_m=height
        )  # fmt: skip
        return Placed(thing=thing, east=east, north=north, course=0.0)

    pose = Pose(east=0, north=0, above_ground_m=4, heading=0, pitch=-5, roll=0)
    placed = [parked("near", 0, 30), parked("behind", 0, 36), parked("aside", 12, 36)]
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    near, behind, aside = paint_objects(image, view_of(pose), placed, Light())
    assert near.visible == aside.visible == pytest.approx(1.0)
    assert behind.visible < 0.7
    beyond = paint_objects(image, view_of(pose), [parked("back", 0, -30)], Light())
    assert beyond == [None]


# Light, lens and sensor.


def flat(level: int = 128, size: tuple[int, int] = (200, 300)):
    return np.full((*size, 3), level, np.uint8)


PLAIN = dict(gain=1.0, gamma=1.0, haze=0.0, cast=(1.0, 1.0, 1.0), blur_px=0.0, grain=0.0)


def test_without_light_lens_and_sensor_an_image_stays_as_it_is():
    image = np.random.default_rng(1).integers(0, 256, (50, 60, 3)).astype(np.uint8)
    out = expose(image, Light(**PLAIN), np.random.default_rng(2))
    assert np.abs(out.astype(int) - image).max() <= 1


@pytest.mark.parametrize("grain", [1.0, 4.0, 8.0])
def test_grain_is_in_every_colour_of_the_declared_sigma(grain):
    """Once only blue had it: OpenCV took one number for the first channel alone."""
    out = expose(flat(), Light(**(PLAIN | {"grain": grain})), np.random.default_rng(3))
    noise = out.reshape(-1, 3).astype(float) - 128
    # Whole levels: rounding adds a variance of 1/12.
    expected = math.sqrt(grain**2 + 1 / 12)
    assert noise.std(axis=0) == pytest.approx([expected] * 3, rel=0.05)
    assert np.abs(noise.mean(axis=0)).max() < 0.2
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.05


def test_grain_is_the_same_for_the_same_generator_and_other_for_another():
    light = Light(**(PLAIN | {"grain": 3.0}))
    one, same, other = (expose(flat(), light, np.random.default_rng(n)) for n in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_light_does_what_it_says():
    def seen(**changes):
        out = expose(flat(100), Light(**(PLAIN | changes)), np.random.default_rng(1))
        return out[0, 0].astype(float)

    assert seen(gain=1.5) == pytest.approx(150, abs=1)
    assert (seen(gamma=0.5) > 100).all()
    assert (seen(haze=0.5) > 100).all()
    blue, green, red = seen(cast=(1.2, 1.0, 0.8))
    assert (blue, green, red) == pytest.approx((120, 100, 80), abs=1)


# The world.


@pytest.fixture(scope="module", params=[1, 7])
def world(request):
    scenario = Scenario.default(seed=request.param)
    land = terrain.paint(scenario.seed)
    return scenario, land, populate(scenario, land)


def in_lake(lake, east, north):
    """Below one inside of the ellipse."""
    x, y = east - lake.centre[0], north - lake.centre[1]
    along = x * math.cos(lake.turn) + y * math.sin(lake.turn)
    across = y * math.cos(lake.turn) - x * math.sin(lake.turn)
    return math.hypot(along / lake.radii[0], across / lake.radii[1])


def test_boats_are_on_the_lake_all_over_and_the_others_on_land(world):
    _, land, objects = world
    for each in objects:
        for seconds in np.arange(0, 300, 7.0):
            east, north, course = each.way.at(seconds)
            if each.class_name != "boat":
                assert in_lake(land.lake, east, north) > 1.0, each.object_id
                continue
            for face in each.faces:
                for x, y, _ in face.corners:
                    corner = (
                        east + x * math.sin(course) - y * math.cos(course),
                        north + x * math.cos(course) + y * math.sin(course),
                    )
                    assert in_lake(land.lake, *corner) < 1.0, each.object_id


def test_the_lake_is_painted_where_it_is(world):
    """Water has less red than blue; meadows, woods and earth have not."""
    _, land, _ = world

    def colour(share):
        angles = np.linspace(0, 2 * math.pi, 200)
        x, y = land.lake.radii[0] * share * np.cos(angles), land.lake.radii[1] * share * np.sin(
            angles
        )  # fmt: skip
        cos, sin = math.cos(land.lake.turn), math.sin(land.lake.turn)
        column, row = terrain.texel(
            land.lake.centre[0] + x * cos - y * sin, land.lake.centre[1] + x * sin + y * cos
        )
        texels = land.picture[np.round(row).astype(int), np.round(column).astype(int)]
        return texels.astype(float)

    inside = np.concatenate([colour(share) for share in (0.3, 0.6, 0.95)])
    assert np.mean(inside[:, 0] > inside[:, 2]) > 0.9
    outside = colour(1.08)
    assert np.mean(outside[:, 0] > outside[:, 2]) < 0.5


def test_there_are_as_many_as_asked_for(world):
    scenario, _, objects = world
    kinds = [each.class_name for each in objects]
    assert kinds.count("car") + kinds.count("truck") == scenario.vehicles
    assert kinds.count("person") == scenario.people
    assert kinds.count("boat") == scenario.boats
    assert len({each.object_id for each in objects}) == len(objects)


@pytest.mark.parametrize("class_name", CLASSES)
def test_a_shape_stands_on_the_ground_and_is_as_high_as_it_says(class_name):
    size = {"car": (4.5, 1.8), "truck": (8.0, 2.5), "person": (0.4, 0.58), "boat": (7.0, 2.5)}
    for seed in range(20):
        faces, height = shape(class_name, np.random.default_rng(seed))
        corners = np.concatenate([face.corners for face in faces])
        assert corners[:, 2].min() == 0.0
        assert corners[:, 2].max() == pytest.approx(height, abs=0.05)
        long, wide = np.ptp(corners[:, 0]), np.ptp(corners[:, 1])
        assert long == pytest.approx(size[class_name][0], rel=0.6)
        assert wide == pytest.approx(size[class_name][1], rel=0.3)
        # The origin is under its middle.
        assert np.abs(corners[:, :2].min(axis=0) + corners[:, :2].max(axis=0)).max() < 0.3


def test_faces_are_wound_so_that_they_look_outwards():
    """A closed shape: every wall's normal points away from the middle axis of its body."""
    faces, _ = shape("car", np.random.default_rng(1))
    for face in faces[:5]:
        normal = np.cross(face.corners[1] - face.corners[0], face.corners[2] - face.corners[0])
        outwards = face.corners.mean(axis=0) - np.array([0.0, 0.0, 0.4])
        assert normal @ outwards > 0


# Ways.


@given(
    st.floats(15, 100), st.floats(0.5, 1), st.floats(0, 6.3), st.floats(0, 1), st.floats(0.5, 15),
    st.booleans(), st.floats(0, 500),
)  # fmt: skip
def test_a_loop_is_run_through_at_its_speed_in_its_direction(
    major, ratio, turn, start, speed, back, seconds
):
    loop = Loop.of(
        centre=(3.0, -4.0), radii=(major, major * ratio), turn=turn, start=start,
        speed_mps=-speed if back else speed,
    )  # fmt: skip
    step = 0.02
    east, north, course = loop.at(seconds)
    then_east, then_north, _ = loop.at(seconds + step)
    moved = math.hypot(then_east - east, then_north - north)
    assert moved == pytest.approx(speed * step, rel=0.02)
    ahead = (then_east - east) * math.sin(course) + (then_north - north) * math.cos(course)
    assert ahead > 0.99 * moved


@given(st.floats(0, 600))
def test_a_drone_flies_at_its_speed_without_a_jump_and_looks_at_its_target(seconds):
    track = Racetrack(
        centre=(5.0, -8.0), straight_m=70.0, radius_m=40.0, axis=30.0, start=0.3, speed_mps=10.0,
        above_ground_m=60.0, target=(40.0, 10.0), wander_m=0.0,
    )  # fmt: skip
    pose, then = track.at(seconds), track.at(seconds + 0.1)
    assert math.hypot(then.east - pose.east, then.north - pose.north) == pytest.approx(
        1.0, rel=0.01
    )
    view = view_of(pose)
    u, v, depth = view.pixels(np.array([40.0, 10.0, 0.0]))
    assert depth > 0
    assert (float(u), float(v)) == pytest.approx((WIDTH / 2, HEIGHT / 2), abs=1.0)


def test_a_mast_stands_still():
    pose = Pose(east=1, north=2, above_ground_m=3, heading=4, pitch=-5, roll=6)
    assert Mast(pose=pose).at(0.0) == Mast(pose=pose).at(1e6) == pose


def test_terrain_is_the_seeds_own():
    assert np.array_equal(terrain.paint(3).picture, terrain.paint(3).picture)
    assert not np.array_equal(terrain.paint(3).picture, terrain.paint(4).picture)
