"""Everything that runs while the demo does: started together, ended together."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from sightline.demo import children
from sightline.demo.children import Child
from sightline.demo.plan import Plan, tak_address


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that runs."""

    children: tuple[Child, ...]
    detection_url: str
    gateway_url: str
    tak: tuple[str, int]
    model: Path

    @property
    def map_url(self) -> str:
        """The page that an operator opens."""
        return f"{self.gateway_url}/"


@contextlib.asynccontextmanager
async def running(
    plan: Plan, folder: Path, model: Path, ground_hae: float, say: Callable[[str], None]
) -> AsyncIterator[Stage]:
    """Start the programs, and whatever happens, end them: the last started first."""
    tak_port, gateway_port, detection_port = children.free_ports(3)
    host = "127.0.0.1"
    if plan.tak is not None:
        host, tak_port = tak_address(plan.tak)
    programs = [
        children.gateway(
            folder, gateway_port, sink=f"tcp://{host}:{tak_port}", ground_hae=ground_hae
        ),
        children.detection(detection_port, model=model, gateway_port=gateway_port),
    ]
    if plan.tak is None:
        programs.insert(0, children.taky(folder, tak_port))
    started: list[Child] = []
    try:
        for program in programs:
            # One by one, so that a failure in between leaves none behind.
            started.append(await Child.start(program, folder))  # noqa: PERF401
        for child in started:
            await child.ready()
            say(f"{child.program.name} is ready on port {child.program.port}")
        yield Stage(
            children=tuple(started),
            detection_url=f"http://127.0.0.1:{detection_port}",
            gateway_url=f"http://127.0.0.1:{gateway_port}",
            tak=(host, tak_port),
            model=model,
        )
    finally:
        for child in reversed(started):
            await child.stop()
