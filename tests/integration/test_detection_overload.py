"""A detection service that is asked for more than it can do: who is answered, and who is not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from access import new_key
from detecting import Detection, asking
from fakes.images import encoded, painted
from fakes.models import blob_model
from running import Answer, http, started, wait_for
from sightline.messages import DetectResult, Problem, decode

PICTURE = encoded(painted(640, 480, {"red": (100, 100, 200, 200)}), "JPEG")
OUTCOME = "sightline_detection_images_total"
PATIENT = {"deadline_seconds": 300, "longest_deadline_seconds": 300}
"""However busy this machine is: what is refused is so for another reason."""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third of a second for an image, more or less: long enough for others to come meanwhile."""
    folder: Path = tmp_path_factory.mktemp("slow")
    blob_model(folder / "slow.onnx", width=640, height=640, slow_layers=10)
    return folder


@pytest.fixture(scope="module")
def brisk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hundredths of a second."""
    folder: Path = tmp_path_factory.mktemp("brisk")
    blob_model(folder / "brisk.onnx", width=320, height=320, slow_layers=4)
    return folder


def found(answer: Answer) -> None:
    assert answer.status == 200, answer.body
    assert [each.class_name for each in decode(answer.body, DetectResult).detections] == ["red"]


def refused(answer: Answer, status: int, kind: str) -> Problem:
    problem = decode(answer.body, Problem)
    assert (answer.status, problem.type) == (status, f"/problems/{kind}"), problem
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    return problem


def background(pool: ThreadPoolExecutor, service: Detection, requests: int) -> list[Future[Answer]]:
    return [pool.submit(service.post, PICTURE) for _ in range(requests)]


@contextmanager
def flood(service: Detection, clients: int, **headers: str) -> Iterator[list[Answer]]:
    """So many clients that ask again and again; all that they are answered."""
    answers: list[Answer] = []

    def client(ended: threading.Event) -> None:
        while not ended.is_set():
            answer = service.post(PICTURE, **headers)
            answers.append(answer)
            if answer.status != 200:
                # Not a tight loop, which would take the cores from whatever it asks.
                ended.wait(0.02)

    with asking(clients, client):
        yield answers


def test_overload_is_refused_early_and_passes(tmp_path: Path, slow: Path) -> None:
    with started(Detection(tmp_path, slow, lanes=1, queue_limit=4, **PATIENT)) as service:
        with flood(service, 8) as answers:
            wait_for(lambda: "queue" in service.reasons(), what="not ready")
            ready = http(f"{service.url}/v2/health/ready")
            assert (ready.status, list(ready.json)) == (503, ["error"])
        turned_away = [answer for answer in answers if answer.status != 200]
        # One in the lane and those that wait, at least.
        assert len(answers) - len(turned_away) >= 5
        for answer in turned_away:
            refused(answer, 503, "queue-full")
        assert service.metric(OUTCOME, outcome="queue_full") == len(turned_away) > 0
        wait_for(lambda: not service.reasons(), what="ready again")
        found(service.post(PICTURE))


def test_where_there_is_no_place_nothing_of_a_body_is_awaited(tmp_path: Path, slow: Path) -> None:
    with (
        started(Detection(tmp_path, slow, lanes=1, queue_limit=0, **PATIENT)) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        (first,) = background(pool, service, 1)
        wait_for(lambda: service.taken() == 1, what="the first let in")
        status, body = head_only(service, 40_000_000)
        assert (status, json.loads(body)["type"]) == (503, "/problems/queue-full")
        status, body = head_only(service, 40_000_000, "/v2/models/slow/infer")
        assert (status, list(json.loads(body))) == (503, ["error"])
        found(first.result(30))


def test_a_body_that_is_too_long_is_refused_before_it_comes(tmp_path: Path, brisk: Path) -> None:
    with started(Detection(tmp_path, brisk, max_image_bytes=1000)) as service:
        status, body = head_only(service, 1001)
        assert (status, json.loads(body)["limit"]) == (413, "1000 bytes")
        status, body = head_only(service, 300_000_000, "/v1/detect/batch")
        assert (status, json.loads(body)["limit"]) == (413, "200000000 bytes")
        status, body = head_only(service, 300_000_000, "/v2/models/brisk/infer")
        assert (status, list(json.loads(body))) == (413, ["error"])


def head_only(service: Detection, length: int, path: str = "/v1/detect") -> tuple[int, bytes]:
    """What is answered to the head of a request whose body never comes: status and body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: detection\r\nContent-Length: {length}\r\n"
        "Content-Type: application/octet-stream\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), 30) as connection:
        connection.sendall(head.encode())
        answer = b""
        while b"}" not in answer:
            received = connection.recv(65_536)
            assert received, answer
            answer += received
    status, _, body = answer.partition(b"\r\n\r\n")
    return int(status.split()[1]), body


def test_what_is_not_looked_at_in_time_is_told_so(tmp_path: Path, slow: Path) -> None:
    settings = {"lanes": 1, "queue_limit": 50, **PATIENT}
    with started(Detection(tmp_path, slow, **settings)) as service, ThreadPoolExecutor(20) as pool:
        alone = service.post(PICTURE).json["timings_ms"]["total"] / 1000.0
        asked = [
            pool.submit(service.post, PICTURE, X_Request_Timeout=f"{5 * alone:.3f}")
            for _ in range(20)
        ]
        answers = [each.result(60) for each in asked]
        # Twenty take several times as long, one after the other.
        late = [answer for answer in answers if answer.status != 200]
        assert late
        for answer in late:
            refused(answer, 503, "deadline-exceeded")
        assert service.metric(OUTCOME, outcome="deadline_exceeded") == len(late)
        wait_for(service.idle, what="all lanes free")
        found(service.post(PICTURE))


