"""How long a frame takes to the TAK socket, and how long a newcomer waits for the first CoT.

    python tests/bench/frame_to_cot.py [--clone]

The first table is the demo's own report at two rates: from the start of a frame's request to the
arrival of each sighting at an independent TAK client, and its parts. With --clone a fresh clone is
made and `make demo` run in it, with whatever the package caches hold; the seconds count from the
clone's beginning to the first CoT.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]


def demo(folder: Path, *, rate: float, frames: int) -> dict:
    """One headless run's report."""
    report = folder / f"report-{rate}.json"
    subprocess.run(
        [
            str(Path(sys.executable).with_name("sightline")), "demo", "--headless", "--rate",
            str(rate), "--frames", str(frames), "--report", str(report),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return json.loads(report.read_text())


def fresh_clone(folder: Path) -> dict[str, float]:
    """Seconds of a newcomer's way: clone, make demo, first CoT."""
    began = time.time()
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    cloned = time.time()
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    subprocess.run(
        ["make", "demo", "ARGS=--frames 10 --headless --report report.json"],
        cwd=clone, check=True, capture_output=True, env=environment,
    )  # fmt: skip
    report = json.loads((clone / "report.json").read_text())
    first = datetime.fromisoformat(report["first_cot_at"]).timestamp()
    return {
        "clone": cloned - began,
        "install": first - cloned - report["first_cot_s"],
        "command to first CoT": report["first_cot_s"],
        "altogether": first - began,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clone", action="store_true", help="also time a fresh clone")
    parser.add_argument("--frames", type=int, default=60)
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as name:
        folder = Path(name)
        table = Table(title="Frame to CoT on the TAK socket, milliseconds")
        for column in ("frames/s", "frame → TAK p50", "p95", "frame → commit p50", "p95", "events"):
            table.add_column(column, justify="right")
        for rate in (2.0, 10.0):
            report = demo(folder, rate=rate, frames=options.frames)
            tak, commit = (report["latency_ms"][key] for key in ("frame_to_tak", "frame_to_commit"))
            table.add_row(
                f"{rate:g}", *(f"{value:.1f}" for value in (tak["p50"], tak["p95"])),
                *(f"{value:.1f}" for value in (commit["p50"], commit["p95"])),
                str(report["received"]),
            )  # fmt: skip
        console.print(table)
        if options.clone:
            table = Table(title="From a fresh clone to the first CoT, seconds (warm package cache)")
            times = fresh_clone(folder)
            for column in times:
                table.add_column(column, justify="right")
            table.add_row(*(f"{value:.1f}" for value in times.values()))
            console.print(table)


if __name__ == "__main__":
    main()
