"""Telling clients to go elsewhere, and taking that back: how a colour is left, and come back to.

A process that drains stays ready and answers everything. Each answer asks its client to close the
connection, connections on which nothing is asked are closed, and endless answers end: whoever
connects anew finds the colour that is on duty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.answers import NOT_KEPT, json_answer
from serving.openapi.operation import Operation, Operations, json_reply
from serving.openapi.refusals import NO_STORE
from sightline.messages.value import Answer
from telemetry import logs
from telemetry.metrics import Metrics

PATH = "/v1/drain"

log = logs.get("serving.drain")


class DrainReport(Answer, frozen=True, kw_only=True):
    """Whether this process drains, and what is still going on in it."""

    draining: bool
    since: datetime | None
    """When it began."""
    open_requests: int
    """Requests that are being answered, this one included."""
    connections: int
    """Connections that clients hold open."""
    details: dict[str, Any]
    """What else a switch of colours must know of this service."""
    service: str
    version: str
    colour: str


class Duty(Protocol):
    """What a service does beside answering, which must stop and go on with it."""

    async def change(self, *, draining: bool) -> None:
        """Leave it to the other colour, or take it up again; durable on return."""

    async def details(self) -> Mapping[str, Any]:
        """What a switch of colours must know."""


class Census(NamedTuple):
    """Of a server."""

    open_requests: int
    connections: int


class Drain:
    """Whether clients are told to go elsewhere."""

    def __init__(self) -> None:
        self._draining = asyncio.Event()
        self._final = False
        self.since: datetime | None = None
        self.census: Callable[[], Census] = lambda: Census(0, 0)
        """What the server has; it says so once it serves."""

    @property
    def draining(self) -> bool:
        """Whether they are."""
        return self._draining.is_set()

    def begin(self, *, final: bool = False) -> None:
        """Tell them; with `final`, for good."""
        self._final = self._final or final
        if not self.draining:
            self.since = datetime.now(UTC)
            self._draining.set()

    def end(self) -> None:
        """Welcome them again, unless the process is on its way out."""
        if not self._final:
            self.since = None
            self._draining.clear()

    async def wait(self) -> None:
        """Return once it drains: the sign for endless answers to end."""
        await self._draining.wait()


class DrainCalls:
    """GET to look, PUT to begin, DELETE to end; each can be said again without harm."""

    def __init__(self, drain: Drain, metrics: Metrics, duty: Duty | None = None) -> None:
        self._drain = drain
        self._metrics = metrics
        self._duty = duty

    def routes(self) -> list[Route]:
        """Where they are found."""
        return [
            Route(PATH, self.look, methods=["GET"]),
            Route(PATH, self.begin, methods=["PUT"]),
            Route(PATH, self.end, methods=["DELETE"]),
        ]

    async def look(self, _request: Request) -> Response:
        """How far it is."""
        return await self._report()

    async def begin(self, _request: Request) -> Response:
        """Drain."""
        return await self._change(draining=True)

    async def end(self, _request: Request) -> Response:
        """Drain no more."""
        return await self._change(draining=False)

    async def _change(self, *, draining: bool) -> Response:
        # First what can fail: a colour that could not leave its duty is not left by its clients.
        if self._duty is not None:
            await self._duty.change(draining=draining)
        before = self._drain.draining
        if draining:
            self._drain.begin()
        else:
            self._drain.end()
        if before != self._drain.draining:
            log.info("drain begun" if draining else "drain ended")
        return await self._report()

    async def _report(self) -> Response:
        details = {} if self._duty is None else dict(await self._duty.details())
        census = self._drain.census()
        report = DrainReport(
            draining=self._drain.draining,
            since=self._drain.since,
            open_requests=census.open_requests,
            connections=census.connections,
            details=details,
            service=self._metrics.service,
            version=self._metrics.version,
            colour=self._metrics.colour,
        )
        return json_answer(report, headers=NOT_KEPT)


def _example(*, draining: bool) -> DrainReport:
    return DrainReport(
        draining=draining,
        since=datetime(2026, 11, 26, 9, 30, tzinfo=UTC) if draining else None,
        open_requests=1,
        connections=3,
        details={},
        service="detection",
        version="0.1.0",
        colour="blue",
    )


def _operation(name: str, summary: str, text: str, *, draining: bool) -> Operation:
    example = {"Draining" if draining else "On duty": _example(draining=draining)}
    reply = json_reply(DrainReport, "How it is now.", examples=example, headers=(NO_STORE,))
    return Operation(name=name, tag="service", summary=summary, text=text, replies=(reply,))


OPERATIONS: Operations = {
    ("GET", PATH): _operation(
        "drainReport",
        "Whether this process drains",
        "What a switch of colours asks of every process before and after.",
        draining=False,
    ),
    ("PUT", PATH): _operation(
        "drain",
        "Send clients elsewhere",
        "The process stays ready and answers everything, and each answer closes its connection;"
        " endless answers end. A gateway whose database others share leaves its sinks to the other"
        " colour. Can be said again without harm, and be taken back.",
        draining=True,
    ),
    ("DELETE", PATH): _operation(
        "undrain",
        "Welcome clients again",
        "Takes a drain back. Can be said again without harm.",
        draining=False,
    ),
}
