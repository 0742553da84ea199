"""How much of the machine's own speed is left over HTTP: detection at 16 clients, and alone.

A real detection service process, loaded over keep-alive connections by another process; in turns
with it, in the same run, the same pipeline (decode → letterbox → session → boxes) on the same
pictures, looped in a process of its own with as many threads as there are cores.

    python tests/bench/detection_http.py [--seconds 6] [--rounds 3] [--model FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console
from rich.table import Table

from detection import cores, model, pipeline
from detection.pipeline import Limits, Scratch
from sightline.demo.model import demo_model
from sightline.simulator import Scenario, Simulator

CONFIDENCE = 0.4
PICTURES = 24
LIMITS = Limits(max_megapixels=64.0, max_detections=300, nms_iou=0.6)


def pictures() -> list[bytes]:
    """The simulator's frames as JPEG: the same ones for both sides."""
    frames = Simulator(Scenario.default(seed=1)).frames(rate_hz=2.0, count=PICTURES)
    return [shot.jpeg for shot in frames]


def summary(waits: list[float], seconds: float) -> dict[str, float]:
    """Rate and percentiles of what one side did."""
    waits = sorted(waits)
    return {
        "rate": len(waits) / seconds,
        "p50_ms": waits[len(waits) // 2] * 1e3,
        "p99_ms": waits[int(len(waits) * 0.99)] * 1e3,
    }


def looped(path: Path, seconds: float, threads: int) -> dict[str, float]:
    """The pipeline without HTTP: so many threads, each with its own scratch."""
    loaded = model.load(
        path, layout="yolov8", input_size=None, max_megabytes=512.0, intra_threads=1
    )
    images = pictures()
    waits: list[float] = []
    end = time.perf_counter() + seconds

    def work(offset: int) -> None:
        scratch, turn = Scratch(), offset
        while (began := time.perf_counter()) < end:
            pipeline.detect(
                images[turn % PICTURES],
                model=loaded, scratch=scratch, confidence=CONFIDENCE, limits=LIMITS,
            )  # fmt: skip
            waits.append(time.perf_counter() - began)
            turn += 1

    began = time.perf_counter()
    workers = [threading.Thread(target=work, args=(i * 7,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return summary(waits, time.perf_counter() - began)


class Client(asyncio.Protocol):
    """Posts one request after the other on one connection until the time is up.

    As lean as can be: on two cores, whatever the load costs is taken from what it loads.
    """

    def __init__(self, requests: list[bytes], offset: int, end: float) -> None:
        self._requests, self._turn, self._end = requests, offset, end
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
                self.done.set_exception(SystemExit(f"not 200: {bytes(self._buffer[:200])!r}"))
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
        self._transport.write(self._requests[self._turn % PICTURES])  # type: ignore[attr-defined]
        self._turn += 1


async def drive(port: int, clients: int, seconds: float) -> dict[str, float]:
    """So many clients at once, after a short warm-up that is not counted."""
    head = b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
    requests = [head + b"Content-Length: %d\r\n\r\n" % len(image) + image for image in pictures()]
    loop = asyncio.get_running_loop()

    async def all_clients(lasting: float) -> list[float]:
        end = time.perf_counter() + lasting
        made = [
            await loop.create_connection(
                lambda i=i: Client(requests, i * 3, end), "127.0.0.1", port
            )
            for i in range(clients)
        ]
        await asyncio.gather(*(client.done for _, client in made))
        return [wait for _, client in made for wait in client.waits]

    await all_clients(0.5)
    began = time.perf_counter()
    waits = await all_clients(seconds)
    return summary(waits, time.perf_counter() - began)


def over_http(path: Path, *, clients: int, seconds: float) -> dict[str, float]:
    """A fresh service, one round of load."""
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        port_file = Path(folder) / "port"
        service = subprocess.Popen(
            [sys.executable, "-m", "detection", "--port", "0", "--port-file", str(port_file)],
            env=os.environ
            | {
                "SIGHTLINE_DETECTION_MODELS": str(path),
                "SIGHTLINE_DETECTION_CONFIDENCE": str(CONFIDENCE),
                "SIGHTLINE_DETECTION_LOG_LEVEL": "warning",
            },
        )
        try:
            while not port_file.exists():
                if service.poll() is not None:
                    raise SystemExit("the detection service did not start")
                time.sleep(0.02)
            return alone(
                "--drive", port_file.read_text(), "--clients", clients, "--seconds", seconds
            )
        finally:
            service.terminate()
            service.wait(10)


def alone(*arguments: object) -> dict[str, float]:
    """This file in a process of its own; what it measured."""
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    # The last line: before it, the service's own code may have logged.
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    """Measure in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path, default=demo_model())
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--drive", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--loop", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        print(json.dumps(uvloop.run(drive(options.drive, options.clients, options.seconds))))
        return
    if options.loop:
        print(json.dumps(looped(options.model, options.seconds, options.loop)))
        return
    threads = cores.available()
    table = Table(title=f"Detection: images over HTTP, {options.model.name}, {threads} cores")
    for column in ("clients", "images/s", "p50 ms", "p99 ms", "in-process images/s", "threads",
                   "share of in-process", "lowest", "highest"):  # fmt: skip
        table.add_column(column, justify="right")
    for clients, loops in ((options.clients, threads), (1, 1)):
        rounds = []
        for _ in range(options.rounds):
            got = over_http(options.model, clients=clients, seconds=options.seconds)
            bare = alone("--loop", loops, "--model", options.model, "--seconds", options.seconds)
            rounds.append({**got, "bare": bare["rate"], "share": got["rate"] / bare["rate"]})
        mid = {key: median(each[key] for each in rounds) for key in rounds[0]}
        shares = [each["share"] for each in rounds]
        table.add_row(
            str(clients), f"{mid['rate']:.1f}", f"{mid['p50_ms']:.1f}", f"{mid['p99_ms']:.1f}",
            f"{mid['bare']:.1f}", str(loops), f"{mid['share']:.3f}",
            f"{min(shares):.3f}", f"{max(shares):.3f}",
        )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
