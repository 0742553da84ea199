"""Frames in, records out: nothing lost, nothing changed in place, uids that survive a restart."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from cop_gateway.cot import Catalogue
from cop_gateway.geolocation import Limits, undulation
from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.pipeline import CameraSite, Doctrine, Ground, Picture, World, advance
from cop_gateway.pipeline.recovery import recovered
from cop_gateway.tracking import Rules
from running import SENSOR, report
from sightline.messages import (
    DetectionReport,
    Placement,
    Receipt,
    Sensor,
    Unplaced,
    convert,
    decode,
)

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
WORLD = World(
    ground=Ground(height_m=400.0, sigma_m=0.5),
    catalogue=Catalogue.load(),
    limits=Limits(),
    rules=Rules(),
    doctrine=Doctrine(),
)


def message(
    frame: str, *, seconds: float = 0.0, sensor: Any = SENSOR, boxes: Any = None, **options: Any
) -> DetectionReport:
    made = report(frame, at=NOW + timedelta(seconds=seconds), **options)
    made["frame"]["sensor"] = sensor
    if sensor is None:
        del made["frame"]["sensor"]
    if boxes is not None:
        made["detections"] = [
            {"class": "car", "confidence": 0.9, "box": list(box)} for box in boxes
        ]  # fmt: skip
    return decode(json.dumps(made).encode(), DetectionReport)


def looking(**attitude: float) -> dict[str, Any]:
    return {**SENSOR, "attitude": {**SENSOR["attitude"], **attitude}}


def told(record) -> list[Placement | Unplaced]:
    return list(decode(record.receipt, Receipt).results)


def uids(record) -> list[str]:
    return [each.uid for each in told(record)]


def of_kind(record, kind: str):
    return [each for each in record.events if each.kind == kind]


def test_each_detection_has_its_result_in_its_place_and_its_event():
    _, (record,) = advance(Picture(), [message("1", cars=5)], WORLD)
    results = told(record)
    assert [each.index for each in results] == list(range(5))
    sightings = of_kind(record, "detection")
    for result, event in zip(results, sightings, strict=True):
        assert isinstance(result, Placement)
        assert (event.index, event.uid, event.cot_type) == (
            result.index, result.uid, result.cot_type,
        )  # fmt: skip
        assert (event.latitude, event.longitude) == (
            result.position.latitude, result.position.longitude,
        )  # fmt: skip
    assert record.unplaced == ()
    assert record.key == ("drone-1", "1")


def test_the_xml_says_what_the_record_says():
    _, (record,) = advance(Picture(), [message("1", cars=2)], WORLD)
    for event in record.events:
        root = ET.fromstring(event.xml)
        assert (root.get("uid"), root.get("type")) == (event.uid, event.cot_type)
        point = root.find("point").attrib
        assert float(point["lat"]) == pytest.approx(event.latitude, abs=1e-7)
        assert float(point["lon"]) == pytest.approx(event.longitude, abs=1e-7)
        assert float(point["hae"]) == pytest.approx(event.hae, abs=0.1)
        assert float(point["ce"]) == pytest.approx(event.ce90_m, abs=0.1)
        assert float(point["le"]) == pytest.approx(event.le90_m, abs=0.1)
        assert datetime.fromisoformat(root.get("time")) == event.captured_at
        assert datetime.fromisoformat(root.get("stale")) == event.stale_at
        own = root.find("detail/__sightline").attrib
        assert (own["camera"], own["frame"]) == ("drone-1", "1")


def test_what_cannot_be_placed_is_kept_beside_what_can():
    """A camera that sees the horizon: the upper half of the image is sky."""
    level = looking(pitch=-8.0)
    frame = message("1", sensor=level, boxes=[(10, 10, 50, 30), (400, 500, 440, 530)])
    _, (record,) = advance(Picture(), [frame], WORLD)
    sky, ground = told(record)
    assert (sky.index, sky.reason) == (0, "above_horizon")
    assert ground.index == 1
    ((kept,), (event,)) = (record.unplaced, of_kind(record, "detection"))
    assert (kept.index, kept.reason, kept.detection) == (0, "above_horizon", frame.detections[0])
    assert event.index == 1


def test_without_a_sensor_everything_is_kept_and_nothing_is_sent():
    _, (record,) = advance(Picture(), [message("1", sensor=None)], WORLD)
    assert {each.reason for each in told(record)} == {"no_sensor"}
    assert len(record.unplaced) == 2
    assert record.events == ()


def test_an_empty_frame_is_a_record_too():
    _, (record,) = advance(Picture(), [message("1", cars=0)], WORLD)
    assert told(record) == []
    assert of_kind(record, "detection") == []


def test_a_group_is_worked_on_as_its_frames_one_by_one():
    frames = [
        message("1", seconds=0.0),
        message("2", seconds=0.2, sensor=None),
        message("3", seconds=0.4, camera="drone-2", cars=3),
        message("4", seconds=1.5, sensor=looking(heading=91.0)),
        message("5", seconds=1.6, cars=0),
    ]
    together, group = advance(Picture(), frames, WORLD)
    picture, alone = Picture(), []
    for frame in frames:
        picture, (record,) = advance(picture, [frame], WORLD)
        alone.append(record)
    assert group == alone
    assert together.tracks.uid == picture.tracks.uid
    assert together.platforms == picture.platforms


def test_a_step_changes_no_picture_in_place():
    """The old one still stands when the commit fails."""
    picture, _ = advance(Picture(), [message("1")], WORLD)
    before = {f.name: np.copy(getattr(picture.tracks, f.name)) for f in fields(picture.tracks)}
    platforms = dict(picture.platforms)
    one = advance(picture, [message("2", seconds=2.0)], WORLD)
    for name, value in before.items():
        assert np.array_equal(np.asarray(getattr(picture.tracks, name)), value)
    assert picture.platforms == platforms
    assert advance(picture, [message("2", seconds=2.0)], WORLD)[1] == one[1]


def test_a_camera_tells_of_itself_once_in_its_interval():
    frames = [message(str(n), seconds=n * 0.25) for n in range(9)]
    _, records = advance(Picture(), frames, WORLD)
    told_at = [n * 0.25 for n, each in enumerate(records) if of_kind(each, "platform")]
    assert told_at == [0.0, 1.0, 2.0]
    never = replace(WORLD, doctrine=Doctrine(platform_interval_seconds=None))
    _, records = advance(Picture(), frames, never)
    assert all({event.kind for event in each.events} == {"detection"} for each in records)


def test_each_camera_has_an_interval_of_its_own():
    frames = [message(f"{n}", camera=f"drone-{n}") for n in range(3)]
    _, records = advance(Picture(), frames, WORLD)
    assert [len(of_kind(each, "platform")) for each in records] == [1, 1, 1]


def test_a_camera_that_sees_no_ground_is_on_the_map_without_a_point_of_interest():
    _, (record,) = advance(Picture(), [message("1", cars=0, sensor=looking(pitch=20.0))], WORLD)
    (platform,) = of_kind(record, "platform")
    assert of_kind(record, "interest") == []
    cone = ET.fromstring(platform.xml).find("detail/sensor").attrib
    assert "range" not in cone
    _, (record,) = advance(Picture(), [message("1", cars=0)], WORLD)
    (platform,), (interest,) = of_kind(record, "platform"), of_kind(record, "interest")
    cone = ET.fromstring(platform.xml).find("detail/sensor").attrib
    # 100 m above ground at 45 degrees.
    assert float(cone["range"]) == pytest.approx(100 * 2**0.5, abs=1.0)
    assert float(cone["azimuth"]) == pytest.approx(90.0)
    assert interest.hae == pytest.approx(400.0)
    position = SENSOR["position"]
    assert platform.latitude == pytest.approx(position["latitude"])
    assert platform.hae == pytest.approx(position["altitude"])


@pytest.mark.parametrize(("simulated", "how"), [(False, "m-i"), (True, "m-s")])
def test_simulated_events_say_so(simulated, how):
    world = replace(WORLD, doctrine=Doctrine(simulated=simulated))
    _, (record,) = advance(Picture(), [message("1")], world)
    for event in of_kind(record, "detection"):
        assert ET.fromstring(event.xml).get("how") == how
    if simulated:
        assert {ET.fromstring(event.xml).get("how") for event in record.events} == {"m-s"}


def test_an_error_as_one_sigma_is_smaller_by_the_quantile():
    """90 % of a circular normal distribution is within sqrt(-2 ln 0.1) sigmas."""
    sigma = replace(WORLD, doctrine=Doctrine(ce_meaning="sigma"))
    ces = {}
    for name, world in (("ce90", WORLD), ("sigma", sigma)):
        _, (record,) = advance(Picture(), [message("1", cars=1)], world)
        point = ET.fromstring(of_kind(record, "detection")[0].xml).find("point")
        ces[name] = float(point.get("ce"))
    assert ces["ce90"] / ces["sigma"] == pytest.approx((-2 * np.log(0.1)) ** 0.5, rel=0.03)


def test_the_frames_own_sensor_goes_before_the_configured_one():
    fixed = convert({**looking(heading=270.0), "platform": "fixed"}, Sensor)
    world = replace(
        WORLD, ground=replace(WORLD.ground, cameras={"drone-1": CameraSite(sensor=fixed)})
    )
    _, (stated,) = advance(Picture(), [message("1")], world)
    _, (configured,) = advance(Picture(), [message("1", sensor=None)], world)
    own = SENSOR["position"]["longitude"]
    assert all(each.position.longitude > own for each in told(stated))
    assert all(each.position.longitude < own for each in told(configured))


def test_heights_of_the_ground():
    latitude, longitude = 47.3977, 8.5456
    ground = Ground(height_m=400.0, cameras={"gate": CameraSite(ground_height_m=410.0)})
    assert ground.hae("drone-1", latitude, longitude) == 400.0
    assert ground.hae("gate", latitude, longitude) == 410.0
    sea = replace(ground, reference="msl")
    above = float(undulation(latitude, longitude))
    assert sea.hae("drone-1", latitude, longitude) == pytest.approx(400.0 + above)
    assert sea.hae("gate", latitude, longitude) == pytest.approx(410.0 + above)


# After a restart.


def moving(frame: int, *, seconds: float) -> DetectionReport:
    """Two cars, one of which drives across the image."""
    return message(
        f"frame-{frame}",
        seconds=seconds,
        boxes=[(100 + 8 * frame, 200, 140 + 8 * frame, 230), (600, 300, 640, 330)],
    )


@pytest.fixture
def outbox(tmp_path):
    opened = SqliteOutbox(tmp_path / "gateway.db")
    yield opened
    opened.close()


def test_objects_keep_their_uids_over_a_restart(outbox):
    picture = Picture()
    for n in range(20):
        picture, records = advance(picture, [moving(n, seconds=n * 0.2)], WORLD)
        outbox.commit(records, NOW)
    again = Picture(tracks=recovered(outbox.events(Query(limit=5_000)), WORLD.rules))
    _, (before,) = advance(picture, [moving(20, seconds=4.0)], WORLD)
    _, (after,) = advance(again, [moving(20, seconds=4.0)], WORLD)
    assert uids(after) == uids(before)
    assert len(set(uids(after))) == 2


def test_what_is_recovered_is_each_objects_newest_sighting(outbox):
    picture = Picture()
    for n in range(20):
        picture, records = advance(picture, [moving(n, seconds=n * 0.2)], WORLD)
        outbox.commit(records, NOW)
    tracks = recovered(outbox.events(Query(limit=5_000)), WORLD.rules)
    assert sorted(tracks.uid) == sorted(picture.tracks.uid)
    mine = {uid: i for i, uid in enumerate(picture.tracks.uid)}
    for i, uid in enumerate(tracks.uid):
        (newest, *_) = outbox.events(Query(uid=uid))
        assert tracks.seconds[i] == newest.captured_at.timestamp()
        assert tracks.latitude[i] == newest.position.latitude
        assert tracks.longitude[i] == newest.position.longitude
        assert tracks.class_name[i] == newest.class_name
        east, north = tracks.velocity[i]
        if newest.speed_mps is None:
            assert (east, north) == (0.0, 0.0)
        else:
            assert np.hypot(east, north) == pytest.approx(newest.speed_mps)
            assert np.degrees(np.arctan2(east, north)) % 360 == pytest.approx(newest.course)
        # As far as is known, not surer of itself than it was.
        assert tracks.seconds[i] == picture.tracks.seconds[mine[uid]]
        assert np.linalg.eigvalsh(tracks.covariance[i]).min() > 0
    assert any(each.speed_mps is not None for each in outbox.events(Query()))


def test_an_object_that_was_gone_for_too_long_is_a_new_one_after_a_restart_too(outbox):
    _, (first,) = advance(Picture(), [moving(0, seconds=0.0)], WORLD)
    outbox.commit([first], NOW)
    tracks = recovered(outbox.events(Query()), WORLD.rules)
    late = moving(1, seconds=WORLD.rules.timeout_seconds + 5)
    _, (after,) = advance(Picture(tracks=tracks), [late], WORLD)
    assert not set(uids(after)) & set(uids(first))


def test_an_empty_store_is_no_tracks():
    assert len(recovered([], WORLD.rules)) == 0
