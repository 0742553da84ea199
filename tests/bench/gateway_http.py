"""How many durable events a second the gateway takes in over HTTP, and its share of the raw rate.

A real gateway process on SQLite (WAL, synchronous FULL), loaded by another process over keep-alive
connections; in the same run, in turns with it, the raw rate: the very same rows in groups of the
same size, committed by a bare loop on the same disk.

    python tests/bench/gateway_http.py [--seconds 5] [--rounds 3]
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
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from cop_gateway.app import world
from cop_gateway.outbox.record import FrameKey
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.pipeline import Picture, advance
from cop_gateway.settings import Settings
from sightline.messages import DetectionReport, decode

LOADS = (
    (40, 32, None), (20, 32, None), (10, 32, None), (1, 64, None), (20, 32, 250.0), (10, 64, 500.0),
)  # fmt: skip
"""Detections a frame, clients, frames a second; the last two by the clock, at 5,000 events/s."""

SENSOR = {
    "position": {
        "latitude": 47.3977, "longitude": 8.5456, "altitude": 500.0, "altitude_reference": "hae",
    },
    "attitude": {"heading": 271.5, "pitch": -42.0, "roll": 1.25},
    "intrinsics": {"image_width": 960, "image_height": 540, "focal_px": 900.0},
    "platform": "drone_rtk",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one round sends."""

    connections: int
    detections: int
    seconds: float
    frames_per_s: float | None = None
    """Sent by the clock, whatever the answers take (open loop); None: as fast as answers come."""


