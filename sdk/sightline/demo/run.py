"""Running the demo: start everything, stream frames through it, measure, end everything."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.metadata
import platform
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.demo import pieces
from sightline.demo.errors import DemoError, MissingPieceError
from sightline.demo.listener import Arrivals, listen
from sightline.demo.model import demo_model
from sightline.demo.plan import Plan
from sightline.demo.report import GroundError, Latencies, Report, milliseconds, rounded
from sightline.demo.stage import Stage, running
from sightline.demo.stream import Services, Show, Watch, post, send, settle
from sightline.demo.tally import Tally

if TYPE_CHECKING:
    from sightline.simulator import Simulator

_UP_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The report, and whether it ended before it was done."""

    report: Report
    interrupted: bool
    folder: Path | None


async def run(plan: Plan, *, show: Show, say: Callable[[str], None], began: float) -> Outcome:
    """The whole demo. `began` is when the command started (time.monotonic).

    Raises DemoError in one clear sentence; the folder with the logs is kept then.
    """
    if (piece := pieces.first_absent()) is not None:
        raise MissingPieceError(f"{piece} is not installed: pip install 'sightline[demo]'")
    from sightline.simulator import Scenario, Simulator  # noqa: PLC0415 - an extra

    model = demo_model()
    folder = Path(tempfile.mkdtemp(prefix="sightline-demo-"))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    scenario = Scenario.default(seed=plan.seed, cameras=plan.cameras)
    painting = asyncio.create_task(asyncio.to_thread(Simulator, scenario))
    try:
        async with running(plan, folder, model, scenario.ground_hae, say) as stage:
            simulator = await painting
            say(f"map: {stage.map_url}")
            outcome = await _stream(plan, stage, simulator, show=show, stop=stop, began=began)
    except DemoError as error:
        await asyncio.gather(painting, return_exceptions=True)
        raise type(error)(f"{error}; kept: {folder}") from error
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    report, interrupted = outcome
    if plan.keep:
        return Outcome(report=report, interrupted=interrupted, folder=folder)
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(report=report, interrupted=interrupted, folder=None)


async def _stream(
    plan: Plan,
    stage: Stage,
    simulator: Simulator,
    *,
    show: Show,
    stop: asyncio.Event,
    began: float,
) -> tuple[Report, bool]:
    arrivals, up = Arrivals(), asyncio.Event()
    tally = Tally(arrivals=arrivals)
    started_at, streaming_from = datetime.now(UTC), time.monotonic()
    listening = asyncio.create_task(listen(*stage.tak, arrivals, time.monotonic, up))
    services = Services.of(stage)
    watch = Watch(stage, services, tally, show=show, began=streaming_from)
    watching = asyncio.create_task(watch.run())
    try:
        try:
            async with asyncio.timeout(_UP_SECONDS):
                await up.wait()
        except TimeoutError:
            raise DemoError(
                f"the TAK server at {stage.tak[0]}:{stage.tak[1]} takes no connection"
            ) from None
        interrupted = await send(
            plan,
            simulator,
            lambda shot: post(services, shot, tally),
            stop=stop,
            watching=watching,
        )
        delivered, acknowledged = await settle(stage, services, tally)
        await watch.look()
    finally:
        for task in (watching, listening):
            task.cancel()
        await asyncio.gather(watching, listening, return_exceptions=True)
        await services.close()
    now, first = time.monotonic(), min(arrivals.first.values(), default=None)
    report = Report(
        frames=tally.frames,
        failed=tally.failed,
        detections=tally.detections,
        placed=tally.placed,
        unplaced=dict(tally.unplaced),
        committed=tally.placed,
        delivered=delivered,
        acknowledged=acknowledged,
        received=tally.received,
        lost=tally.placed - tally.received,
        repeated=arrivals.repeated,
        latency_ms=Latencies(
            frame_to_commit=milliseconds(tally.commit_seconds),
            frame_to_tak=milliseconds(tally.tak_seconds()),
        ),
        ground_error_m=GroundError(
            p50=rounded(tally.ground_error_m(0.5), 3), p90=rounded(tally.ground_error_m(0.9), 3)
        ),
        inside_ce90=rounded(tally.inside_ce90, 4),
        expected_error_m=rounded(tally.expected_error_m, 3),
        scored_fixes=len(tally.fixes),
        recall=rounded(tally.recall, 4),
        precision=rounded(tally.precision, 4),
        first_cot_s=rounded(first - began, 2) if first is not None else None,
        first_cot_at=_ago(now - first) if first is not None else None,
        duration_s=round(now - streaming_from, 2),
        started_at=started_at.isoformat(timespec="milliseconds"),
        seed=plan.seed,
        cameras=plan.cameras,
        rate_hz=plan.rate_hz,
        tak=plan.tak or "taky",
        versions=_versions(stage.model),
    )
    return report, interrupted


def _ago(seconds: float) -> str:
    moment = datetime.now(UTC) - timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds")


def _versions(model: Path) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("sightline", "taky", "onnxruntime", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    found["model_sha256"] = hashlib.sha256(model.read_bytes()).hexdigest()
    return found
