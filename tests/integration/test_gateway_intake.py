"""The gateway over real HTTP: what is asked wrongly is refused clearly and stores nothing."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from running import SENSOR, Gateway, Process, http, report, started, wait_for

VECTORS = sorted((Path(__file__).parents[1] / "vectors/messages/bad").glob("*.json"))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    with started(Gateway(folder, unknown_class_type="refuse")) as running:
        yield running


def problem(answer, status):
    assert answer.status == status, answer.body
    assert answer.headers["content-type"].startswith("application/problem+json")
    told = answer.json
    assert told["status"] == status
    assert told["type"].startswith("/problems/")
    assert told["instance"] == answer.headers["x-request-id"]
    return told


def stored(gateway):
    with sqlite3.connect(gateway.database) as database:
        return [
            database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("frames", "events", "unplaced")
        ]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_bad_messages_name_the_field_and_store_nothing(gateway, path):
    vector = json.loads(path.read_text())
    before = stored(gateway)
    told = problem(gateway.post(vector["message"]), 422)
    assert told["detail"] == vector["error"]
    assert told.get("limit") == vector.get("limit")
    assert stored(gateway) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"frame": NaN}', 400),
        (b"\x00\xff", 400),
        (b"[" * 100_000, 400),
        (b"[]", 422),
        (b"null", 422),
    ],
)
def test_what_is_no_message_at_all(gateway, body, status):
    told = problem(http(f"{gateway.url}/v1/detections", body=body), status)
    assert "Traceback" not in told["detail"]


def test_a_body_beyond_the_limit(tmp_path):
    with started(Gateway(tmp_path, max_body_bytes="2048")) as gateway:
        told = problem(http(f"{gateway.url}/v1/detections", body=b" " * 4096), 413)
        assert "2048" in told["limit"]
        assert gateway.post(report("1")).status == 201


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (lambda r: r["frame"].update(captured_at=_ago(hours=-3)), "frame.captured_at", "future"),
        (lambda r: r["frame"].update(captured_at=_ago(days=60)), "frame.captured_at", "past"),
        (lambda r: _car(r, 1).update({"class": "saucer"}), "detections[1].class", "class table"),
        (lambda r: _car(r, 0).update(box=[2e3, 1, 2.1e3, 5]), "detections[0].box", "960x540"),
        (lambda r: r["detections"].append(_PIXEL), "detections[2].pixel", "960x540"),
    ],
)
def test_what_cannot_be_meant(gateway, change, field, words):
    bad = report("bad")
    change(bad)
    before = stored(gateway)
    told = problem(gateway.post(bad), 422)
    assert told["field"] == field
    assert words in told["detail"]
    assert stored(gateway) == before


_PIXEL = {"class": "car", "confidence": 1, "pixel": [5, 9999]}


def _car(message, index):
    return message["detections"][index]


def _ago(**span):
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: r["frame"].pop("sensor"), "no_sensor"),
        (lambda r: r["frame"]["sensor"]["attitude"].update(pitch=30), "above_horizon"),
        (lambda r: r["frame"]["sensor"]["attitude"].update(pitch=-8), "grazing"),
        (lambda r: r["frame"]["sensor"]["position"].update(altitude=399), "below_ground"),
    ],
)
def test_what_cannot_be_placed_is_kept_counted_and_answered_with_its_reason(
    gateway, change, reason
):
    frame = json.loads(json.dumps(report(f"unplaced-{reason}")))
    if reason == "grazing":
        frame["detections"] = [{"class": "car", "confidence": 0.9, "pixel": [480, 180]}]
    change(frame)
    before, counted = stored(gateway), _count(gateway, reason)
    answer = gateway.post(frame)
    assert answer.status == 201
    results = answer.json["results"]
    assert [each["status"] for each in results] == ["unplaced"] * len(frame["detections"])
    assert {each["reason"] for each in results} == {reason}
    assert all(each["message"] for each in results)
    after = stored(gateway)
    assert after[0] == before[0] + 1
    assert after[2] == before[2] + len(results)
    assert _count(gateway, reason) == counted + len(results)


def test_what_is_refused_is_counted_by_its_reason(gateway):
    name = "sightline_gateway_reports_rejected_total"
    before = [_count(gateway, each, name) for each in ("invalid-message", "malformed-json")]
    assert http(f"{gateway.url}/v1/detections", body=b"{}").status == 422
    assert http(f"{gateway.url}/v1/detections", body=b"{").status == 400
    after = [_count(gateway, each, name) for each in ("invalid-message", "malformed-json")]
    assert after == [count + 1 for count in before]


def _count(gateway, reason, name="sightline_gateway_detections_unplaced_total"):
    text = http(f"{gateway.url}/metrics").body.decode()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith(name) and f'reason="{reason}"' in line
    )


def test_a_configured_camera_needs_no_sensor_in_its_frames(tmp_path):
    config = tmp_path / "gateway.toml"
    sensor = {**SENSOR, "platform": "fixed"}
    config.write_text(
        f"""
