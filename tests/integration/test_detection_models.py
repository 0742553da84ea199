"""Models of a running service: several at once, new versions, and sessions that fail or hang."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from detecting import Detection, asking
from fakes.images import encoded, painted
from fakes.models import blob_model
from fakes.troubled import BRIGHT, endless_model, failing_model
from running import Answer, http, started, wait_for
from sightline.messages import DetectResult, ModelInfo, ModelList, Problem, decode

PICTURE = encoded(painted(64, 64, {"red": (8, 8, 32, 24)}), "PNG")


def versioned(path: Path, version: str) -> None:
    """Written beside and moved there, as careful people do: nobody reads half a file."""
    part = path.with_suffix(".part")
    blob_model(part, metadata={"version": version})
    part.replace(path)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    versioned(folder / "blobs.onnx", "1")
    return folder


@pytest.fixture
def service(tmp_path: Path, models: Path) -> Iterator[Detection]:
    with started(Detection(tmp_path, models)) as process:
        yield process


def reload(service: Detection, name: str) -> Answer:
    return http(f"{service.url}/v1/models/{name}/reload", body=b"")


def served(service: Detection) -> dict[str, str]:
    """Version by name, the default one first."""
    answer = http(f"{service.url}/v1/models")
    return {each.name: each.version for each in decode(answer.body, ModelList).models}


def looked(answer: Answer) -> tuple[str, str, list[str]]:
    assert answer.status == 200, answer.body
    result = decode(answer.body, DetectResult)
    classes = [each.class_name for each in result.detections]
    return result.model.name, result.model.version, classes


def test_models_are_chosen_by_request_and_one_is_the_default(tmp_path: Path, models: Path) -> None:
    versioned(models / "a.onnx", "7")
    (models / "models.toml").write_text(
        'default = "b"\n'
        '[[models]]\nname = "a"\nfile = "a.onnx"\n'
        '[[models]]\nname = "b"\nfile = "blobs.onnx"\nversion = "2026-11"\n'
        'labels = ["rot", "grün", "blau"]\n',
        encoding="utf-8",
    )
    with started(Detection(tmp_path, models)) as service:
        assert list(served(service).items()) == [("b", "2026-11"), ("a", "7")]
        assert looked(service.post(PICTURE)) == ("b", "2026-11", ["rot"])
        assert looked(service.post(PICTURE, query="?model=a")) == ("a", "7", ["red"])
        assert service.post(PICTURE, query="?model=blobs").status == 422
    with started(Detection(tmp_path, models, default_model="a")) as service:
        assert looked(service.post(PICTURE)) == ("a", "7", ["red"])


def test_a_new_version_serves_once_it_was_asked_for(service: Detection, models: Path) -> None:
    versioned(models / "blobs.onnx", "2")
    assert looked(service.post(PICTURE)) == ("blobs", "1", ["red"])
    answer = reload(service, "blobs")
    assert answer.status == 200, answer.body
    assert decode(answer.body, ModelInfo).version == "2"
    assert looked(service.post(PICTURE)) == ("blobs", "2", ["red"])
    # A new one of the folder comes in the same way.
    versioned(models / "more.onnx", "1")
    assert service.post(PICTURE, query="?model=more").status == 422
    assert reload(service, "more").status == 200
    assert looked(service.post(PICTURE, query="?model=more")) == ("more", "1", ["red"])
    problem = decode(reload(service, "nobody").body, Problem)
    assert (problem.status, problem.type) == (404, "/problems/model-not-found")
    assert "blobs, more" in problem.detail


def test_a_bad_new_version_leaves_the_old_one_and_says_why(
    service: Detection, models: Path
) -> None:
    path = models / "blobs.onnx"
    good = path.read_bytes()
    path.write_bytes(good[:500])
    problem = decode(reload(service, "blobs").body, Problem)
    assert (problem.status, problem.type) == (422, "/problems/model-refused")
    assert str(path) in problem.detail
    assert looked(service.post(PICTURE)) == ("blobs", "1", ["red"])
    assert http(f"{service.url}/ready").status == 200
    assert service.metric("sightline_detection_model_loads_total", outcome="refused") == 1
    assert service.metric("sightline_detection_models_refused") == 1
    (line,) = [line for line in service.lines() if "not reloaded" in line["event"]]
    assert line["reason"] in problem.detail
    path.write_bytes(good)
    assert reload(service, "blobs").status == 200
    assert service.metric("sightline_detection_models_refused") == 0


def test_sighup_serves_what_the_folder_holds(service: Detection, models: Path) -> None:
    versioned(models / "blobs.onnx", "2")
    versioned(models / "other.onnx", "1")
    service.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: served(service) == {"blobs": "2", "other": "1"}, what="both")
    # One that is gone goes; a bad one stays as it was, and the log says why.
    (models / "other.onnx").unlink()
    (models / "blobs.onnx").write_bytes(b"nothing of the kind")
    service.popen.send_signal(signal.SIGHUP)
    wait_for(lambda: served(service) == {"blobs": "2"}, what="the other one gone")
    assert looked(service.post(PICTURE)) == ("blobs", "2", ["red"])
    (line,) = [line for line in service.lines() if "not reloaded" in line["event"]]
    assert str(models / "blobs.onnx") in line["reason"]


@contextmanager
def clients(service: Detection, count: int) -> Iterator[Counter[tuple[int, str]]]:
    """So many that ask again and again; status and model version of all that they were answered."""
    answers: Counter[tuple[int, str]] = Counter()
    lock = threading.Lock()

    def ask(ended: threading.Event) -> None:
        with httpx.Client(timeout=30.0, trust_env=False) as client:
            while not ended.is_set():
                answer = client.post(f"{service.url}/v1/detect", content=PICTURE)
                version = answer.json()["model"]["version"] if answer.status_code == 200 else ""
                with lock:
                    answers[answer.status_code, version] += 1

    with asking(count, ask):
        yield answers


def test_two_hundred_new_versions_under_load_fail_no_request(
    service: Detection, models: Path
) -> None:
    with clients(service, 3) as answers:
        wait_for(lambda: answers.total() > 10, what="load")
        for version in range(2, 202):
            versioned(models / "blobs.onnx", str(version))
            before = answers.total()
            assert reload(service, "blobs").status == 200
            assert looked(service.post(PICTURE))[1] == str(version)
            wait_for(lambda seen=before: answers.total() > seen, what="load")
    assert {status for status, _ in answers} == {200}
    # The clients have seen the change, and in the end nothing but the last one.
    assert len(answers) > 50
    assert looked(service.post(PICTURE))[1] == "201"
    assert service.metric("sightline_detection_model_loads_total", outcome="loaded") == 200
    assert service.metric("sightline_detection_images_total", outcome="answered") == (
        service.metric("sightline_detection_images_total")
    )


def problem_of(answer: Answer) -> tuple[int, str]:
    return answer.status, decode(answer.body, Problem).type


def test_a_session_that_fails_again_and_again_is_replaced(tmp_path: Path) -> None:
    path = failing_model(tmp_path / "failing.onnx", version="1")
    with started(Detection(tmp_path, path)) as service:
        failed = (500, "/problems/inference-failed")
        assert problem_of(service.post(BRIGHT)) == failed
        assert problem_of(service.post(BRIGHT)) == failed
        # One that succeeds between them says that it is these images, and not the session.
        assert looked(service.post(PICTURE)) == ("failing", "1", ["red"])
        assert problem_of(service.post(BRIGHT)) == failed
        assert http(f"{service.url}/ready").status == 200
        # As long as no new session can be had, nobody should send images here.
        good = path.read_bytes()
        path.write_bytes(b"damaged")
        for _ in range(2):
            assert problem_of(service.post(BRIGHT)) == failed
        assert "failing" in service.reasons()["session"]
        ready = http(f"{service.url}/v2/health/ready")
        assert (ready.status, list(ready.json)) == (503, ["error"])
        path.write_bytes(good)
        wait_for(lambda: http(f"{service.url}/ready").status == 200, what="ready with a new one")
        assert looked(service.post(PICTURE)) == ("failing", "1", ["red"])


def test_an_operator_mends_what_fails_with_another_version(tmp_path: Path) -> None:
    path = failing_model(tmp_path / "failing.onnx", version="1")
    with started(Detection(tmp_path, path)) as service:
        path.write_bytes(b"damaged")
        for _ in range(3):
            assert service.post(BRIGHT).status == 500
        assert "session" in service.reasons()
        versioned(path, "2")
        assert reload(service, "failing").status == 200
        assert http(f"{service.url}/ready").status == 200
        assert looked(service.post(BRIGHT)) == ("failing", "2", [])


def test_a_session_that_hangs_is_stopped_and_others_go_on(tmp_path: Path) -> None:
    path = endless_model(tmp_path / "endless.onnx", version="1")
    with (
        started(Detection(tmp_path, path, lanes=2, stuck_seconds=1)) as service,
        ThreadPoolExecutor(2) as pool,
    ):
        hanging: Any = pool.submit(service.post, BRIGHT)
        busy = "sightline_detection_lanes_busy"
        wait_for(lambda: service.metric(busy) == 1, what="a lane that hangs")
        others = 0
        while not hanging.done():
            assert looked(service.post(PICTURE)) == ("endless", "1", ["red"])
            others += 1
        assert others > 5
        answer = hanging.result(30)
        assert problem_of(answer) == (503, "/problems/inference-stuck")
        assert int(answer.headers["retry-after"]) >= 1
        replaced = "sightline_detection_lanes_replaced_total"
        assert service.metric(replaced) == 1
        # The run itself was ended as well, or its core would be lost.
        wait_for(lambda: service.metric(busy) == 0, what="no lane at work")
        loads = "sightline_detection_model_loads_total"
        wait_for(lambda: service.metric(loads, outcome="loaded") == 1, what="a new session")
        assert looked(service.post(PICTURE)) == ("endless", "1", ["red"])
        # And again, with both lanes at once: nothing is used up.
        for each in [pool.submit(service.post, BRIGHT) for _ in range(2)]:
            assert each.result(30).status == 503
        assert service.metric(replaced) == 3
        assert looked(service.post(PICTURE)) == ("endless", "1", ["red"])
