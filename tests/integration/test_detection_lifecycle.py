"""A detection service from start to end: how it refuses to start, and how it stops."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from detecting import Detection
from fakes.images import encoded, painted
from fakes.models import blob_model, constant_model
from fakes.troubled import BRIGHT, endless_model
from running import Process, http, started, wait_for
from sightline.messages import DetectResult, decode

PICTURE = encoded(painted(640, 480, {"red": (100, 100, 200, 200)}), "JPEG")
SLOW = {"width": 640, "height": 640, "slow_layers": 10}
"""A third of a second for an image, more or less: long enough for others to come meanwhile."""


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    blob_model(folder / "blobs.onnx", width=320, height=320)
    return folder


@pytest.fixture(scope="module")
def slow(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("slow")
    blob_model(folder / "slow.onnx", **SLOW)
    return folder


def found(answer: Any) -> None:
    assert answer.status == 200, answer.body
    assert [each.class_name for each in decode(answer.body, DetectResult).detections] == ["red"]


def background(pool: ThreadPoolExecutor, service: Detection, requests: int) -> list[Any]:
    return [pool.submit(service.post, PICTURE) for _ in range(requests)]


def start(folder: Path, **settings: Any) -> tuple[int, str]:
    """Start a service that should not start: its exit code, and all that it said."""
    process = Process(
        command=[sys.executable, "-m", "detection"],
        log=folder / "detection.log",
        env={f"SIGHTLINE_DETECTION_{name.upper()}": str(value) for name, value in settings.items()},
    )
    process.start()
    try:
        return process.popen.wait(30), process.output
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def sentence(code: int, output: str, *, expected: int) -> str:
    assert code == expected, output
    (line,) = output.splitlines()
    assert line.startswith("sightline-detection: ")
    return line


def corrupt(path: Path) -> None:
    whole = blob_model(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def misshapen(path: Path) -> None:
    constant_model(path, output=np.zeros((1, 9, 2)))


def foreign(path: Path) -> None:
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")


@pytest.mark.parametrize(
    ("write", "words"),
    [(corrupt, "not a whole ONNX file"), (misshapen, "layout"), (foreign, "ONNX")],
)
def test_a_model_that_is_refused_is_named_in_one_sentence(
    tmp_path: Path, write: Callable[[Path], None], words: str
):
    path = tmp_path / "models" / "wrong.onnx"
    path.parent.mkdir()
    write(path)
    line = sentence(*start(tmp_path, models=path.parent, port=0), expected=2)
    assert str(path) in line
    assert words in line


def test_a_folder_without_models_is_named_in_one_sentence(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    line = sentence(*start(tmp_path, models=folder, port=0), expected=2)
    assert str(folder) in line
    assert "*.onnx" in line


def test_a_wrong_setting_is_named_in_one_sentence(tmp_path, models):
    line = sentence(*start(tmp_path, models=models, port=0, queue_limit=-1), expected=2)
    assert "SIGHTLINE_DETECTION_QUEUE_LIMIT" in line


def test_a_second_service_on_a_taken_port_ends_and_harms_nobody(tmp_path, models):
    with started(Detection(tmp_path, models)) as first:
        (tmp_path / "second").mkdir()
        code, output = start(tmp_path / "second", models=models, port=first.port)
        line = sentence(code, output, expected=1)
        assert f"port {first.port}" in line
        assert "already" in line
        found(first.post(PICTURE))


def test_stopping_under_load_loses_no_request(tmp_path, models):
    """Clients keep their connections until they are told that this one closes, as pools do."""
    service = Detection(tmp_path, models, drain_seconds=3)
    answers: list[int] = []
    asked = threading.Semaphore(0)

    def client() -> None:
        with httpx.Client(timeout=30.0) as http_client:
            while True:
                answer = http_client.post(
                    f"{service.url}/v1/detect",
                    content=PICTURE,
                    headers={"Content-Type": "image/jpeg"},
                )
                answers.append(answer.status_code)
                asked.release()
                if answer.headers.get("connection") == "close":
                    return

    with started(service), ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        for _ in range(20):
            assert asked.acquire(timeout=30)
        service.popen.terminate()
        assert "draining" in wait_for(service.reasons, what="not ready")
        # Still alive, and whoever has not looked elsewhere yet is answered.
        assert http(f"{service.url}/health").status == 200
        found(service.post(PICTURE))
        for each in clients:
            each.result(30)
        assert service.popen.wait(30) == 0
    assert set(answers) == {200}
    served = [line for line in service.lines() if line.get("route") == "/v1/detect"]
    assert len(served) == len(answers) + 1
    assert {line["status"] for line in served} == {200}
    assert service.lines()[-1]["event"] == "stopped"


def test_a_run_that_comes_to_no_end_does_not_keep_it_from_ending(tmp_path):
    path = endless_model(tmp_path / "endless.onnx")
    settings = {"lanes": 2, "shutdown_seconds": 1}
    with started(Detection(tmp_path, path, **settings)) as service, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(service.post, BRIGHT)
        wait_for(lambda: service.metric("sightline_detection_lanes_busy") == 1, what="a run")
        service.popen.terminate()
        assert service.popen.wait(30) == 0
        assert asked.result(30).status == 500
        assert service.lines()[-1]["event"] == "stopped"


def test_open_requests_are_finished_before_it_ends(tmp_path, slow):
    settings = {"lanes": 1, "deadline_seconds": 300, "shutdown_seconds": 300}
    with started(Detection(tmp_path, slow, **settings)) as service, ThreadPoolExecutor(4) as pool:
        asked = background(pool, service, 4)
        wait_for(lambda: service.taken() == 4, what="all of them let in")
        service.popen.terminate()
        for each in asked:
            found(each.result(30))
        assert service.popen.wait(30) == 0
        # And nobody new is let in.
        with pytest.raises(OSError, match="refused"):
            http(f"{service.url}/health")


def test_it_ends_even_where_nobody_reads_its_log_any_more(tmp_path, models):
    port_file = tmp_path / "port"
    reading, writing = os.pipe()
    service = subprocess.Popen(
        [sys.executable, "-m", "detection", "--port", "0", "--port-file", str(port_file)],
        stdout=writing,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"SIGHTLINE_DETECTION_MODELS": str(models)},
    )
    try:
        os.close(writing)
        wait_for(port_file.exists, what="the port of the detection service")
        os.close(reading)
        service.terminate()
        service.wait(15)
    finally:
        service.kill()
