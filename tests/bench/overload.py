"""What a detection service does with four times as much as it can: goodput, waits, memory.

Capacity is measured first, by clients that wait for their answers; then requests come by the clock,
whether others are answered or not. A request that is refused is not sent again.

    python tests/bench/overload.py [--seconds 60] [--times 4] [--model FILE]
    python tests/bench/overload.py --soak 50000        # memory over so many requests
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import onnx
import uvloop
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

import by_hand
import yolo11n
from detection_http import Service, alone, picture, summary

MOST_CONNECTIONS = 1000
SAMPLE_SECONDS = 1.0


class Connection(asyncio.Protocol):
    """Posts when it is told to, and says what came of it."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = bytearray()
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._load.lost(self)

    def post(self, request: bytes) -> None:
        self._began = time.perf_counter()
        self.transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._buffer.find(b"content-length: ") + 16
        whole = head + 4 + int(self._buffer[at : self._buffer.find(b"\r", at)])
        if len(self._buffer) < whole:
            return
        status = int(self._buffer[9:12])
        self._buffer.clear()
        self._load.answered(self, status, time.perf_counter() - self._began)


class Load:
    """Requests by the clock over as many connections as it takes."""

    def __init__(self, port: int, rate: float, seconds: float) -> None:
        self._port, self._rate, self._seconds = port, rate, seconds
        image = picture()
        head = b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
        self._request = head + b"Content-Length: %d\r\n\r\n" % len(image) + image
        self._idle: list[Connection] = []
        self._open = 0
        self.waits: list[float] = []
        self.refused: list[float] = []
        self.statuses: dict[int, int] = {}
        self.broken = 0

    async def run(self) -> dict[str, float]:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        for number in range(int(self._rate * self._seconds)):
            due = began + number / self._rate
            while (left := due - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            if not self._idle:
                if self._open >= MOST_CONNECTIONS:
                    self.broken += 1
                    continue
                await loop.create_connection(self._made, "127.0.0.1", self._port)
            self._idle.pop().post(self._request)
        good = len(self.waits)
        lasted = time.perf_counter() - began
        await asyncio.sleep(2.0)
        refusals = summary(self.refused, 1.0) if self.refused else {"p50_ms": 0.0}
        return {
            **summary(self.waits, 1.0),
            "rate": good / lasted,
            "refused": float(len(self.refused)),
            "refused_p50_ms": refusals["p50_ms"],
            "other": float(sum(n for code, n in self.statuses.items() if code not in (200, 503))),
            "broken": float(self.broken),
            "connections": float(self._open),
        }

    def _made(self) -> Connection:
        self._open += 1
        connection = Connection(self)
        self._idle.append(connection)
        return connection

    def lost(self, connection: Connection) -> None:
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        else:
            self.broken += 1

    def answered(self, connection: Connection, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        (self.waits if status == 200 else self.refused).append(seconds)
        self._idle.append(connection)


def overload(path: Path, *, times: float, seconds: float) -> None:
    """Capacity, then more than that; print the table."""
    with Service(path, queue_limit=24) as service:
        capacity = alone("--drive", service.port, "--clients", 16, "--seconds", min(seconds, 15))
        before = service.pss_mb
        rate = capacity["rate"] * times
        load = subprocess.Popen(
            [sys.executable, __file__, "--load", str(rate), "--port", str(service.port),
             "--seconds", str(seconds)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        memory = [before]
        while load.poll() is None:
            time.sleep(SAMPLE_SECONDS)
            memory.append(service.pss_mb)
        assert load.stdout is not None
        got = json.loads(load.stdout.read().splitlines()[-1])
    # What the first seconds take is the queue and its connections: full from then on.
    early = memory[min(10, len(memory) - 1)]
    table = Table(title=f"{times:g} times the capacity for {seconds:g} s, {path.name}")
    for column in ("", "images/s", "p50 ms", "p99 ms", "refused", "told after ms", "other",
                   "broken", "PSS MB"):  # fmt: skip
        table.add_column(column, justify="right")
    table.add_row(
        "capacity", f"{capacity['rate']:.1f}", f"{capacity['p50_ms']:.0f}",
        f"{capacity['p99_ms']:.0f}", "", "", "", "", f"{before:.0f}",
    )  # fmt: skip
    table.add_row(
        f"at {rate:.0f}/s", f"{got['rate']:.1f}", f"{got['p50_ms']:.0f}", f"{got['p99_ms']:.0f}",
        f"{got['refused']:.0f}", f"{got['refused_p50_ms']:.1f}", f"{got['other']:.0f}",
        f"{got['broken']:.0f}", f"{early:.0f} → {max(memory):.0f}",
    )  # fmt: skip
    table.add_row(
        "ratio", f"{got['rate'] / capacity['rate']:.3f}",
        f"{got['p50_ms'] / capacity['p50_ms']:.2f}", f"{got['p99_ms'] / capacity['p99_ms']:.2f}",
        "", "", "", "", f"{max(memory) / early:.3f}",
    )  # fmt: skip
    Console(width=130).print(table)


def soak(path: Path, requests: int) -> None:
    """Memory after each tenth of so many requests."""
    table = Table(title=f"Memory over {requests} requests, {path.name}")
    for column in ("requests", "images/s", "PSS MB"):
        table.add_column(column, justify="right")
    with Service(path) as service:
        done = 0.0
        while done < requests:
            got = alone("--drive", service.port, "--clients", 16, "--seconds", 15)
            done += got["rate"] * 15.5
            table.add_row(f"{done:.0f}", f"{got['rate']:.0f}", f"{service.pss_mb:.1f}")
    Console(width=100).print(table)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--times", type=float, default=4.0)
    parser.add_argument("--model", type=Path, help="else one as heavy as YOLO11n, made here")
    parser.add_argument("--soak", type=int, help="requests of a model that costs next to nothing")
    parser.add_argument("--load", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        print(json.dumps(uvloop.run(Load(options.port, options.load, options.seconds).run())))
        return
    with tempfile.TemporaryDirectory(prefix="sightline-models-") as folder:
        if options.soak:
            soak(options.model or by_hand.tiny(Path(folder) / "tiny.onnx"), options.soak)
            return
        path = options.model or Path(folder) / "yolo11n.onnx"
        if options.model is None:
            onnx.save(yolo11n.build()[0], str(path))
        overload(path, times=options.times, seconds=options.seconds)


if __name__ == "__main__":
    main()
