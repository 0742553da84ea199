"""A gateway on what was restored, for a drill: it must answer, take a frame in and deliver it.

It runs on loopback with one sink of ours, and with none of those that the database knows: nobody
else hears of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sightline.backups.errors import DamageError, ToolError

_START_SECONDS = 120.0
_DELIVERY_SECONDS = 30.0
_STOP_SECONDS = 30.0
_LAST = 400
_PING, _PONG = b't-x-c-t"', b't-x-c-t-r"'
_CAMERA = "sightline-drill"
_FRAME: dict[str, Any] = {
    "sensor": {
        "position": {
            "latitude": 47.0, "longitude": 8.0, "altitude": 500.0, "altitude_reference": "hae",
        },
        "attitude": {"heading": 90.0, "pitch": -45.0, "roll": 0.0},
        "intrinsics": {"image_width": 960, "image_height": 540, "focal_px": 900.0},
        "platform": "drone_rtk",
    },
}  # fmt: skip


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway did on a restored database."""

    ready_seconds: float
    """From its start until it was ready."""
    head: int
    """The newest event that it gave out of what was restored; 0 where there is none."""
    delivered_seconds: float
    """From a frame that was sent until its event was at the sink."""


def program() -> Path:
    """The gateway's. Raises ToolError where it is not installed."""
    beside = Path(sys.executable).with_name("sightline-cop-gateway")
    found = str(beside) if beside.exists() else shutil.which("sightline-cop-gateway")
    if found is None:
        raise ToolError(
            "sightline-cop-gateway is not installed: pip install 'sightline[cop-gateway]', or say"
            " --no-gateway"
        )
    return Path(found)


def serve(url: str) -> Served:
    """Start one on a database, ask it, have it deliver; raises DamageError where it does not."""
    with tempfile.TemporaryDirectory(prefix="sightline-drill-") as name, _Sink() as sink:
        folder = Path(name)
        began = time.monotonic()
        with _running(folder, url, sink.port) as base:
            ready = time.monotonic() - began
            events = _asked(f"{base}/v1/events?limit=1").get("events", [])
            tag = f"drill-{os.urandom(6).hex()}"
            sent = time.monotonic()
            _post(base, tag)
            if not sink.heard(tag, _DELIVERY_SECONDS):
                raise DamageError(
                    f"a gateway on what was restored took a frame in, and did not deliver it within"
                    f" {_DELIVERY_SECONDS:g} s"
                )
            return Served(
                ready_seconds=round(ready, 3),
                head=max((int(each.get("sequence", 0)) for each in events), default=0),
                delivered_seconds=round(time.monotonic() - sent, 3),
            )


@contextlib.contextmanager
def _running(folder: Path, url: str, sink: int) -> Iterator[str]:
    named, port, log = folder / "database-url", folder / "port", folder / "log"
    named.touch(mode=0o600)
    named.write_text(url, encoding="utf-8")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    with log.open("wb") as written:
        gateway = subprocess.Popen(  # noqa: S603 - a program that is meant
            [program(), "--port", "0", "--port-file", port],
            env={
                **kept,
                "SIGHTLINE_GATEWAY_DATABASE_FILE": str(named),
                "SIGHTLINE_GATEWAY_SINK": f"tcp://127.0.0.1:{sink}",
                "SIGHTLINE_GATEWAY_GROUND_HEIGHT_M": "400",
                "SIGHTLINE_GATEWAY_SIMULATED": "true",
            },
            stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield _ready(gateway, port, log)
    finally:
        gateway.terminate()
        try:
            gateway.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            gateway.kill()
            gateway.wait()


def _ready(gateway: subprocess.Popen[bytes], port: Path, log: Path) -> str:
    until = time.monotonic() + _START_SECONDS
    while gateway.poll() is None and time.monotonic() < until:
        if port.exists() and (number := port.read_text().strip()):
            base = f"http://127.0.0.1:{number}"
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{base}/ready", timeout=5):  # noqa: S310
                return base
        time.sleep(0.05)
    said = " ".join(log.read_text(errors="replace").split())[-_LAST:]
    raise DamageError(f"a gateway on what was restored does not become ready: {said}")


def _asked(address: str, body: bytes | None = None) -> Any:
    asked = urllib.request.Request(  # noqa: S310 - on loopback
        address, body, {"Content-Type": "application/json"} if body else {}
    )
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:_LAST]
        raise DamageError(f"a gateway on what was restored answers {error.code}: {said}") from error
    except OSError as error:
        raise DamageError(f"a gateway on what was restored does not answer: {error}") from error


def _post(base: str, tag: str) -> None:
    frame = {
        **_FRAME,
        "frame_id": tag,
        "camera_id": _CAMERA,
        "captured_at": datetime.now(UTC).isoformat(),
    }
    seen = {"class": "car", "confidence": 0.9, "box": [440, 250, 520, 290]}
    _asked(f"{base}/v1/detections", json.dumps({"frame": frame, "detections": [seen]}).encode())


class _Sink:
    """A TAK server as small as can be: it answers pings, and remembers what came."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._came, self._news = b"", threading.Condition()

    def __enter__(self) -> _Sink:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def heard(self, tag: str, seconds: float) -> bool:
        """Whether an event with that text comes in time."""
        with self._news:
            return self._news.wait_for(lambda: tag.encode() in self._came, seconds)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        rest = b""
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65_536):
                *events, rest = (rest + data).split(b"</event>")
                for event in events:
                    if _PING in event:
                        pong = re.sub(rb"<\?xml[^>]*\?>", b"", event).replace(_PING, _PONG)
                        connection.sendall(pong + b"</event>")
                    else:
                        with self._news:
                            self._came += event
                            self._news.notify_all()
