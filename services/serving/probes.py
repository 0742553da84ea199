"""Whether the process lives, whether it should get requests, and its metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sightline.messages import encode
from telemetry.metrics import CONTENT_TYPE, Metrics

PATHS = frozenset({"/health", "/ready", "/metrics"})

Check = Callable[[], str | None]
"""None when all is well, else the reason why requests should go elsewhere."""


class Readiness:
    """Whether this process should get requests: its own checks, and whether it is draining."""

    def __init__(self, checks: Mapping[str, Check] | None = None) -> None:
        self._checks = dict(checks or {})
        self._draining = asyncio.Event()

    def add(self, name: str, check: Check) -> None:
        """Ask this, too."""
        self._checks[name] = check

    @property
    def draining(self) -> bool:
        """Whether the process is on its way out. It never comes back from that."""
        return self._draining.is_set()

    def drain(self) -> None:
        """Turn not ready for good."""
        self._draining.set()

    async def wait_draining(self) -> None:
        """Return once the process is on its way out: the sign for endless answers to end."""
        await self._draining.wait()

    def reasons(self) -> dict[str, str]:
        """Why this process should not get requests, by the name of the check."""
        found = {name: reason for name, check in self._checks.items() if (reason := check())}
        if self.draining:
            found["draining"] = "this process is shutting down"
        return found

    def ready(self) -> tuple[bool, str]:
        """Whether it should get requests, and why not."""
        reasons = self.reasons()
        return not reasons, "; ".join(reasons.values())


def routes(*, readiness: Readiness, metrics: Metrics) -> list[Route]:
    """`/health`, `/ready` and `/metrics`, alike for every service."""
    identity = {
        "service": metrics.service,
        "version": metrics.version,
        "colour": metrics.colour,
    }

    async def health(_request: Request) -> Response:
        return _json({"status": "ok", **identity}, 200)

    async def ready(_request: Request) -> Response:
        reasons = readiness.reasons()
        body = {"ready": not reasons, "reasons": reasons, **identity}
        return _json(body, 503 if reasons else 200)

    async def metrics_(_request: Request) -> Response:
        return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    return [
        Route("/health", health, methods=["GET"]),
        Route("/ready", ready, methods=["GET"]),
        Route("/metrics", metrics_, methods=["GET"], name="metrics"),
    ]


def _json(body: object, status: int) -> Response:
    return Response(
        encode(body),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
