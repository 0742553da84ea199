"""Every event that the gateway can write passes a checker that knows nothing of the gateway."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cop_gateway.app import world
from cop_gateway.cot import negotiation, ping, pong
from cop_gateway.delivery.presence import presence
from cop_gateway.delivery.transform import Transform
from cop_gateway.pipeline import Picture, advance
from cop_gateway.pipeline.placing import Fix
from cop_gateway.pipeline.sighting import SightingWriter, placement
from cop_gateway.settings import PREFIX, Settings
from cot_checker import problems
from serving.configuration import load
from serving.errors import ConfigurationError
from sightline.messages import (
    Attitude,
    Box,
    Detection,
    DetectionReport,
    Frame,
    Intrinsics,
    Position,
    Sensor,
)

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
WORLD = world(Settings(database="sqlite:///x.db", ground_height_m=400.0))

FIX = Fix(
    status=0, latitude=47.0, longitude=8.0, hae=400.0, ce90_m=5.0, le90_m=1.0, semimajor_m=2.5,
    semiminor_m=2.0, azimuth=10.0,
)  # fmt: skip
SENSOR = Sensor(
    position=Position(latitude=47.0, longitude=8.0, altitude=500.0, altitude_reference="hae"),
    attitude=Attitude(heading=90.0, pitch=-45.0, roll=0.0),
    intrinsics=Intrinsics(image_width=960, image_height=540, focal_px=900.0),
    platform="drone",
)

names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=64)
boxes = st.tuples(st.floats(0, 950), st.floats(0, 530), st.floats(1, 500), st.floats(1, 500)).map(
    lambda b: Box(b[0], b[1], min(960.0, b[0] + b[2]), min(540.0, b[1] + b[3]))
)
sensors = st.builds(
    Sensor,
    position=st.builds(
        Position,
        latitude=st.floats(-89.9, 89.9),
        longitude=st.floats(0.001, 180) | st.floats(-180, -0.001),
        altitude=st.floats(401, 3000),
        altitude_reference=st.just("hae"),
    ),
    attitude=st.builds(
        Attitude,
        heading=st.floats(0, 359.99),
        pitch=st.floats(-90, 0),
        roll=st.floats(-20, 20),
    ),
    intrinsics=st.builds(
        Intrinsics,
        image_width=st.just(960),
        image_height=st.just(540),
        focal_px=st.floats(300, 5000),
    ),
    platform=st.sampled_from(["drone", "fixed", "aircraft"]),
)
reports = st.builds(
    DetectionReport,
    frame=st.builds(
        Frame,
        frame_id=st.just("f"),
        camera_id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,60}", fullmatch=True),
        captured_at=st.integers(0, 10**9).map(lambda ms: NOW + timedelta(milliseconds=ms)),
        sensor=sensors,
    ),
    detections=st.lists(
        st.builds(
            Detection,
            class_name=names | st.sampled_from(["car", "boat", "person"]),
            confidence=st.floats(0, 1),
            box=boxes,
        ),
        max_size=4,
    ).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(reports, min_size=1, max_size=5))
def test_sightings_cameras_and_points_of_interest(made: list[DetectionReport]) -> None:
    _, records = advance(Picture(), made, WORLD)
    events = [event for record in records for event in record.events]
    transform = Transform(
        access="Restricted", caveat='"&<', releasable_to="A, B", groups=("x&y",),
        callsign_prefix="<EX> ",
    )  # fmt: skip
    for event in events:
        assert problems(event.xml) == []
        assert problems(transform.apply(event.xml)) == []


@given(names, names, st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180)))
def test_what_we_say_of_ourselves(
    uid: str, callsign: str, where: tuple[float, float] | None
) -> None:
    write = presence(
        uid=uid, callsign=callsign, cot_type="a-f-G-U-C", version="1", seconds=60, where=where
    )
    assert problems(write(NOW)) == []
    assert problems(ping(uid, NOW)) == []
    assert problems(negotiation.request(uid, NOW, 1)) == []


def test_the_answer_to_a_ping() -> None:
    assert problems(pong(NOW)) == []


GOOD = pong(NOW).decode()


@pytest.mark.parametrize(
    ("good", "bad", "named"),
    [
        ('version="2.0"', 'version="1.0"', "version"),
        ('type="t-x-c-t-r"', 'type="a-x"', "type"),
        ('how="m-g"', 'how="machine"', "how"),
        ('lat="0.0000000"', 'lat="1e-05"', "lat"),
        ('lat="0.0000000"', 'lat="-0.0000000"', "minus nought"),
        ('lon="0.0000000"', 'lon="181.0"', "lon"),
        ('hae="0.00"', 'hae="NaN"', "hae"),
        (".000Z", "Z", "time"),
        ("10:00:20.000Z", "09:00:20.000Z", "stale"),
        ("<event", "<!DOCTYPE event><event", "document type"),
        ("</event>", "", "not XML"),
        ("<detail></detail>", "<detail/><detail/>", "more than one"),
        ("<detail></detail>", '<detail><track course="360" speed="1"/></detail>', "course"),
        ('uid="takPong"', 'uid=""', "no uid"),
    ],
)
def test_the_checker_finds_what_is_wrong(good: str, bad: str, named: str) -> None:
    assert good in GOOD
    assert any(named in each for each in problems(GOOD.replace(good, bad))), problems(
        GOOD.replace(good, bad)
    )


@pytest.mark.parametrize(("course", "told"), [(359.97, "0.0"), (359.94, "359.9"), (0.0, "0.0")])
def test_a_bearing_is_below_360(course: float, told: str) -> None:
    report = DetectionReport(
        frame=Frame(frame_id="f", camera_id="c", captured_at=NOW),
        detections=(Detection(class_name="car", confidence=0.9, box=Box(1, 1, 2, 2)),),
    )
    event = SightingWriter(report, WORLD.doctrine).event(
        placement(0, FIX, "track-1", None), FIX, None, course=course, speed_mps=5.0
    )
    assert problems(event.xml) == []
    assert f'course="{told}"' in event.xml
    assert event.course == float(told)


def sighting(settings: Settings, class_name: str = "car", frame_id: str = "f 1/2") -> ET.Element:
    report = DetectionReport(
        frame=Frame(frame_id=frame_id, camera_id="c+1", captured_at=NOW),
        detections=(Detection(class_name=class_name, confidence=0.9, box=Box(1, 1, 2, 2)),),
    )
    ours = world(settings)
    kind = ours.catalogue.find(class_name)
    event = SightingWriter(report, ours.doctrine).event(
        placement(0, FIX, "track-1", kind), FIX, kind, course=float("nan"), speed_mps=float("nan")
    )
    assert problems(event.xml) == []
    return ET.fromstring(event.xml)


def test_exercise_and_quality_of_service_are_on_every_event() -> None:
    marked = Settings(
        database="sqlite:///x.db", ground_height_m=400.0, opex="e-NORTH.26", qos="5-r-d"
    )
    assert sighting(marked).attrib.items() >= {"opex": "e-NORTH.26", "qos": "5-r-d"}.items()
    plain = Settings(database="sqlite:///x.db", ground_height_m=400.0)
    assert not {"opex", "qos"} & sighting(plain).attrib.keys()
    report = DetectionReport(
        frame=Frame(frame_id="f", camera_id="c", captured_at=NOW, sensor=SENSOR), detections=()
    )
    _, (record,) = advance(Picture(), [report], world(marked))
    assert [e.kind for e in record.events] == ["platform", "interest"]
    for each in record.events:
        assert problems(each.xml) == []
        assert ET.fromstring(each.xml).get("opex") == "e-NORTH.26"


@pytest.mark.parametrize("opex", ["x", "e-", "o-NAME", 'e-"'])
def test_an_exercise_that_is_none_is_refused(opex: str) -> None:
    with pytest.raises(ConfigurationError, match="OPEX"):
        asked(OPEX=opex)


def test_the_picture_is_linked_with_its_names_quoted() -> None:
    event = sighting(
        Settings(
            database="sqlite:///x.db", ground_height_m=400.0,
            image_url="https://pictures.example/{camera_id}/{frame_id}.png?a=1&b=2",
        )
    )  # fmt: skip
    producer, picture = event.findall("detail/link")
    assert producer.get("relation") == "p-p"
    assert picture.get("url") == "https://pictures.example/c%2B1/f%201%2F2.png?a=1&b=2"
    assert picture.get("mime") == "image/png"


def test_a_blank_of_the_picture_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"image_url.*\{frame\}"):
        asked(IMAGE_URL="https://pictures.example/{frame}")


def asked(**variables: str) -> Settings:
    given = {"DATABASE": "sqlite:///x.db", "GROUND_HEIGHT_M": "400", **variables}
    return load(
        Settings, prefix=PREFIX, environ={f"{PREFIX}{name}": text for name, text in given.items()}
    )


def test_a_class_can_raise_an_alarm(tmp_path: Path) -> None:
    table = tmp_path / "classes.yaml"
    table.write_text("fire:\n  type: a-u-X-i-f\n  emergency: 911 Alert\n")
    ours = Settings(database="sqlite:///x.db", ground_height_m=400.0, classes_file=str(table))
    alarm = sighting(ours, "fire").find("detail/emergency")
    assert alarm is not None
    assert alarm.get("type") == "911 Alert"
    assert alarm.text == "fire ck-1"
    assert sighting(ours, "car").find("detail/emergency") is None
