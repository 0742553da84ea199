"""A service's Starlette application, with what all services share already in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ExceptionHandler, StatelessLifespan

from serving import probes, problems
from serving.drain import DrainCalls, Duty
from serving.guard import Guard, GuardMiddleware
from serving.openapi import call
from serving.probes import Readiness
from serving.requests import RequestMiddleware
from telemetry.metrics import HttpMetrics, Metrics
from telemetry.spans import Spans


def application(
    *,
    routes: Sequence[BaseRoute],
    metrics: Metrics,
    readiness: Readiness,
    lifespan: StatelessLifespan[Starlette] | None = None,
    exception_handlers: Mapping[Any, ExceptionHandler] | None = None,
    guard: Guard | None = None,
    description: Callable[[], Mapping[str, Any]] | None = None,
    spans: Spans | None = None,
    duty: Duty | None = None,
) -> Starlette:
    """The service's routes, and around them: probes, request ids, access, logs, metrics, problems.

    `description` gives what GET /v1/openapi.json answers, see `serving.description`.
    `duty` is what the service leaves to others, besides requests, while it drains.
    Each request's span goes to `spans`; whoever opened them closes them.
    Handlers in `exception_handlers` must be coroutine functions; they come before the shared ones.
    """
    app = Starlette(
        routes=[
            *routes,
            *(guard.routes() if guard else ()),
            *probes.routes(readiness=readiness, metrics=metrics),
            *DrainCalls(readiness.drain, metrics, duty).routes(),
            *(call.routes(description) if description else ()),
        ],
        middleware=[
            Middleware(
                RequestMiddleware,
                metrics=HttpMetrics(metrics),
                readiness=readiness,
                spans=spans or Spans(),
            ),
            *([Middleware(GuardMiddleware, guard=guard)] if guard else ()),
        ],
        exception_handlers={**problems.handlers(), **(exception_handlers or {})},
        lifespan=lifespan,
    )
    app.state.metrics = metrics
    return app
