"""What happens around every request: its ids, its log line, its metrics, its last resort."""

from __future__ import annotations

import time

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import identity, problems
from serving.probes import PATHS, Readiness
from telemetry import logs, traces
from telemetry.metrics import METHODS, OTHER_METHOD, HttpMetrics
from telemetry.spans import Spans
from telemetry.traces import Trace

CLIENT_GONE = 499
"""The status, in logs and metrics only, of a request whose client left before its answer."""

SLOW_SECONDS = 1.0
"""Requests that took so long are always in the log."""

UNMATCHED = "unmatched"
"""The route of every path that leads nowhere: one label, however many paths are tried."""

_ROUTE = "sightline.route"
"""Where the scope keeps it: it is asked for more than once."""

_TAKEN = "sightline.route.taken"
"""Where it keeps whether that route takes the request's method."""

log = logs.get("serving.requests")


class RequestMiddleware:
    """Pure ASGI, so that bodies stream and cancellation passes through."""

    def __init__(
        self, app: ASGIApp, *, metrics: HttpMetrics, readiness: Readiness, spans: Spans
    ) -> None:
        self._app = app
        self._spans = spans
        self._metrics = metrics
        self._readiness = readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens below."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = Headers(scope=scope)
        request_id = identity.accepted(headers.get(identity.HEADER))
        trace = self._spans.received(headers.get(traces.HEADER))
        identity.current.set(request_id)
        traces.current.set(trace)
        structlog.contextvars.clear_contextvars()
        logs.bind(request_id=request_id, trace_id=trace.trace_id, span_id=trace.span_id)
        answer = _Answer(send, request_id=request_id, readiness=self._readiness)
        self._metrics.begin()
        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            answer.status = answer.status or CLIENT_GONE
        except Exception:
            log.exception("request failed")
            if answer.status is not None:
                raise  # half an answer is out: the server must cut the connection
            await problems.respond(problems.internal())(scope, receive, answer)
        finally:
            self._end(scope, answer.status or CLIENT_GONE, trace, began, time.perf_counter())

    def _end(self, scope: Scope, status: int, trace: Trace, began: float, ended: float) -> None:
        method = scope["method"]
        route = route_of(scope)
        probe = route in PATHS
        seconds = ended - began
        self._metrics.end(
            # Whoever tries every method on every path makes no series of them.
            method=method if scope[_TAKEN] else OTHER_METHOD,
            route=route,
            status=status,
            seconds=seconds,
            # Nobody looks for the trace of a probe, and there is none.
            trace=None if probe else trace,
        )
        if self._spans.kept and not probe:
            self._span(scope, status, trace, began, ended)
        omitted: int | None = 0
        if not probe and status < 400 and seconds < SLOW_SECONDS:
            omitted = logs.left_out("request", method, route, trace_id=trace.trace_id)
        if omitted is None:
            return
        write = log.debug if probe else log.info
        write(
            "request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1000.0, 2),
            **({"suppressed": omitted} if omitted else {}),
        )

    def _span(self, scope: Scope, status: int, trace: Trace, began: float, ended: float) -> None:
        """By OpenTelemetry's semantic conventions for HTTP servers."""
        known = scope["method"] in METHODS
        method = scope["method"] if known else "_OTHER"
        route = route_of(scope)
        matched = route != UNMATCHED
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "http.response.status_code": status,
            "url.scheme": scope.get("scheme", "http"),
        }
        if matched:
            attributes["http.route"] = route
        failed = status >= 500
        if failed:
            attributes["error.type"] = str(status)
        name = method if known else "HTTP"
        self._spans.record(
            f"{name} {route}" if matched else name,
            trace,
            began=began,
            ended=ended,
            kind="server",
            attributes=attributes,
            error=f"status {status}" if failed else None,
        )


class _Answer:
    """Passes an answer on, marks it with the request's id, and remembers its status."""

    def __init__(self, send: Send, *, request_id: str, readiness: Readiness) -> None:
        self._send = send
        self._request_id = request_id
        self._readiness = readiness
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = [*message.get("headers", ()), (b"x-request-id", self._request_id.encode())]
            # A client that reuses connections should find its next one elsewhere.
            if self._readiness.drain.draining and not any(
                name == b"connection" for name, _ in headers
            ):
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await self._send(message)


def route_of(scope: Scope) -> str:
    """The template of the route that a request went to, such as /v1/events/{uid}."""
    known = scope.get(_ROUTE)
    if known is None:
        known, scope[_TAKEN] = _match(scope)
        scope[_ROUTE] = known
    return str(known)


def _match(scope: Scope) -> tuple[str, bool]:
    """The route, and whether it takes the method, as the router decides it."""
    partly = UNMATCHED
    for route in getattr(scope.get("router"), "routes", ()):
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return str(getattr(route, "path", UNMATCHED)), True
        if match is Match.PARTIAL and partly is UNMATCHED:
            partly = str(getattr(route, "path", UNMATCHED))
    return partly, partly is UNMATCHED
