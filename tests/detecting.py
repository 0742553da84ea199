"""A real detection service in a process of its own, for tests."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from running import Answer, Process, http, wait_for


class Detection(Process):
    """sightline-detection on a free port of its own choice."""

    def __init__(self, folder: Path, models: Path, **settings: Any) -> None:
        self.port_file = folder / "detection.port"
        env = {
            f"SIGHTLINE_DETECTION_{name.upper()}": str(value)
            for name, value in {"models": models, "lanes": 2, **settings}.items()
        }
        super().__init__(
            command=[
                *(sys.executable, "-m", "detection", "--port", "0"),
                *("--port-file", str(self.port_file)),
            ],
            log=folder / "detection.log",
            env={**env, "SIGHTLINE_COLOUR": "blue", "SIGHTLINE_VERSION": "9.8.7"},
        )

    @property
    def port(self) -> int:
        return int(self.port_file.read_text())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        # Of whoever ran in this folder before.
        self.port_file.unlink(missing_ok=True)
        super().start()
        wait_for(self._announced, what="the port of the detection service")

    def _announced(self) -> bool:
        if self.popen.poll() is not None:
            raise AssertionError(f"it ended with {self.popen.returncode}:\n{self.output}")
        return self.port_file.exists()

    def post(
        self, body: bytes, *, query: str = "", content_type: str | None = None, **headers: str
    ) -> Answer:
        # urllib announces a form where nothing else is announced.
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return http(
            f"{self.url}/v1/detect{query}",
            body=body,
            headers={"Content-Type": content_type or "application/octet-stream", **named},
        )

    def post_form(self, parts: dict[str, bytes], **headers: str) -> Answer:
        body, content_type = form(parts)
        return self.post(body, content_type=content_type, **headers)

    def post_batch(
        self, images: Sequence[bytes], frames: object = None, *, query: str = "", **headers: str
    ) -> Answer:
        """Several images, and their frames where there are any."""
        parts = [("image", image) for image in images]
        if frames is not None:
            parts.append(("frames", json.dumps(frames).encode()))
        body, content_type = form(parts)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return http(
            f"{self.url}/v1/detect/batch{query}",
            body=body,
            headers={"Content-Type": content_type, **named},
        )

    def reasons(self) -> dict[str, str]:
        """Why it is not ready."""
        found: dict[str, str] = http(f"{self.url}/ready").json["reasons"]
        return found

    def idle(self) -> bool:
        """Whether no image is looked at, nor waits."""
        names = ("sightline_detection_lanes_busy", "sightline_detection_queue_depth")
        return all(self.metric(name) == 0 for name in names)

    def taken(self) -> float:
        """Images that were let in so far: those at work, that wait, and that are done with."""
        text = http(f"{self.url}/metrics").body.decode()
        counted = (
            "sightline_detection_lanes_busy{",
            "sightline_detection_queue_depth{",
            "sightline_detection_images_total{",
        )
        lines = [line for line in text.splitlines() if line.startswith(counted)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def lines(self) -> list[dict[str, Any]]:
        """Every line that it logged so far; each must be a JSON object."""
        found = [json.loads(line) for line in self.output.splitlines()]
        assert all(isinstance(line, dict) for line in found)
        return found

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry these labels."""
        text = http(f"{self.url}/metrics").body.decode()
        total = 0.0
        for line in text.splitlines():
            head, _, value = line.rpartition(" ")
            if head.partition("{")[0] == name and all(
                f'{label}="{wanted}"' in head for label, wanted in labels.items()
            ):
                total += float(value)
        return total


@contextmanager
def asking(count: int, ask: Callable[[threading.Event], None]) -> Iterator[None]:
    """So many threads that ask until the event is set, which is at the end of the block.

    What goes wrong in one of them is raised then.
    """
    ended = threading.Event()
    with ThreadPoolExecutor(count) as pool:
        threads = [pool.submit(ask, ended) for _ in range(count)]
        try:
            yield
        finally:
            ended.set()
            for each in threads:
                each.result(60)


def form(parts: Mapping[str, bytes] | Sequence[tuple[str, bytes]]) -> tuple[bytes, str]:
    """multipart/form-data as clients write it."""
    pairs = parts.items() if isinstance(parts, Mapping) else parts
    boundary = uuid.uuid4().hex
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in pairs
    )
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