[[cameras]]
id = "gate"
ground_height_m = 410.0
[cameras.sensor]
platform = "fixed"
[cameras.sensor.position]
latitude = {sensor["position"]["latitude"]}
longitude = {sensor["position"]["longitude"]}
altitude = 20.0
altitude_reference = "agl"
[cameras.sensor.attitude]
heading = 90.0
pitch = -30.0
[cameras.sensor.intrinsics]
image_width = 960
image_height = 540
hfov = 60.0
"""
    )
    gateway = Gateway(tmp_path)
    gateway.command += ["--config", str(config)]
    with started(gateway):
        frame = report("1", camera="gate")
        del frame["frame"]["sensor"]
        result = gateway.post(frame).json["results"][0]
        assert result["status"] == "placed"
        assert result["position"]["hae"] == 410.0


def test_heights_above_sea_level_are_converted_with_the_geoid(tmp_path):
    """The same camera, once as HAE and once as MSL with the published undulation between them."""
    with started(Gateway(tmp_path, ground_height_m="-100")) as gateway:
        latitude, longitude, undulation = 46.8743190, 102.4487290, -43.575
        answers = {}
        for reference, altitude in (("hae", 100.0), ("msl", 100.0 - undulation)):
            frame = report(reference)
            frame["frame"]["sensor"] = json.loads(json.dumps(SENSOR))
            frame["frame"]["sensor"]["position"] = {
                "latitude": latitude, "longitude": longitude, "altitude": altitude,
                "altitude_reference": reference,
            }  # fmt: skip
            answers[reference] = gateway.post(frame).json["results"][0]["position"]
        assert answers["msl"]["longitude"] == pytest.approx(answers["hae"]["longitude"], abs=1e-6)


def test_the_answer_as_cot(gateway):
    answer = gateway.post(report("as-cot"), Accept="application/xml")
    assert answer.status == 201
    assert answer.headers["content-type"].startswith("application/xml")
    assert answer.body.count(b"<event ") == 2


def test_history_pages_and_filters(tmp_path):
    with started(Gateway(tmp_path)) as gateway:
        uids = set()
        for n in range(7):
            uids |= {each["uid"] for each in gateway.post(report(str(n))).json["results"]}
        everything = gateway.get("/v1/events?limit=1000")["events"]
        assert [each["frame_id"] for each in everything] == [
            str(n) for n in reversed(range(7)) for _ in range(2)
        ]
        paged, before = [], ""
        while True:
            page = gateway.get(f"/v1/events?limit=5{before}")
            paged += page["events"]
            if page["next"] is None:
                break
            before = f"&before={page['next']}"
        assert paged == everything
        newest_but_one = everything[2]["sequence"]
        since = gateway.get(f"/v1/events?since={newest_but_one}")["events"]
        assert [each["sequence"] for each in since] == [
            each["sequence"] for each in reversed(everything[:2])
        ]
        one = min(uids)
        assert {e["uid"] for e in gateway.get(f"/v1/events?uid={one}")["events"]} == {one}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("before=-1", "before"),
        ("sinse=5", "sinse"),
    ],
)
def test_bad_queries_name_the_parameter(gateway, query, field):
    told = problem(http(f"{gateway.url}/v1/events?{query}"), 422)
    assert told["field"] == field


def test_what_is_not_there_is_a_problem_too(gateway):
    problem(http(f"{gateway.url}/v1/nothing"), 404)
    problem(http(f"{gateway.url}/v1/detections"), 405)


def test_the_trace_goes_into_the_log(gateway):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    gateway.post(report("traced"), traceparent=trace, **{"X-Request-Id": "my-request"})
    # The line comes after the answer.
    lines = wait_for(
        lambda: [json.loads(line) for line in gateway.output.splitlines() if "my-request" in line],
        what="the log line",
    )
    assert lines[-1]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert lines[-1]["frame_id"] == "traced"
    assert lines[-1]["camera_id"] == "drone-1"


def test_a_full_queue_says_so_at_once(tmp_path):
    """With the disk held up by someone else's lock, waiting frames reach the limit."""
    with started(Gateway(tmp_path, queue_limit="4")) as gateway:
        blocker = sqlite3.connect(gateway.database, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        posts = [
            subprocess.Popen(
                ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d",
                 json.dumps(report(f"q{n}")), f"{gateway.url}/v1/detections"],
                stdout=subprocess.PIPE,
            )
            for n in range(4)
        ]  # fmt: skip
        wait_for(lambda: not _ready(gateway), what="not ready while the queue is full")
        refused = gateway.post(report("one-too-many"))
        assert problem(refused, 503)["type"] == "/problems/busy"
        assert int(refused.headers["retry-after"]) >= 1
        blocker.execute("ROLLBACK")
        assert {post.communicate()[0] for post in posts} == {b"201"}
        assert gateway.post(report("one-too-many")).status == 201


