"""The gateway does what it says of itself at /v1/openapi.json, and says all that it does."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from access import new_key
from conforming import Call, Description
from fakes.tak_server import TakServer
from running import Answer, Gateway, Process, http, report, started, wait_for

COMMITTED = Path(__file__).parents[2] / "docs/reference/openapi/cop-gateway.json"
DESCRIPTION = Description(json.loads(COMMITTED.read_text(encoding="utf-8")))
CALLS = {(call.method, call.path): call for call in DESCRIPTION.calls()}
KEYS = {role: new_key(role, (role,)) for role in ("detect", "read", "operate")}
INCLUDED = {"detect": {"detect"}, "read": {"read"}, "operate": {"read", "operate"}}
EVER = {"max_age_seconds": "3000000000", "max_future_seconds": "86400"}
"""The examples have a date."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Behind keys, with a sink and two sightings."""
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "keys.toml").write_text("".join(entry for _, entry in KEYS.values()))
    (folder / "secret").write_text("a token secret that is long enough")
    server = TakServer()
    process = Gateway(
        folder,
        sink=server.url,
        max_body_bytes="65536",
        access__keys=str(folder / "keys.toml"),
        access__token_secret_file=str(folder / "secret"),
        **EVER,
    )
    with started(process):
        assert process.post(report("f-1"), **shown("detect")).status == 201
        yield process
    server.close()


def shown(role: str | None) -> dict[str, str]:
    return {} if role is None else {"Authorization": f"Bearer {KEYS[role][0]}"}


def role_of(call: Call) -> str | None:
    """A role that is enough for it."""
    for scheme in call.described["security"]:
        return next(iter(scheme["bearer"]), "read")
    return None


