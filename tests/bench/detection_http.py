"""How much of the machine's own speed is left over HTTP.

A real detection service process, loaded over keep-alive connections by another process; in turns
with it, in the same run, what one would write by hand for the same model and picture (OpenCV,
ONNX Runtime, NumPy), looped in a process of its own:

- the yardstick: as many threads as cores, one thread to an inference; its rate,
- alone: one thread, an inference on all cores; its median time.

    python tests/bench/detection_http.py [--seconds 6] [--rounds 3] [--model FILE] [--only NAME]

Everything is pinned to the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import onnx
import uvloop
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

import by_hand
import yolo11n

from detection import cores

CONFIDENCE = 0.25


def picture() -> bytes:
    """1080p, 380 kB: soft shapes and a little of a sensor's noise."""
    rng = np.random.default_rng(0)
    shapes = rng.integers(0, 255, (68, 120, 3), dtype=np.uint8)
    soft = cv2.resize(shapes, (1920, 1080), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    noisy = np.clip(soft + rng.normal(0, 2, soft.shape), 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 85])[1])


def summary(waits: list[float], seconds: float) -> dict[str, float]:
    """Rate and percentiles of what one side did."""
    waits = sorted(waits)
    return {
        "rate": len(waits) / seconds,
        "p50_ms": waits[len(waits) // 2] * 1e3,
        "p99_ms": waits[int(len(waits) * 0.99)] * 1e3,
    }


class Client(asyncio.Protocol):
    """Posts one request after the other on one connection until the time is up.

    As lean as can be: on two cores, whatever the load costs is taken from what it loads.
    """

    def __init__(self, request: bytes, end: float) -> None:
        self._request, self._end = request, end
        self._buffer = bytearray()
        self._whole = 0
        self._began = 0.0
        self.waits: list[float] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._whole:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 200"):
                self.done.set_exception(SystemExit(f"not 200: {bytes(self._buffer[:400])!r}"))
                return
            at = self._buffer.find(b"content-length: ") + 16
            self._whole = head + 4 + int(self._buffer[at : self._buffer.find(b"\r", at)])
        if len(self._buffer) >= self._whole:
            self.waits.append(time.perf_counter() - self._began)
            self._buffer.clear()
            self._whole = 0
            self._send()

    def _send(self) -> None:
        self._began = time.perf_counter()
        if self._began >= self._end:
            self._transport.close()
            self.done.set_result(None)
            return
        self._transport.write(self._request)  # type: ignore[attr-defined]


async def drive(port: int, clients: int, seconds: float) -> dict[str, float]:
    """So many clients at once, after a short warm-up that is not counted."""
    image = picture()
    head = b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
    request = head + b"Content-Length: %d\r\n\r\n" % len(image) + image
    loop = asyncio.get_running_loop()

    async def all_clients(lasting: float) -> list[float]:
        end = time.perf_counter() + lasting
        made = [
            await loop.create_connection(lambda: Client(request, end), "127.0.0.1", port)
            for _ in range(clients)
        ]
        await asyncio.gather(*(client.done for _, client in made))
        return [wait for _, client in made for wait in client.waits]

    await all_clients(0.5)
    began = time.perf_counter()
    waits = await all_clients(seconds)
    return summary(waits, time.perf_counter() - began)


class Service:
    """A fresh detection service."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sightline-bench-")
        port_file = Path(self._folder.name) / "port"
        # Nobody is refused: what is measured is what it costs to answer.
        usual = {"log_level": "warning", "queue_limit": 512, "deadline_seconds": 120}
        settings = {"models": path, **usual, **settings}
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "detection", "--port", "0", "--port-file", str(port_file)],
            env=os.environ
            | {
                f"SIGHTLINE_DETECTION_{name.upper()}": str(value)
                for name, value in settings.items()
            },
        )
        while not port_file.exists():
            if self.process.poll() is not None:
                raise SystemExit("the detection service did not start")
            time.sleep(0.002)
        self.ready_seconds = time.perf_counter() - began
        self.port = int(port_file.read_text())

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._folder.cleanup()

    @property
    def pss_mb(self) -> float:
        """Memory, with what is shared divided among those who share it."""
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    @property
    def images(self) -> float:
        """Answered so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        name = "sightline_detection_images_total{"
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    @property
    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def over_http(path: Path, *, clients: int, seconds: float) -> dict[str, float]:
    """A fresh service, one round of load."""
    with Service(path) as service:
        before = service.cpu_seconds, service.images
        got = alone("--drive", service.port, "--clients", clients, "--seconds", seconds)
        spent = (service.cpu_seconds - before[0]) / (service.images - before[1])
        return {**got, "cpu_ms": spent * 1e3, "pss_mb": service.pss_mb,
                "ready_s": service.ready_seconds}  # fmt: skip


def alone(*arguments: object) -> dict[str, float]:
    """This file in a process of its own; what it measured."""
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    # The last line: before it, the service's own code may have logged.
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def looped(path: Path, *, threads: int, intra: int, seconds: float) -> dict[str, float]:
    """By hand, in a process of its own."""
    return alone("--loop", threads, "--intra", intra, "--model", path, "--seconds", seconds)


def side_by_side(
    title: str, path: Path, hand: Path, *, clients: int, seconds: float, rounds: int
) -> list[str]:
    """One row: over HTTP and by hand in turns."""
    count = cores.available()
    by_rate = clients > 1
    found = []
    for _ in range(rounds):
        got = over_http(path, clients=clients, seconds=seconds)
        bare = looped(
            hand, threads=count if by_rate else 1, intra=1 if by_rate else count, seconds=seconds
        )
        ratio = got["rate"] / bare["rate"] if by_rate else got["p50_ms"] / bare["p50_ms"]
        found.append({**got, "bare": bare["rate" if by_rate else "p50_ms"], "ratio": ratio})
    mid = {key: median(each[key] for each in found) for key in found[0]}
    ratios = sorted(each["ratio"] for each in found)
    return [
        title, str(clients), f"{mid['rate']:.1f}", f"{mid['p50_ms']:.1f}", f"{mid['p99_ms']:.1f}",
        f"{mid['cpu_ms']:.1f}", f"{mid['pss_mb']:.0f}",
        f"{mid['bare']:.1f} {'/s' if by_rate else 'ms'}",
        f"{mid['ratio']:.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})",
    ]  # fmt: skip


def main() -> None:
    """Measure in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path, help="else one as heavy as YOLO11n, made here")
    parser.add_argument("--only", nargs="*", help="rows whose names begin so")
    parser.add_argument("--clients", type=int, default=16, help=argparse.SUPPRESS)
    parser.add_argument("--intra", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--drive", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--loop", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        print(json.dumps(uvloop.run(drive(options.drive, options.clients, options.seconds))))
        return
    if options.loop:
        waits, seconds = by_hand.loop(
            options.model, picture(), threads=options.loop, intra=options.intra,
            seconds=options.seconds, confidence=CONFIDENCE,
        )  # fmt: skip
        print(json.dumps(summary(waits, seconds)))
        return
    with tempfile.TemporaryDirectory(prefix="sightline-models-") as folder:
        print_table(Path(folder), options)


def print_table(folder: Path, options: argparse.Namespace) -> None:
    """Every row, measured."""
    model = options.model or folder / "yolo11n.onnx"
    if options.model is None:
        onnx.save(yolo11n.build()[0], str(model))
    tiny, quick = by_hand.tiny(folder / "tiny.onnx"), folder / "int8.onnx"
    still = folder / "picture.jpg"
    still.write_bytes(picture())
    subprocess.run(
        [sys.executable, "models/quantise.py", model, quick, still], check=True, capture_output=True
    )
    table = Table(title=f"Detection over HTTP, 1080p JPEG, {model.name}, {cores.available()} cores")
    for column in ("what", "clients", "images/s", "p50 ms", "p99 ms", "CPU ms/image", "PSS MB",
                   "by hand", "ratio (lowest-highest)"):  # fmt: skip
        table.add_column(column, justify="left" if column == "what" else "right")
    rows = [("float", model, model, 16), ("float", model, model, 1), ("tiny", tiny, tiny, 16),
            ("int8 beside float", quick, model, 16), ("int8", quick, quick, 16)]  # fmt: skip
    rows += [("cost", model, model, clients) for clients in (4, 64, 256)]
    for title, served, hand, clients in rows:
        if options.only and not any(title.startswith(each) for each in options.only):
            continue
        table.add_row(
            *side_by_side(
                title, served, hand, clients=clients,
                seconds=options.seconds, rounds=options.rounds,
            )
        )  # fmt: skip
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
