"""Real processes for tests: the gateway, a TAK server, a TAK client. Each ends with its test."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from socketserver import BaseServer
from typing import Any, ClassVar, NoReturn, TypeVar

import pytest

START_SECONDS = 30.0
S = TypeVar("S", bound=BaseServer)

SENSOR: dict[str, Any] = {
    "position": {
        "latitude": 47.3977,
        "longitude": 8.5456,
        "altitude": 500.0,
        "altitude_reference": "hae",
    },
    "attitude": {"heading": 90.0, "pitch": -45.0, "roll": 0.0},
    "intrinsics": {"image_width": 960, "image_height": 540, "focal_px": 900.0},
    "platform": "drone_rtk",
}
"""A drone 100 m above ground at 400 m, looking east and down."""


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def required(why: str) -> NoReturn:
    """What a test needs is not here: skip it, or fail where everything is required."""
    if os.environ.get("SIGHTLINE_REQUIRE_ALL"):
        pytest.fail(f"{why}; and every test is required here")
    pytest.skip(why)


def wait_for(
    condition: Callable[[], Any], *, seconds: float = START_SECONDS, what: str = ""
) -> Any:
    """Poll until the condition gives something true; fail naming what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what or condition}")


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def http(
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
) -> Answer:
    """One request on a connection of its own; problem documents are answers, too."""
    request = urllib.request.Request(url, body, dict(headers or {}), method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())


@dataclass
class Process:
    """A child with its output in a file."""

    command: list[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str | None = None
    own_session: ClassVar[bool] = False
    """Whether its children can be ended with it, as a group."""
    popen: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env=os.environ | dict(self.env),
                cwd=self.cwd,
                user=self.user,
                start_new_session=self.own_session,
            )

    def kill(self) -> None:
        """As the kernel would: no chance to clean up."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self, *, seconds: float = 15.0) -> int:
        """SIGTERM and its exit code."""
        if self.popen.poll() is None:
            self.popen.terminate()
        return self.popen.wait(seconds)

    @property
    def output(self) -> str:
        return self.log.read_text()


class Gateway(Process):
    """sightline-cop-gateway on a port of its own; keeps port and database over restarts."""

    def __init__(self, folder: Path, *, sink: str | None = None, **settings: str) -> None:
        self.port = free_port()
        folder.mkdir(exist_ok=True)
        self.database = folder / "gateway.db"
        env = {
            "SIGHTLINE_GATEWAY_DATABASE": f"sqlite:///{self.database}",
            "SIGHTLINE_GATEWAY_GROUND_HEIGHT_M": "400",
            "SIGHTLINE_GATEWAY_GROUND_SIGMA_M": "0.5",
            **({"SIGHTLINE_GATEWAY_SINK": sink} if sink else {}),
            **{f"SIGHTLINE_GATEWAY_{name.upper()}": value for name, value in settings.items()},
        }
        super().__init__(
            command=[sys.executable, "-m", "cop_gateway", "--port", str(self.port)],
            log=folder / "gateway.log",
            env=env,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        super().start()
        wait_for(self.is_ready, what=f"gateway ready; its log:\n{self.output}")

    def is_ready(self) -> bool:
        if self.popen.poll() is not None:
            raise AssertionError(f"the gateway ended with {self.popen.returncode}:\n{self.output}")
        with contextlib.suppress(OSError):
            return http(f"{self.url}/ready").status == 200
        return False

    def post(self, report: dict[str, Any], **headers: str) -> Answer:
        return http(f"{self.url}/v1/detections", body=json.dumps(report).encode(), headers=headers)

    def get(self, path: str) -> Any:
        answer = http(f"{self.url}{path}")
        assert answer.status == 200, answer.body
        return answer.json


class Taky(Process):
    """A real TAK server."""

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        """`within` goes before the command."""
        self.host, self.port = host, port or free_port()
        (folder / "taky").mkdir(exist_ok=True)
        address = "0.0.0.0" if within else host
        config = folder / "taky.conf"
        config.write_text(
            # In a namespace of its own, there is nobody to hide from.
            f"[taky]\nhostname = localhost\nbind_ip = {address}\nroot_dir = {folder / 'taky'}\n"
            f"[cot_server]\nport = {self.port}\n[ssl]\nenabled = false\n"
        )
        taky = Path(sys.executable).with_name("taky")
        super().__init__(
            command=[*within, str(taky), "-c", str(config)], log=folder / "taky.log", cwd=folder
        )

    @property
    def url(self) -> str:
        return f"tcp://{self.host}:{self.port}"

    def start(self) -> None:
        super().start()
        wait_for(self._listens, what=f"taky listening; its log:\n{self.output}")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1):
            return True
        return False


_EVENT = re.compile(rb"<event\b.*?</event>", re.DOTALL)
_OWN = re.compile(rb"<__sightline\b([^>]*)/?>")
_ATTRIBUTE = re.compile(rb'(\w+)="([^"]*)"')


class TakClient:
    """Listens to a TAK server as any client would, on a thread of its own.

    Deliberately not the product's framing: a second, simple reading of the same stream.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._sock = socket.create_connection((host, port), 5)
        self._sock.settimeout(0.2)
        self._events: list[bytes] = []
        self._closing = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        buffer = b""
        while not self._closing:
            try:
                data = self._sock.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            buffer += data
            found = list(_EVENT.finditer(buffer))
            if found:
                self._events.extend(match[0] for match in found)
                buffer = buffer[found[-1].end() :]

    def say(self, data: bytes) -> None:
        self._sock.sendall(data)

    @property
    def listens(self) -> bool:
        """Whether the server has not hung up."""
        return self._thread.is_alive()

    @property
    def events(self) -> list[bytes]:
        return list(self._events)

    def sightings(self) -> list[tuple[str, str, int]]:
        """Camera, frame and detection of every sighting, in the order of arrival."""
        found = []
        for event in self.events:
            own = _OWN.search(event)
            names = dict(_ATTRIBUTE.findall(own[1])) if own else {}
            if b"detection" in names:
                found.append(
                    (names[b"camera"].decode(), names[b"frame"].decode(), int(names[b"detection"]))
                )
        return found

    def close(self) -> None:
        self._closing = True
        self._thread.join(5)
        self._sock.close()


@contextlib.contextmanager
def served(server: S) -> Iterator[S]:
    """An HTTP server of the test's own answers, from here to there."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def started(process: Process) -> Iterator[Any]:
    """Start it, and whatever happens, end it."""
    process.start()
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.terminate()
            try:
                process.popen.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def report(
    frame: str, *, camera: str = "drone-1", cars: int = 2, at: datetime | None = None
) -> dict[str, Any]:
    """A frame of the drone with so many cars in it."""
    return {
        "frame": {
            "frame_id": frame,
            "camera_id": camera,
            "captured_at": (at or datetime.now(UTC)).isoformat(),
            "sensor": SENSOR,
        },
        "detections": [
            {"class": "car", "confidence": 0.9, "box": [100 + 90 * i, 200, 140 + 90 * i, 230]}
            for i in range(cars)
        ],
    }
