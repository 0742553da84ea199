"""The detection service does what it says of itself at /v1/openapi.json, and says all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from access import new_key
from conforming import Call, Description
from detecting import Detection, form
from fakes.gateway import FakeGateway, Reply
from fakes.images import encoded, painted
from fakes.models import blob_model
from running import Answer, http, report, started

COMMITTED = Path(__file__).parents[2] / "docs/reference/openapi/detection.json"
DESCRIPTION = Description(json.loads(COMMITTED.read_text(encoding="utf-8")))
DETECT = DESCRIPTION.call("POST", "/v1/detect")
BATCH = DESCRIPTION.call("POST", "/v1/detect/batch")
KEYS = {role: new_key(role, (role,)) for role in ("detect", "read", "operate")}
INCLUDED = {"detect": {"detect"}, "read": {"read"}, "operate": {"read", "operate"}}
PICTURE = painted(960, 540, {"red": (100, 100, 300, 200)})
ENCODINGS = {"image/png": "PNG", "image/webp": "WEBP", "image/tiff": "TIFF"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = blob_model(tmp_path_factory.mktemp("model") / "blobs.onnx", width=640, height=384)
    return made


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway().serving() as running:
        yield running


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, model: Path, gateway: FakeGateway
) -> Iterator[Detection]:
    folder = tmp_path_factory.mktemp("detection")
    (folder / "keys.toml").write_text("".join(entry for _, entry in KEYS.values()))
    process = Detection(
        folder,
        model,
        gateway_url=gateway.url,
        max_image_bytes=4_000_000,
        deadline_seconds=2,
        access__keys=folder / "keys.toml",
    )
    with started(process):
        yield process


def test_every_route_is_asked_for_a_role_but_the_probes(service: Detection) -> None:
    free = {call.path for call in DESCRIPTION.calls() if not call.described["security"]}
    assert free == {
        "/", "/health", "/ready", "/metrics", "/v1/auth/keys", "/v1/openapi.json",
        "/v2/health/live", "/v2/health/ready",
    }  # fmt: skip


def shown(role: str | None) -> dict[str, str]:
    return {} if role is None else {"X-Api-Key": KEYS[role][0]}


def ask(
    service: Detection, method: str, path: str, body: bytes | None = None, **headers: str
) -> Answer:
    """One request, its answer held against the description."""
    if method == "POST":
        body = body or b""
    answer = http(service.url + path, body=body, headers=headers, method=method)
    DESCRIPTION.check(method, path, answer)
    return answer


def image(media_type: str = "image/jpeg") -> bytes:
    return encoded(PICTURE, ENCODINGS.get(media_type, "JPEG"))


def framed(**frame: Any) -> tuple[bytes, dict[str, str]]:
    """A form with an image and a frame that fits it, and its headers."""
    value = {**report("f-1")["frame"], **frame}
    body, content_type = form({"image": image(), "frame": json.dumps(value).encode()})
    return body, {"Content-Type": content_type, **shown("detect")}


def test_it_is_what_is_committed_and_needs_no_key(service: Detection) -> None:
    assert ask(service, "GET", "/v1/openapi.json").json == DESCRIPTION.document


@pytest.mark.parametrize(
    "call", list(DESCRIPTION.calls()), ids=lambda call: f"{call.method} {call.path}"
)
def test_each_call_takes_the_role_that_it_says(service: Detection, call: Call) -> None:
    needed = next(iter(call.described["security"]), {"bearer": []})["bearer"]
    for role in (None, "detect", "read", "operate"):
        path = call.path.replace("{name}", "blobs").replace("{version}", "0")
        answer = ask(service, call.method, path, **shown(role))
        if not needed:
            assert (answer.status == 401) == (role is None and call.path == "/v1/auth/token")
        elif role is None:
            assert answer.status == 401
        else:
            assert (answer.status == 403) == (needed[0] not in INCLUDED[role])


@pytest.mark.parametrize("media_type", DETECT.described["requestBody"]["content"])
def test_each_kind_of_body_can_be_sent(service: Detection, media_type: str) -> None:
    if media_type != "multipart/form-data":
        answer = ask(
            service, "POST", "/v1/detect", image(media_type), **shown("detect"),
            **{"Content-Type": media_type},
        )  # fmt: skip
        assert answer.status == 200
        assert answer.json["committed"] is False
        return
    for example in DETECT.described["requestBody"]["content"][media_type]["examples"].values():
        body, headers = framed(**example["value"]["frame"])
        answer = ask(service, "POST", "/v1/detect", body, **headers)
        assert answer.status == 200, answer.body
        assert answer.json["committed"] is True


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("confidence=0", 200), ("confidence=1", 200), ("confidence=0.5&model=blobs", 200),
        ("confidence=-0.1", 422), ("confidence=1.1", 422), ("confidence=x", 422),
        ("model=other", 422), ("confidnce=1", 422),
        ("tiles=auto", 200), ("tiles=off", 200), ("tiles=64", 422), ("tiles=8192", 200),
        ("tiles=63", 422), ("tiles=8193", 422), ("tiles=x", 422),
        ("timings=true", 200), ("timings=false", 200), ("timings=1", 422),
    ],
)  # fmt: skip
def test_each_parameter_has_the_limits_that_it_says(
    service: Detection, query: str, status: int
) -> None:
    answer = ask(service, "POST", f"/v1/detect?{query}", image(), **_jpeg())
    assert answer.status == status
    body, content_type = form([("image", image())])
    headers = {"Content-Type": content_type, **shown("detect")}
    batch = ask(service, "POST", f"/v1/detect/batch?{query}", body, **headers)
    if batch.status == 200:
        (item,) = batch.json["results"]
        assert item["status"] == status
    else:
        assert batch.status == status


@pytest.mark.parametrize(("value", "status"), [("0.5", 200), ("60", 200), ("0", 422), ("x", 422)])
def test_the_deadline_has_the_limits_that_it_says(
    service: Detection, value: str, status: int
) -> None:
    headers = {**_jpeg(), "X-Request-Timeout": value}
    assert ask(service, "POST", "/v1/detect", image(), **headers).status == status


def _jpeg() -> dict[str, str]:
    return {"Content-Type": "image/jpeg", **shown("detect")}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "type_"),
    [
        (b"", "image/jpeg", 422, "invalid-image"),
        (b"text", "image/jpeg", 415, "unsupported-image-type"),
        (b"text", "text/plain", 415, "unsupported-image-type"),
        (b"x" * 4_000_001, "image/jpeg", 413, "payload-too-large"),
        (encoded(painted(9_000, 9_000, {})), "image/png", 413, "image-too-large"),
        (b"", "multipart/form-data", 400, "invalid-form"),
    ],
)
def test_what_is_refused_is_described(
    service: Detection, body: bytes, content_type: str, status: int, type_: str
) -> None:
    headers = {**_jpeg(), "Content-Type": content_type}
    answer = ask(service, "POST", "/v1/detect", body, **headers)
    assert (answer.status, answer.json["type"]) == (status, f"/problems/{type_}")


def test_frames_that_are_wrong_or_do_not_fit(service: Detection) -> None:
    body, content_type = form({"image": image(), "frame": b"{"})
    headers = {"Content-Type": content_type, **shown("detect")}
    assert ask(service, "POST", "/v1/detect", body, **headers).status == 400
    body, headers = framed(captured_at="yesterday")
    assert ask(service, "POST", "/v1/detect", body, **headers).status == 422


@pytest.mark.parametrize(
    ("reply", "status", "type_"),
    [
        (Reply(status=422, body={"no": "problem"}), 422, "gateway-refused"),
        (Reply(status=409, body=b"text"), 409, "gateway-refused"),
        (Reply(status=413, body=b""), 413, "gateway-refused"),
        (Reply(status=400, body=b"?"), 400, "gateway-refused"),
        (
            Reply(
                status=422,
                body={
                    "type": "/problems/invalid-message", "title": "Invalid message", "status": 422,
                    "detail": "frame.captured_at: too old", "field": "frame.captured_at",
                },
            ),
            422,
            "invalid-message",
        ),
        (Reply(status=418), 502, "gateway-failed"),
        (Reply(body={"frame_id": "f-1", "camera_id": "drone-1", "results": []}), 409,
         "frame-differs"),
        (Reply(status=503, headers={"Retry-After": "9"}), 503, "gateway-unavailable"),
        (Reply(seconds=3.0), 504, "gateway-timeout"),
    ],
)  # fmt: skip
def test_what_the_gateway_does_is_described(
    service: Detection, gateway: FakeGateway, reply: Reply, status: int, type_: str
) -> None:
    gateway.replies = [reply]
    try:
        body, headers = framed()
        answer = ask(service, "POST", "/v1/detect", body, **headers)
    finally:
        gateway.replies = [Reply()]
    assert (answer.status, answer.json["type"]) == (status, f"/problems/{type_}")


def test_a_batch_of_all_kinds(service: Detection) -> None:
    for example in BATCH.described["requestBody"]["content"]["multipart/form-data"][
        "examples"
    ].values():
        frames = example["value"]["frames"]
        frames[0] = {**report("f-1")["frame"], **frames[0]}
        parts = [*(("image", image()) for _ in frames), ("frames", json.dumps(frames).encode())]
        body, content_type = form(parts)
        headers = {"Content-Type": content_type, **shown("detect")}
        answer = ask(service, "POST", "/v1/detect/batch", body, **headers)
        assert [each["status"] for each in answer.json["results"]] == [200] * len(frames)
        assert [each["result"]["committed"] for each in answer.json["results"]] == [True, False]
    body, content_type = form([("image", image()), ("image", b"none")])
    headers = {"Content-Type": content_type, **shown("detect")}
    answer = ask(service, "POST", "/v1/detect/batch", body, **headers)
    assert [each["status"] for each in answer.json["results"]] == [200, 415]
    answer = ask(service, "POST", "/v1/detect/batch", image(), **_jpeg())
    assert (answer.status, answer.json["type"]) == (415, "/problems/unsupported-image-type")


def test_models_are_loaded_anew(service: Detection, model: Path) -> None:
    url = "/v1/models/blobs/reload"
    assert ask(service, "POST", url, **shown("operate")).json["name"] == "blobs"
    answer = ask(service, "POST", "/v1/models/other/reload", **shown("operate"))
    assert (answer.status, answer.json["type"]) == (404, "/problems/model-not-found")
    whole = model.read_bytes()
    model.write_bytes(whole[:100])
    try:
        answer = ask(service, "POST", url, **shown("operate"))
        assert (answer.status, answer.json["type"]) == (422, "/problems/model-refused")
    finally:
        model.write_bytes(whole)


def test_below_v2_whatever_is_refused_is_said_as_the_protocol_does(service: Detection) -> None:
    infer = "/v2/models/blobs/infer"
    for path, headers, status in (
        (infer, {}, 401),
        (infer, shown("read"), 403),
        (infer, shown("detect"), 400),
        ("/v2/models/other/infer", shown("detect"), 404),
    ):
        answer = ask(service, "POST", path, b"{}", **headers)
        assert (answer.status, list(answer.json)) == (status, ["error"])
        assert answer.headers["x-request-id"]
    # What is not described at all, either.
    for method, path, status in (("GET", "/v2/nothing", 404), ("DELETE", "/v2", 405)):
        answer = http(service.url + path, method=method, headers=shown("operate"))
        assert (answer.status, list(answer.json)) == (status, ["error"])
    assert answer.headers["allow"] == "GET, HEAD"
    # And its neighbours are not its own.
    assert http(f"{service.url}/v2x", headers=shown("operate")).json["status"] == 404


def test_no_time_left(tmp_path: Path, model: Path) -> None:
    with started(Detection(tmp_path, model, lanes=1, deadline_seconds=0.001)) as service:
        answer = ask(service, "POST", "/v1/detect", image(), **{"Content-Type": "image/jpeg"})
        assert (answer.status, answer.json["type"]) == (503, "/problems/deadline-exceeded")
        assert ask(service, "POST", "/v1/auth/token", X_Api_Key="x").status == 401
