"""Who may do what, asked of both real services."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from access import new_key
from detecting import Detection
from fakes.images import encoded, painted
from fakes.models import blob_model
from running import Answer, Gateway, http, report, started, wait_for
from sightline.demo.model import demo_model

CAMERA, CAMERA_ENTRY = new_key("camera", ("detect",))
VIEWER, VIEWER_ENTRY = new_key("viewer", ("read",))
OPERATOR, OPERATOR_ENTRY = new_key("operator", ("operate",))
SECRET = "a token secret that is long enough"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(CAMERA_ENTRY + VIEWER_ENTRY + OPERATOR_ENTRY)
    return path


@pytest.fixture
def gateway(tmp_path: Path, keys: Path) -> Iterator[Gateway]:
    secret = tmp_path / "token-secret"
    secret.write_text(SECRET + "\n")
    process = Gateway(tmp_path, access__keys=str(keys), access__token_secret_file=str(secret))
    with started(process):
        yield process


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def refused(answer: Answer, status: int) -> dict[str, str]:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, str] = answer.json
    return problem


def test_each_key_may_what_its_roles_say(gateway: Gateway) -> None:
    assert gateway.post(report("f-1"), **bearer(CAMERA)).status == 201
    assert http(f"{gateway.url}/v1/events", headers=bearer(VIEWER)).status == 200
    assert http(f"{gateway.url}/v1/events", headers=bearer(OPERATOR)).status == 200
    assert http(f"{gateway.url}/v1/events", headers={"X-Api-Key": VIEWER}).status == 200
    told = refused(gateway.post(report("f-2"), **bearer(VIEWER)), 403)
    assert "viewer" in told["detail"]
    refused(http(f"{gateway.url}/v1/events", headers=bearer(CAMERA)), 403)


def test_only_an_operator_takes_a_track_back_and_the_answer_names_whose_key_it_was(
    gateway: Gateway,
) -> None:
    uid = gateway.post(report("f-1", cars=1), **bearer(CAMERA)).json["results"][0]["uid"]
    url = f"{gateway.url}/v1/events/{uid}"
    for key in (CAMERA, VIEWER):
        refused(http(url, headers=bearer(key), method="DELETE"), 403)
    answer = http(url, headers=bearer(OPERATOR), method="DELETE")
    assert answer.status == 200
    assert answer.json["by"] == "operator"


def test_without_a_key_only_the_probes_and_the_page_answer(gateway: Gateway) -> None:
    for path in ("/health", "/ready", "/metrics", "/"):
        assert http(gateway.url + path).status == 200, path
    for path in ("/v1/events", "/v1/sinks", "/v1/nothing"):
        answer = http(gateway.url + path)
        refused(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    refused(gateway.post(report("f-1")), 401)
    events = http(f"{gateway.url}/v1/events", headers=bearer(VIEWER)).json["events"]
    assert events == []


def test_a_token_for_a_key(gateway: Gateway) -> None:
    asked = http(f"{gateway.url}/v1/auth/token", body=b"", headers=bearer(VIEWER))
    assert asked.status == 200
    token = asked.json["access_token"]
    assert asked.json["token_type"] == "Bearer"
    assert http(f"{gateway.url}/v1/events", headers=bearer(token)).status == 200
    refused(gateway.post(report("f-1"), **bearer(token)), 403)
    refused(http(f"{gateway.url}/v1/auth/token", body=b""), 401)


def test_guessing_is_slowed_down_and_logged_without_what_was_guessed(gateway: Gateway) -> None:
    guess = "sl_viewer_" + "x" * 43
    answers = [http(f"{gateway.url}/v1/events", headers=bearer(guess)) for _ in range(30)]
    assert {answer.status for answer in answers} == {401, 429}
    slowed = next(answer for answer in answers if answer.status == 429)
    assert int(slowed.headers["retry-after"]) >= 1
    lines = [json.loads(line) for line in gateway.output.splitlines()]
    assert any(line["event"] == "not known" for line in lines)
    for secret in (guess, SECRET, CAMERA, VIEWER):
        assert secret not in gateway.output
    assert sum(line["event"] == "not known" for line in lines) < 30
    # Others behind the same address are not locked out by it.
    assert http(f"{gateway.url}/v1/events", headers=bearer(VIEWER)).status == 200


def test_keys_are_reloaded_and_a_broken_file_changes_nothing(gateway: Gateway, keys: Path) -> None:
    newcomer, entry = new_key("newcomer", ("read",))
    keys.write_text(CAMERA_ENTRY + entry)
    url = f"{gateway.url}/v1/events"
    wait_for(lambda: http(url, headers=bearer(newcomer)).status == 200, what="the new key")
    # 429 when the waiting above was long: what came before the reload were wrong keys.
    assert http(url, headers=bearer(VIEWER)).status in (401, 429)
    keys.write_text("[[keys]\n")
    wait_for(lambda: "not reloaded" in gateway.output, what="the complaint")
    assert http(url, headers=bearer(newcomer)).status == 200


def test_clients_have_a_rate(tmp_path: Path, keys: Path) -> None:
    limited = Gateway(
        tmp_path, access__keys=str(keys), access__requests_per_second="0.2", access__burst="5"
    )
    with started(limited):
        url = f"{limited.url}/v1/events"
        answers = [http(url, headers=bearer(VIEWER)).status for _ in range(8)]
        assert answers[:5] == [200] * 5
        assert answers[-1] == 429
        assert http(url, headers=bearer(OPERATOR)).status == 200


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        ("cop_gateway", {"SIGHTLINE_GATEWAY_DATABASE": "sqlite:///{folder}/g.db",
                         "SIGHTLINE_GATEWAY_GROUND_HEIGHT_M": "400"}),
        ("detection", {"SIGHTLINE_DETECTION_MODELS": str(demo_model())}),
    ],
)  # fmt: skip
def test_a_public_address_without_access_is_refused_at_the_start(
    tmp_path: Path, module: str, settings: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--host", "0.0.0.0", "--port", "0"],
        env={name: value.format(folder=tmp_path) for name, value in settings.items()},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "access.keys" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_each_key_may_what_its_roles_say_of_the_detection_service_too(
    tmp_path: Path, keys: Path
) -> None:
    model = blob_model(tmp_path / "blobs.onnx", width=64, height=64)
    image = encoded(painted(64, 64, {"red": (8, 8, 20, 18)}))
    raw = {"Content-Type": "application/octet-stream"}
    with started(Detection(tmp_path, model, access__keys=keys)) as service:
        asked = {
            "/v1/models": None,
            "/v2/models/blobs": None,
            "/v1/models/blobs/reload": b"",
            "/v1/detect": image,
            "/v2/models/blobs/infer": b"{}",
        }
        answers = {
            name: [
                http(service.url + path, body=body, headers={**bearer(key), **raw}).status
                for path, body in asked.items()
            ]
            for name, key in (("camera", CAMERA), ("viewer", VIEWER), ("operator", OPERATOR))
        }
        assert answers == {
            "camera": [403, 403, 403, 200, 400],
            "viewer": [200, 200, 403, 403, 403],
            "operator": [200, 200, 200, 403, 403],
        }
        for path, body in asked.items():
            answer = http(service.url + path, body=body)
            assert answer.status == 401, path
            assert answer.headers["www-authenticate"].startswith("Bearer")
            told = answer.json["error" if path.startswith("/v2") else "detail"]
            assert told == "an API key or a token is needed"
        for path in ("/health", "/ready", "/metrics", "/v2/health/live", "/v2/health/ready"):
            assert http(service.url + path).status == 200, path


def test_a_frame_goes_all_the_way_with_two_keys(
    tmp_path: Path, keys: Path, gateway: Gateway
) -> None:
    forwarder = tmp_path / "gateway-key"
    forwarder.write_text(CAMERA)
    model = blob_model(tmp_path / "blobs.onnx", width=640, height=384)
    service = Detection(
        tmp_path, model, gateway_url=gateway.url, gateway_key_file=forwarder, access__keys=keys
    )
    image = encoded(painted(960, 540, {"red": (100, 100, 200, 180)}), "JPEG")
    frame = json.dumps(report("f-1")["frame"]).encode()
    with started(service):
        refused(service.post_form({"image": image, "frame": frame}), 401)
        refused(service.post_form({"image": image, "frame": frame}, X_Api_Key=VIEWER), 403)
        answer = service.post_form({"image": image, "frame": frame}, X_Api_Key=CAMERA)
        assert answer.status == 200, answer.body
        assert answer.json["committed"] is True
    assert CAMERA not in service.output
