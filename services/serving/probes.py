"""Whether the process lives, whether it should get requests, and its metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from prometheus_client import Gauge
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.answers import NOT_KEPT, json_answer
from serving.drain import Drain
from serving.openapi.operation import Content, Operation, Operations, Reply, json_reply
from serving.openapi.refusals import NO_STORE
from sightline.messages.value import Answer
from telemetry.exposition import preferred
from telemetry.metrics import Metrics

PATHS = frozenset({"/health", "/ready", "/metrics"})

_DRAINING = "this process is shutting down"

Check = Callable[[], str | None]
"""None when all is well, else the reason why requests should go elsewhere."""


class Health(Answer, frozen=True, kw_only=True):
    """The process lives."""

    status: Literal["ok"] = "ok"
    service: str
    version: str
    colour: str


class ReadinessReport(Answer, frozen=True, kw_only=True):
    """Whether requests should be sent here."""

    ready: bool
    reasons: dict[str, str]
    """Why not, by the name of the check."""
    service: str
    version: str
    colour: str


class Readiness:
    """Whether this process should get requests: its own checks, and whether it is leaving."""

    def __init__(self, checks: Mapping[str, Check] | None = None) -> None:
        self._checks = dict(checks or {})
        self._leaving = False
        self.drain = Drain()

    def add(self, name: str, check: Check) -> None:
        """Ask this, too."""
        self._checks[name] = check

    def leave(self) -> None:
        """The process is on its way out: not ready, and draining, for good."""
        self._leaving = True
        self.drain.begin(final=True)

    def reasons(self) -> dict[str, str]:
        """Why this process should not get requests, by the name of the check."""
        found = {name: reason for name, check in self._checks.items() if (reason := check())}
        if self._leaving:
            found["draining"] = _DRAINING
        return found

    def ready(self) -> tuple[bool, str]:
        """Whether it should get requests, and why not."""
        reasons = self.reasons()
        return not reasons, "; ".join(reasons.values())


def routes(*, readiness: Readiness, metrics: Metrics) -> list[Route]:
    """`/health`, `/ready` and `/metrics`, alike for every service."""
    service, version, colour = metrics.service, metrics.version, metrics.colour
    healthy = Health(service=service, version=version, colour=colour)
    Gauge(
        "sightline_ready",
        "1 while /ready answers 200: requests should be sent here.",
        registry=metrics.registry,
    ).set_function(lambda: readiness.ready()[0])

    async def health(_request: Request) -> Response:
        return json_answer(healthy, headers=NOT_KEPT)

    async def ready(_request: Request) -> Response:
        reasons = readiness.reasons()
        report = ReadinessReport(
            ready=not reasons, reasons=reasons, service=service, version=version, colour=colour
        )
        return json_answer(report, status=503 if reasons else 200, headers=NOT_KEPT)

    async def metrics_(request: Request) -> Response:
        form = preferred(request.headers.get("accept"))
        return Response(metrics.exposition(form), headers={"Content-Type": form.content_type})

    return [
        Route("/health", health, methods=["GET"]),
        Route("/ready", ready, methods=["GET"]),
        Route("/metrics", metrics_, methods=["GET"], name="metrics"),
    ]


def _report(*, reasons: dict[str, str]) -> ReadinessReport:
    return ReadinessReport(
        ready=not reasons, reasons=reasons, service="detection", version="0.1.0", colour="blue"
    )


OPERATIONS: Operations = {
    ("GET", "/health"): Operation(
        name="health",
        tag="service",
        summary="Whether the process lives",
        replies=(
            json_reply(
                Health,
                "It does.",
                examples={"Alive": Health(service="detection", version="0.1.0", colour="blue")},
                headers=(NO_STORE,),
            ),
        ),
    ),
    ("GET", "/ready"): Operation(
        name="ready",
        tag="service",
        summary="Whether requests should be sent here",
        replies=(
            json_reply(
                ReadinessReport,
                "They should.",
                examples={"Ready": _report(reasons={})},
                headers=(NO_STORE,),
            ),
            json_reply(
                ReadinessReport,
                "They should go elsewhere: too much waits, or it is shutting down.",
                examples={"Draining": _report(reasons={"draining": _DRAINING})},
                status=503,
                headers=(NO_STORE,),
            ),
        ),
    ),
    ("GET", "/metrics"): Operation(
        name="metrics",
        tag="service",
        summary="Metrics, as Prometheus scrapes them",
        replies=(
            Reply(
                meaning="In OpenMetrics 1.0 where the request prefers it, with exemplars; else in"
                " Prometheus' text format, version 0.0.4.",
                contents=(
                    Content(
                        media_type="text/plain",
                        schema={"type": "string"},
                        examples={
                            "One metric": "# TYPE sightline_http_requests_in_flight gauge\n"
                            "sightline_http_requests_in_flight 1.0\n"
                        },
                    ),
                    Content(
                        media_type="application/openmetrics-text",
                        schema={"type": "string"},
                        examples={
                            "One metric": "# TYPE sightline_http_requests_in_flight gauge\n"
                            "sightline_http_requests_in_flight 1.0\n# EOF\n"
                        },
                    ),
                ),
            ),
        ),
    ),
}