def _ready(gateway):
    return http(f"{gateway.url}/ready").status == 200


def test_a_store_that_cannot_commit_is_never_a_2xx(tmp_path):
    """Locked for longer than SQLite waits: 503, and the frame can be sent again."""
    with started(Gateway(tmp_path)) as gateway:
        blocker = sqlite3.connect(gateway.database, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        refused = gateway.post(report("1"))
        assert problem(refused, 503)["type"] == "/problems/not-stored"
        blocker.execute("ROLLBACK")
        assert gateway.post(report("1")).status == 201
        assert stored(gateway)[0] == 1


def test_sigterm_drains(tmp_path):
    """Not ready at once, still answering while it drains, then exit code 0."""
    gateway = Gateway(tmp_path, drain_seconds="1.5")
    with started(gateway):
        gateway.popen.send_signal(signal.SIGTERM)
        wait_for(lambda: not _ready(gateway), seconds=1.0, what="not ready")
        assert gateway.post(report("last")).status == 201
        assert gateway.popen.wait(15) == 0
    assert stored(gateway)[0] == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"database": "sqlite:////nowhere/at/all/x.db"}, "/nowhere/at/all does not exist"),
        ({"database": "mysql://x"}, "DATABASE"),
        ({"sink": "http://127.0.0.1:1"}, "must begin with one of tcp://"),
        ({"sink": "tcp://127.0.0.1"}, "tcp://host:port"),
        ({"ground_height_m": "99999"}, "GROUND_HEIGHT_M"),
        ({"ground_hight_m": "400"}, "GROUND_HIGHT_M"),
        ({"classes_file": "/nowhere.toml"}, "classes_file"),
        ({"unknown_class_type": "tank"}, "tank"),
    ],
)
def test_settings_that_cannot_be_used_are_one_clear_sentence(tmp_path, settings, words):
    gateway = Gateway(tmp_path, **settings)
    _refuses(gateway, words, code=2)


