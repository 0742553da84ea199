"""GET /v1/events and /v1/sinks: what was committed, and how far each sink has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cop_gateway.delivery import Courier
from cop_gateway.outbox.record import Dispatch
from serving.problems import HttpProblem
from sightline.messages import Event, EventList, SinkList, encode

_MOST_EVENTS = 1_000
_EVENTS = 100
_FILTERS = ("limit", "before", "since", "uid")


class History(Protocol):
    """What these calls need of storage."""

    def events(
        self,
        *,
        before: int | None = None,
        since: int | None = None,
        uid: str | None = None,
        limit: int = _EVENTS,
    ) -> list[Event]:
        """Sightings, newest first; with `since` only those after it, oldest first."""

    def after(self, sequence: int, limit: int) -> list[Dispatch]:
        """The next events to deliver."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryCalls:
    """The calls, with all that they need."""

    store: History
    couriers: Sequence[Courier]
    clock: Callable[[], datetime]

    def routes(self) -> list[Route]:
        """Where they are found."""
        return [
            Route("/v1/events", self.events, methods=["GET"]),
            Route("/v1/sinks", self.sinks, methods=["GET"]),
        ]

    async def events(self, request: Request) -> Response:
        """`limit` (to 1000), `before` and `since` (sequences) and `uid`.

        Newest first; `next` is `before` of the following page. With `since`, oldest first: what is
        new since that sequence, and `next` is then `since` of the following page.
        """
        for name in request.query_params:
            if name not in _FILTERS:
                raise _bad(name, f"is not a filter (known: {', '.join(_FILTERS)})")
        limit = _number(request, "limit", 1, _MOST_EVENTS)
        before = _number(request, "before", 0, 2**63 - 1)
        since = _number(request, "since", 0, 2**63 - 1)
        found = await asyncio.to_thread(
            lambda: self.store.events(
                before=before,
                since=since,
                uid=request.query_params.get("uid"),
                limit=_EVENTS if limit is None else limit,
            )
        )
        more = len(found) == (limit or _EVENTS)
        page = EventList(events=tuple(found), next=found[-1].sequence if more else None)
        return _json(page)

    async def sinks(self, _request: Request) -> Response:
        """Every sink, how it is and how far it lags."""
        states = [
            courier.describe(lag_seconds=await self._lag_seconds(courier))
            for courier in self.couriers
        ]
        return _json(SinkList(sinks=tuple(states)))

    async def _lag_seconds(self, courier: Courier) -> float:
        """How long the oldest event that is not acknowledged has been waiting."""
        waiting = await asyncio.to_thread(self.store.after, courier.cursor, 1)
        if not waiting:
            return 0.0
        return max(0.0, (self.clock() - waiting[0].committed_at).total_seconds())


def _number(request: Request, name: str, low: int, high: int) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise _bad(name, f"{text[:40]!r} is not a whole number")
    if not low <= int(text) <= high:
        raise _bad(name, f"{int(text)} is outside {low}..{high}", limit=f"{low}..{high}")
    return int(text)


def _bad(name: str, reason: str, *, limit: str | None = None) -> HttpProblem:
    return HttpProblem(
        status=422, type="invalid-query", detail=f"{name}: {reason}", field=name, limit=limit
    )


def _json(value: object) -> Response:
    return Response(
        encode(value), media_type="application/json", headers={"Cache-Control": "no-store"}
    )
