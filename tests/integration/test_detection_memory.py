"""A detection service that has looked at many images holds no more than one that has begun to.

`make soak` asks for 50 000 requests instead of a few thousand.
"""

from __future__ import annotations

import http.client
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from detecting import Detection
from fakes.images import encoded, painted
from fakes.models import blob_model
from running import started

REQUESTS = int(os.environ.get("SIGHTLINE_SOAK_REQUESTS", "3000"))
CLIENTS = 4
GROWTH_MB = 12.0
"""What may come from caches and from where free memory lies; a leak of a single small image for
each request would be a hundred times as much."""

PICTURES = [
    encoded(painted(width, height, {"red": (20, 20, 60, 50)}), kind)
    for width, height in ((320, 240), (160, 120), (201, 97), (640, 360))
    for kind in ("JPEG", "PNG", "WEBP")
]
BROKEN = [picture[: len(picture) // 2] for picture in PICTURES] + [b"", b"nothing of the kind"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Detection]:
    blob_model(tmp_path / "blobs.onnx", width=96, height=96)
    with started(Detection(tmp_path, tmp_path / "blobs.onnx", log_level="error")) as running:
        yield running


def resident_mb(service: Detection) -> float:
    lines = Path(f"/proc/{service.popen.pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024


def post(port: int, requests: int, seed: int) -> dict[int, int]:
    """On one connection after the other; how often each status was answered."""
    draw = random.Random(seed)
    found: dict[int, int] = {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number in range(requests):
        if number % 500 == 499:
            connection.close()
        broken = draw.random() < 0.2
        body = draw.choice(BROKEN if broken else PICTURES)
        query = draw.choice(("", "?tiles=64", "?timings=false", "?confidence=0.1"))
        connection.request("POST", f"/v1/detect{query}", body, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        answer.read()
        found[answer.status] = found.get(answer.status, 0) + 1
    connection.close()
    return found


def load(service: Detection, requests: int, seed: int) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        runs = [
            pool.submit(post, service.port, requests // CLIENTS, seed + client)
            for client in range(CLIENTS)
        ]
        for run in runs:
            statuses = run.result()
            assert statuses.keys() <= {200, 415, 422}, statuses
            assert statuses[200] > 0


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="asks Linux for memory")
def test_memory_is_the_same_after_many_requests_as_after_a_few(service):
    load(service, REQUESTS // 3, seed=0)
    before = resident_mb(service)
    load(service, REQUESTS - REQUESTS // 3, seed=100)
    grown = resident_mb(service) - before
    assert grown < GROWTH_MB, f"{grown:.1f} MB more after {REQUESTS} requests"