def ask(
    gateway: Gateway, method: str, path: str, body: bytes | None = None, **headers: str
) -> Answer:
    """One request, its answer held against the description."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        got = connection.getresponse()
        endless = got.headers["content-type"].startswith("text/event-stream")
        answer = Answer(got.status, dict(got.headers), b"" if endless else got.read())
    finally:
        connection.close()
    DESCRIPTION.check(method, path, answer)
    return answer


def filled(gateway: Gateway, path: str) -> str:
    """The path with names that are there."""
    if "{uid}" in path:
        seen = http(f"{gateway.url}/v1/events", headers=shown("read")).json["events"]
        path = path.replace("{uid}", seen[0]["uid"])
    path = path.replace("{name}", "tak")
    return path + "?camera_id=drone-1&frame_id=f-1" if path == "/v1/audit" else path


def test_it_is_what_is_committed_and_needs_no_key(gateway: Gateway) -> None:
    answer = ask(gateway, "GET", "/v1/openapi.json")
    assert answer.json == DESCRIPTION.document


@pytest.mark.parametrize("call", CALLS.values(), ids=lambda call: f"{call.method} {call.path}")
def test_each_call_takes_the_role_that_it_says(gateway: Gateway, call: Call) -> None:
    path = filled(gateway, call.path)
    needed = next(iter(call.described["security"]), {"bearer": []})["bearer"]
    for role in (None, "detect", "read", "operate"):
        answer = ask(gateway, call.method, path, **shown(role))
        if not needed:
            assert (answer.status == 401) == (role is None and call.path == "/v1/auth/token")
        elif role is None:
            assert answer.status == 401
        else:
            assert (answer.status == 403) == (needed[0] not in INCLUDED[role])


REQUESTS = [
    (call, media_type, example["value"])
    for call in CALLS.values()
    for media_type, media in call.described.get("requestBody", {"content": {}})["content"].items()
    for example in media["examples"].values()
]


@pytest.mark.parametrize(
    ("call", "media_type", "value"),
    REQUESTS,
    ids=[f"{call.path} {media_type} {n}" for n, (call, media_type, _) in enumerate(REQUESTS)],
)
def test_each_example_can_be_sent(
    gateway: Gateway, call: Call, media_type: str, value: Any
) -> None:
    body = value if isinstance(value, str) else json.dumps(value)
    path = filled(gateway, call.path)
    headers = {"Content-Type": media_type, **shown(role_of(call))}
    answer = ask(gateway, call.method, path, body.encode(), **headers)
    assert answer.status in (200, 201)
    if media_type.endswith("json") and isinstance(value, str):
        assert all("results" in json.loads(line) for line in answer.body.splitlines())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", [path for method, path in CALLS if method == "GET"])
def test_whatever_can_be_looked_at_answers_as_described(
    gateway: Gateway, method: str, path: str
) -> None:
    role = role_of(CALLS["GET", path])
    assert ask(gateway, method, filled(gateway, path), **shown(role)).status == 200


PARAMETERS = [
    (call, parameter)
    for call in CALLS.values()
    for parameter in call.described["parameters"]
    if parameter.get("in") == "query"
]


@pytest.mark.parametrize(
    ("call", "parameter"),
    PARAMETERS,
    ids=[f"{call.path} {parameter['name']}" for call, parameter in PARAMETERS],
)
def test_each_parameter_has_the_limits_that_it_says(
    gateway: Gateway, call: Call, parameter: dict[str, Any]
) -> None:
    path = filled(gateway, call.path)
    base, name, schema = (
        path + ("&" if "?" in path else "?"),
        parameter["name"],
        parameter["schema"],
    )
    if schema.get("type") == "integer":
        good = [schema["minimum"], schema["maximum"], schema.get("default", schema["minimum"])]
        bad = [schema["minimum"] - 1, schema["maximum"] + 1, "x", ""]
    elif "enum" in schema:
        good, bad = schema["enum"], ["x", ""]
    elif schema.get("format") == "date-time":
        good, bad = ["2026-11-24T10:00:00Z", "2026-11-24T10:00:00.5%2B01:00"], ["2026-11-24", "x"]
    elif schema.get("type") == "array":
        good, bad = ["-180,-90,180,90", "8.5,47.3,8.6,47.4"], ["-181,-90,180,90", "0,0,0,91", "1"]
    else:
        good, bad = ["anything", "%F0%9F%9A%97%20%27%22"], ["%00"]
    if "maxLength" in schema:
        good, bad = [*good, "x" * schema["maxLength"]], [*bad, "x" * (schema["maxLength"] + 1)]
    key = shown(role_of(call))
    for value in good:
        answer = ask(gateway, call.method, f"{base}{name}={value}", **key)
        assert answer.status in (200, 404), value
    for value in bad:
        answer = ask(gateway, call.method, f"{base}{name}={value}", **key)
        assert (answer.status, answer.json["field"]) == (422, name), value
    misspelt = ask(gateway, call.method, f"{base}{name}x=1", **key)
    assert (misspelt.status, misspelt.json["field"]) == (422, f"{name}x")


@pytest.mark.parametrize("format_", ["json", "geojson", "cot", "kml", "csv"])
def test_each_format_by_name_and_by_header(gateway: Gateway, format_: str) -> None:
    named = ask(gateway, "GET", f"/v1/events?format={format_}&limit=1", **shown("read"))
    media_type = named.headers["content-type"].partition(";")[0]
    asked = ask(gateway, "GET", "/v1/events?limit=1", Accept=media_type, **shown("read"))
    assert asked.body == named.body
    assert ("link" in named.headers) == (format_ != "json")
    assert b"sightline" in named.body.lower()


def test_a_frame_once_again_and_as_cot(gateway: Gateway) -> None:
    body = json.dumps(report("twice")).encode()
    first = ask(gateway, "POST", "/v1/detections", body, **shown("detect"))
    again = ask(
        gateway, "POST", "/v1/detections", body, Accept="application/xml", **shown("detect")
    )
    assert "sightline-duplicate" not in first.headers
    assert again.headers["sightline-duplicate"] == "true"
    assert again.headers["content-type"] == "application/xml"


@pytest.mark.parametrize(
    ("path", "body", "status", "type_"),
    [
        ("/v1/detections", b"{", 400, "malformed-json"),
        ("/v1/detections", b"{}", 422, "invalid-message"),
        ("/v1/detections", b" " * 70_000, 413, "payload-too-large"),
        ("/v1/detections/batch", b"{}", 415, "unsupported-media-type"),
        ("/v1/sinks/tak/dead-letters/retry", b"[", 400, "malformed-json"),
        ("/v1/sinks/tak/dead-letters/retry", b'{"sequences": [0]}', 422, "invalid-message"),
        ("/v1/sinks/tak/dead-letters/retry", b" " * (1 << 20 | 1), 413, "payload-too-large"),
        ("/v1/sinks/tack/pause", b"", 404, "no-such-sink"),
        ("/v1/sinks/tack/resume", b"", 404, "no-such-sink"),
        ("/v1/sinks/tack/dead-letters/retry", b"", 404, "no-such-sink"),
        ("/v1/sinks/tack", None, 404, "no-such-sink"),
        ("/v1/sinks/tack/dead-letters", None, 404, "no-such-sink"),
        ("/v1/events/nobody", None, 404, "no-such-track"),
        ("/v1/events/no%2Fbody", None, 404, "not-found"),
        ("/v1/audit?camera_id=a&frame_id=b", None, 404, "no-such-frame"),
        ("/v1/audit?camera_id=a", None, 422, "invalid-query"),
    ],
)  # fmt: skip
def test_what_is_refused_is_described(
    gateway: Gateway, path: str, body: bytes | None, status: int, type_: str
) -> None:
    method = "GET" if body is None else "POST"
    role = role_of(DESCRIPTION.call(method, path))
    answer = ask(gateway, method, path, body, **shown(role))
    assert (answer.status, answer.json["type"]) == (status, f"/problems/{type_}")


def test_what_is_not_described_is_not_there(gateway: Gateway) -> None:
    for path in {path for _, path in CALLS}:
        there = {method for method, other in CALLS if other == path}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - there:
            answer = http_with(gateway, method, filled(gateway, path))
            assert answer.status == 405
            assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == there
            assert answer.json["type"] == "/problems/method-not-allowed"
    nothing = http_with(gateway, "GET", "/v1/nothing")
    assert (nothing.status, nothing.json["type"]) == (404, "/problems/not-found")


def http_with(gateway: Gateway, method: str, path: str) -> Answer:
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request(method, path, headers=shown("operate") | {"X-Other": ""})
    got = connection.getresponse()
    answer = Answer(got.status, {k.lower(): v for k, v in got.headers.items()}, got.read())
    connection.close()
    return answer


def test_the_stream_is_what_it_says(gateway: Gateway) -> None:
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("GET", "/v1/stream?since=0", headers=shown("read"))
    got = connection.getresponse()
    lines: list[bytes] = []
    while sum(line.startswith(b"data: ") for line in lines) < 2:
        lines.append(got.readline())
    DESCRIPTION.check("GET", "/v1/stream", Answer(got.status, dict(got.headers), b"".join(lines)))
    connection.close()


def test_asked_for_its_headers_only_it_leaves_the_connection_to_others(gateway: Gateway) -> None:
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("HEAD", "/v1/stream", headers=shown("read"))
    assert connection.getresponse().read() == b""
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()


def test_keys_that_are_wrong_or_show_up_too_often(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(KEYS["read"][1])
    limits = {"access__requests_per_second": "0.1", "access__burst": "1"}
    with started(Gateway(tmp_path, access__keys=str(tmp_path / "keys.toml"), **limits)) as gateway:
        assert ask(gateway, "POST", "/v1/auth/token", **shown("read")).status == 404
        assert ask(gateway, "GET", "/v1/sinks", **shown("read")).status == 200
        often = ask(gateway, "GET", "/v1/sinks", **shown("read"))
        assert (often.status, often.json["type"]) == (429, "/problems/too-many-requests")
        wrong = [ask(gateway, "GET", "/v1/sinks", **shown("operate")) for _ in range(12)]
        assert [each.status for each in wrong] == [401] * 10 + [429] * 2
        assert wrong[-1].json["type"] == "/problems/too-many-failures"
        assert ask(gateway, "POST", "/v1/auth/token", **shown("operate")).status == 429


def test_a_store_that_is_busy_or_broken(tmp_path: Path) -> None:
    """Somebody else's lock, until SQLite waits no longer; then somebody takes the tables away."""
    with started(Gateway(tmp_path, queue_limit="1")) as gateway:
        blocker = sqlite3.connect(gateway.database, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        body = json.dumps(report("f-1"))
        waiting = subprocess.Popen(
            ["curl", "-s", "-d", body, f"{gateway.url}/v1/detections"], stdout=subprocess.PIPE
        )
        wait_for(lambda: http(f"{gateway.url}/ready").status == 503, what="a full queue")
        assert ask(gateway, "GET", "/ready").json["reasons"].keys() == {"intake"}
        busy = ask(gateway, "POST", "/v1/detections", json.dumps(report("f-2")).encode())
        assert (busy.status, busy.json["type"]) == (503, "/problems/busy")
        assert json.loads(waiting.communicate()[0])["type"] == "/problems/not-stored"
        blocker.execute("ROLLBACK")
        blocker.execute("ALTER TABLE events RENAME TO gone")
        blocker.execute("ALTER TABLE sinks RENAME TO sinks_gone")
        for path in ("/v1/events", "/v1/events?format=cot", "/v1/events/x"):
            answer = ask(gateway, "GET", path)
            assert (answer.status, answer.json["type"]) == (503, "/problems/store-unavailable")
        blocker.close()


def test_a_store_without_room(tmp_path: Path) -> None:
    process = Gateway(tmp_path, min_free_megabytes="100000000")
    Process.start(process)
    try:
        wait_for(lambda: "listening" in process.output, what="the gateway")
        answer = ask(process, "POST", "/v1/detections", json.dumps(report("f-1")).encode())
        assert answer.status == 507
    finally:
        process.stop()