def body(frame: str, camera: str, detections: int) -> bytes:
    """One frame with so many cars, each in a place of its own."""
    return json.dumps(
        {
            "frame": {
                "frame_id": frame,
                "camera_id": camera,
                "captured_at": datetime.now(UTC).isoformat(),
                "sensor": SENSOR,
            },
            "detections": [
                {
                    "class": "car",
                    "confidence": 0.9,
                    "box": [40 + 90 * (i % 10), 80 + 90 * (i // 10 % 5),
                            70 + 90 * (i % 10), 100 + 90 * (i // 10 % 5)],
                }
                for i in range(detections)
            ],
        }
    ).encode()  # fmt: skip


async def client(port: int, name: str, load: Load, share: float) -> tuple[int, list[float]]:
    """Post frames one after the other on one connection until the time is up.

    By the clock, each client begins at its share of the interval; a wait counts from when the frame
    was due, so that a stall is seen in every frame that it held up.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST /v1/detections HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n"
    gap = load.connections / load.frames_per_s if load.frames_per_s else 0.0
    start, sent, waits = time.perf_counter() + share * gap, 0, []
    while (began := start + sent * gap if gap else time.perf_counter()) < start + load.seconds:
        if (early := began - time.perf_counter()) > 0 and gap:
            await asyncio.sleep(early)
        # A camera each: a frame of one camera is not held against those of another.
        data = body(f"{name}-{sent}", name, load.detections)
        writer.write(head.format(len(data)).encode() + data)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 201"):
            raise SystemExit(f"not 201: {answer[:200]!r}")
        length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        sent += 1
        waits.append(time.perf_counter() - began)
    writer.close()
    return sent, waits


async def drive(port: int, load: Load) -> None:
    """The load process: prints what it measured as JSON."""
    began = time.perf_counter()
    tag = f"{os.getpid():x}"
    results = await asyncio.gather(
        *(client(port, f"{tag}-{i}", load, i / load.connections) for i in range(load.connections))
    )
    seconds = time.perf_counter() - began
    waits = sorted(wait for _, each in results for wait in each)
    frames = sum(sent for sent, _ in results)
    print(
        json.dumps(
            {
                "events_per_s": frames * load.detections / seconds,
                "frames_per_s": frames / seconds,
                "p50_ms": waits[len(waits) // 2] * 1e3,
                "p99_ms": waits[int(len(waits) * 0.99)] * 1e3,
            }
        )
    )


def over_http(folder: Path, load: Load, *, sink: str | None = None) -> dict[str, float]:
    """A gateway on the database in that folder, one round of load; how much memory it took."""
    port_file = folder / "port"
    gateway = subprocess.Popen(
        [sys.executable, "-m", "cop_gateway", "--port", "0", "--port-file", str(port_file)],
        env=os.environ
        | {
            "SIGHTLINE_GATEWAY_DATABASE": f"sqlite:///{folder / 'gateway.db'}",
            "SIGHTLINE_GATEWAY_GROUND_HEIGHT_M": "400",
            "SIGHTLINE_GATEWAY_LOG_LEVEL": "error",
            **({"SIGHTLINE_GATEWAY_SINK": sink} if sink else {}),
        },
    )
    try:
        while not port_file.exists():
            if gateway.poll() is not None:
                raise SystemExit("the gateway did not start")
            time.sleep(0.02)
        port = int(port_file.read_text())
        done = subprocess.run(
            [
                sys.executable, __file__, "--drive", str(port), "--connections",
                str(load.connections), "--detections", str(load.detections), "--seconds",
                str(load.seconds), "--pace", str(load.frames_per_s or 0.0),
            ],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        result: dict[str, float] = json.loads(done.stdout)
        result["frames_per_commit"] = _sample(
            text, "sightline_gateway_commit_frames_sum"
        ) / _sample(text, "sightline_gateway_commit_frames_count")
        status = Path(f"/proc/{gateway.pid}/status").read_text()
        result["peak_mb"] = int(status.split("VmHWM:")[1].split()[0]) / 1024
        return result
    finally:
        gateway.terminate()
        gateway.wait(10)


def _sample(text: str, name: str) -> float:
    return next(
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)
    )


def raw(folder: Path, load: Load, group: int) -> float:
    """Events a second of a bare loop that commits ready-made rows in groups of that many frames."""
    settings = Settings(database="sqlite:///x", ground_height_m=400.0)
    report = decode(body("0", "raw", load.detections), DetectionReport)
    _, (record,) = advance(Picture(), [report], world(settings))
    store = SqliteOutbox(folder / "raw.db")
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < load.seconds:
        rows = [
            replace(record, key=FrameKey(camera_id="raw", frame_id=f"{count + i}"))
            for i in range(group)
        ]
        store.commit(rows, datetime.now(UTC))
        count += group
    rate = count * load.detections / (time.perf_counter() - began)
    store.close()
    return rate


def main() -> None:
    """Measure in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--drive", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--detections", type=int, default=20)
    parser.add_argument("--pace", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        asyncio.run(
            drive(
                options.drive,
                Load(
                    connections=options.connections,
                    detections=options.detections,
                    seconds=options.seconds,
                    frames_per_s=options.pace or None,
                ),
            )
        )
        return
    table = Table(
        title="Gateway: durable events over HTTP, SQLite synchronous FULL (detections a frame)"
    )
    for column in ("a frame", "clients", "events/s", "frames/s", "p50 ms", "p99 ms",
                   "a commit", "raw events/s", "of raw", "peak MB"):  # fmt: skip
        table.add_column(column, justify="right")
    loads = [
        Load(connections=clients, detections=detections, seconds=options.seconds, frames_per_s=pace)
        for detections, clients, pace in LOADS
    ]
    for load in loads:
        rounds = []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory(prefix="sightline-bench-") as name:
                got = over_http(Path(name), load)
                group = max(1, round(got["frames_per_commit"]))
                got["raw"] = raw(Path(name), load, group)
                got["share"] = got["events_per_s"] / got["raw"]
                rounds.append(got)
        mid = {key: median(each[key] for each in rounds) for key in rounds[0]}
        table.add_row(
            str(load.detections), str(load.connections), f"{mid['events_per_s']:.0f}",
            f"{mid['frames_per_s']:.0f}", f"{mid['p50_ms']:.1f}", f"{mid['p99_ms']:.1f}",
            f"{mid['frames_per_commit']:.1f}", f"{mid['raw']:.0f}",
            "paced" if load.frames_per_s else f"{mid['share']:.2f}", f"{mid['peak_mb']:.0f}",
        )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
