"""What log lines and spans cost, and how many lines the pipeline takes.

In one process, in turns: a request's log line with secrets kept out of it, and without; one that is
left out; a request through the middleware with traces off and on. Then, where `make engine` has
built the programs: lines from Docker's files through the collector until Loki counts them.

    python tests/bench/log_lines.py [--rounds 5] [--lines 60000]
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
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from starlette.responses import PlainTextResponse

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine import ROOT
from fakes.collector import collecting
from observing import Collector, ContainerLog, Loki
from running import started, wait_for
from serving.probes import Readiness
from serving.requests import RequestMiddleware
from telemetry import logs, metrics, redaction
from telemetry.redaction import SECRETS
from telemetry.spans import Spans

COUNT = 20_000
TRACE = "0af7651916cd43dd8448eb211c80319c"
LINE = {"method": "POST", "route": "/v1/detections", "status": 201, "duration_ms": 12.34}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=60_000)
    arguments = parser.parse_args()
    console = Console()
    with open(os.devnull, "w") as nowhere, collecting() as collector:  # noqa: PTH123
        _configure(nowhere, every=1)
        ways: dict[str, Callable[[], float]] = {
            "a line, secrets not looked for": lambda: _lines(redacting=False),
            "a line": lambda: _lines(redacting=True),
            "a line with one in it": lambda: _lines(redacting=True, error="password=hunter2"),
            "a line that is left out": lambda: _left_out(nowhere),
            "a request, traces off": lambda: _requests(None, nowhere),
            "a request, traces on": lambda: _requests(collector.url, nowhere),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, way in ways.items():
                found[name].append(way())
    table = Table("one", "µs", "a second", title=f"median of {arguments.rounds}")
    for name, seconds in found.items():
        each = median(seconds)
        table.add_row(name, f"{each * 1e6:.1f}", f"{1 / each:,.0f}")
    console.print(table)
    for module in ("telemetry.spans", "telemetry.collector"):
        console.print(f"to import {module}: {_import_seconds(module):.2f} s")
    if not (ROOT / ".cache/engine/bin/loki").is_file():
        console.print("no Loki: make engine")
        return
    console.print(_pipeline(arguments.lines))


def _configure(stream: Any, *, every: int) -> None:
    logs.configure(
        service="cop-gateway", version="0.1.0", colour="blue", stream=stream, sample_rate=1.0,
        sample_every=every,
    )  # fmt: skip
    for number in range(8):
        SECRETS.register(f"a secret of this process {number}")
    logs.bind(request_id="0" * 32, trace_id=TRACE, span_id="b7ad6b7169203331")
    logs.bind(camera_id="drone-7", frame_id="2026-11-26T06:00:00.000Z-17")


def _lines(*, redacting: bool, **more: str) -> float:
    log = logs.get("serving.requests")
    real = redaction.Redactor.suspects
    if not redacting:
        redaction.Redactor.suspects = lambda *_: False  # type: ignore[method-assign]
    try:
        began = time.perf_counter()
        for _ in range(COUNT):
            log.info("request", **LINE, **more)
        return (time.perf_counter() - began) / COUNT
    finally:
        redaction.Redactor.suspects = real  # type: ignore[method-assign]


def _left_out(stream: Any) -> float:
    _configure(stream, every=1_000_000)
    began = time.perf_counter()
    for _ in range(COUNT):
        logs.left_out("request", "POST", "/v1/detections", trace_id=TRACE)
    seconds = (time.perf_counter() - began) / COUNT
    _configure(stream, every=1)
    return seconds


def _requests(collector: str | None, stream: Any) -> float:
    """Through the middleware that gives each request its ids, line, metrics and span."""
    registry = metrics.registry(service="bench", version="1", colour="blue")
    spans = Spans.open(collector, metrics=registry, environ={})
    _configure(stream, every=1)
    app = RequestMiddleware(
        PlainTextResponse("ok"),
        metrics=metrics.HttpMetrics(registry),
        readiness=Readiness(),
        spans=spans,
    )
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "scheme": "http"}

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(_message: Any) -> None:
        return

    async def run() -> float:
        began = time.perf_counter()
        for _ in range(COUNT // 10):
            await app(dict(scope), receive, send)
        return (time.perf_counter() - began) / (COUNT // 10)

    try:
        return asyncio.run(run())
    finally:
        spans.close()


def _import_seconds(module: str) -> float:
    def once() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
        return time.perf_counter() - began

    return median(once() for _ in range(3))


def _pipeline(count: int) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = ContainerLog(folder / "containers", "gateway", max_bytes=1 << 40)
        for number in range(count):
            ids = {"trace_id": f"{number + 1:032x}", "span_id": f"{number + 1:016x}"}
            line = {"time": "", "level": "info", "event": "request", "service": "cop-gateway"}
            line["time"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{number:06}Z"
            line |= {"version": "0.1.0", "colour": "blue", "camera_id": f"c-{number % 100}", **ids}
            log.write(json.dumps(line | LINE | {"seq": number}))
        loki = Loki(folder / "loki")
        collector = Collector(folder / "otelcol", loki=loki.url, containers=folder / "containers")
        with started(loki):
            began = time.perf_counter()
            with started(collector):
                query = '{service_name="cop-gateway"}'
                wait_for(lambda: loki.count(query) >= count, seconds=120, what="all lines")
                seconds = time.perf_counter() - began
    return (
        f"{count:,} lines from files into Loki in {seconds:.1f} s: {count / seconds:,.0f} a second"
    )


if __name__ == "__main__":
    main()