def test_a_deadline_is_the_requests_to_choose_within_a_limit(tmp_path: Path, slow: Path) -> None:
    settings = {"lanes": 1, "queue_limit": 50, **PATIENT}
    with started(Detection(tmp_path, slow, **settings)) as service, ThreadPoolExecutor(4) as pool:
        ahead = background(pool, service, 4)
        wait_for(lambda: service.taken() == 4, what="four let in")
        # There are places, but its turn would come too late: said at once, and not at the deadline.
        hasty = service.post(PICTURE, X_Request_Timeout="0.2")
        refused(hasty, 503, "deadline-exceeded")
        assert not all(each.done() for each in ahead)
        patient = service.post(PICTURE, X_Request_Timeout="1e9")
        found(patient)
        for each in ahead:
            found(each.result(60))


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf", "1s", ""])
def test_a_deadline_that_is_none_is_refused(deadlines: Detection, value: str) -> None:
    answer = deadlines.post(PICTURE, X_Request_Timeout=value)
    problem = refused(answer, 422, "invalid-parameter")
    assert problem.field == "X-Request-Timeout"
    assert problem.limit == "above 0, at most 60 s count"


@pytest.fixture(scope="module")
def deadlines(tmp_path_factory: pytest.TempPathFactory, brisk: Path) -> Iterator[Detection]:
    with started(Detection(tmp_path_factory.mktemp("deadlines"), brisk)) as process:
        yield process


def test_a_client_that_goes_away_gives_its_place_back(tmp_path: Path, slow: Path) -> None:
    settings = {"lanes": 1, **PATIENT}
    with started(Detection(tmp_path, slow, **settings)) as service, ThreadPoolExecutor(4) as pool:
        staying = background(pool, service, 4)
        wait_for(lambda: service.taken() == 4, what="four let in")
        head = (
            "POST /v1/detect HTTP/1.1\r\nHost: detection\r\nContent-Type: image/jpeg\r\n"
            f"X-Request-Id: gone\r\nContent-Length: {len(PICTURE)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", service.port)) as leaving:
            leaving.sendall(head.encode() + PICTURE)
            wait_for(lambda: service.taken() == 5, what="the fifth let in")
        # Its turn would come last; it is missed long before.
        wait_for(lambda: service.metric(OUTCOME, outcome="client_gone") == 1, what="missed")
        for each in staying:
            found(each.result(30))
        wait_for(service.idle, what="all lanes free")
        assert service.metric(OUTCOME, outcome="answered") == 4
        (line,) = wait_for(
            lambda: [line for line in service.lines() if line.get("request_id") == "gone"]
        )
        assert line["status"] == 499


def keys(folder: Path, *names: str) -> tuple[Path, list[str]]:
    """A file of keys that may detect, and the keys."""
    made = [new_key(name, ("detect",)) for name in names]
    path = folder / "keys.toml"
    path.write_text("".join(entry for _, entry in made))
    return path, [key for key, _ in made]


def test_one_clients_flood_keeps_nobody_else_out(tmp_path: Path, brisk: Path) -> None:
    path, (greedy, modest) = keys(tmp_path, "greedy", "modest")
    settings = {"lanes": 1, "queue_limit": 12, "access__keys": path, **PATIENT}
    with (
        started(Detection(tmp_path, brisk, **settings)) as service,
        flood(service, 24, X_Api_Key=greedy) as answers,
    ):

        def others() -> int:
            return sum(answer.status == 200 for answer in list(answers))

        wait_for(lambda: any(answer.status == 503 for answer in list(answers)), what="a full queue")
        asked, between = 10, 0
        for _ in range(asked):
            before = others()
            # Never turned away, however full it is: the flood's own newest gives up its place.
            found(service.post(PICTURE, X_Api_Key=modest))
            between += others() - before
        # Those in the lane and next in turn, and not the dozen that waited before it.
        assert between <= 4 * asked
        turned_away = [answer for answer in list(answers) if answer.status != 200]
        assert all("share" in refused(each, 503, "queue-full").detail for each in turned_away)


def test_who_asks_more_often_than_allowed_is_told_when_to_come_back(
    tmp_path: Path, brisk: Path
) -> None:
    path, (hasty, other) = keys(tmp_path, "hasty", "other")
    settings = {"access__keys": path, "access__requests_per_second": 0.2, "access__burst": 3}
    with started(Detection(tmp_path, brisk, **settings)) as service:
        for _ in range(3):
            found(service.post(PICTURE, X_Api_Key=hasty))
        problem = refused(service.post(PICTURE, X_Api_Key=hasty), 429, "too-many-requests")
        assert problem.limit == "0.2 a second"
        answer = service.post_batch([PICTURE], X_Api_Key=hasty)
        refused(answer, 429, "too-many-requests")
        infer = f"{service.url}/v2/models/brisk/infer"
        answer = http(infer, body=b"{}", headers={"X-Api-Key": hasty})
        assert (answer.status, list(answer.json)) == (429, ["error"])
        found(service.post(PICTURE, X_Api_Key=other))