def _refuses(gateway, words, *, code):
    done = subprocess.run(
        gateway.command, env={**_environment(), **gateway.env}, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    sentence = done.stderr.strip().splitlines()
    assert len(sentence) == 1, done.stderr
    assert words in sentence[0]


def _environment():
    return dict(os.environ)


def test_no_ground_height_no_start(tmp_path):
    gateway = Gateway(tmp_path)
    gateway.env = {k: v for k, v in gateway.env.items() if not k.endswith("GROUND_HEIGHT_M")}
    _refuses(gateway, "ground_height_m", code=2)


def test_a_second_gateway_on_the_same_database_is_refused(tmp_path):
    with started(Gateway(tmp_path)):
        _refuses(Gateway(tmp_path), "in use by another gateway", code=2)


def test_a_taken_port_is_one_sentence(tmp_path):
    with started(Gateway(tmp_path)) as gateway:
        other = Gateway(tmp_path, database=f"sqlite:///{tmp_path / 'other.db'}")
        other.command[-1] = str(gateway.port)
        _refuses(other, str(gateway.port), code=1)


@pytest.mark.parametrize("content", [b"not a database at all, but long enough" * 40, b""])
def test_a_file_that_is_no_database(tmp_path, content):
    path = tmp_path / "gateway.db"
    path.write_bytes(content)
    gateway = Gateway(tmp_path)
    if content:
        _refuses(gateway, "cannot be used as a database", code=2)
    else:
        with started(gateway):
            assert gateway.post(report("1")).status == 201


def test_a_newer_schema_is_refused(tmp_path):
    gateway = Gateway(tmp_path)
    with started(gateway):
        pass
    with sqlite3.connect(gateway.database) as database:
        database.execute("PRAGMA user_version = 99")
    _refuses(gateway, "newer than this gateway", code=2)


def test_the_page_is_served_and_loads_nothing_from_elsewhere(gateway):
    page = http(f"{gateway.url}/")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert b"http://" not in page.body.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https://" not in page.body


def test_starting_takes_no_port_that_nobody_asked_for(tmp_path):
    port_file = tmp_path / "port"
    process = subprocess.Popen(
        [sys.executable, "-m", "cop_gateway", "--port", "0", "--port-file", str(port_file)],
        env={**_environment(), **Gateway(tmp_path).env},
    )
    try:
        wait_for(port_file.exists)
        assert http(f"http://127.0.0.1:{int(port_file.read_text())}/health").status == 200
    finally:
        process.terminate()
        assert process.wait(15) == 0


def test_a_class_that_nobody_knows_is_on_the_map_as_unknown_with_its_name(tmp_path):
    made = report("f-1", cars=1)
    made["detections"][0]["class"] = "flying saucer"
    with started(Gateway(tmp_path)) as gateway:
        answer = gateway.post(made, Accept="application/xml")
        assert answer.status == 201
        (event,) = ET.fromstring(answer.body)
        assert event.get("type") == "a-u-G"
        assert "flying saucer" in event.findtext("detail/remarks")


def test_a_store_without_room_refuses_before_the_disk_is_full(tmp_path):
    """No disk has a hundred terabytes left."""
    with_room, without = tmp_path / "a", tmp_path / "b"
    with started(Gateway(with_room)) as gateway:
        assert gateway.post(report("f-1")).status == 201
        metrics = http(f"{gateway.url}/metrics").body.decode()
        assert "sightline_gateway_disk_free_bytes{" in metrics
    process = Gateway(without, min_free_megabytes="100000000")
    Process.start(process)
    try:
        wait_for(lambda: "listening" in process.output, what="the gateway")
        told = problem(process.post(report("f-1")), 507)
        assert "MB are kept free" in told["detail"]
        ready = http(f"{process.url}/ready")
        assert ready.status == 503
        assert "storage" in ready.json["reasons"]
        assert http(f"{process.url}/v1/events").json["events"] == []
    finally:
        process.stop()
