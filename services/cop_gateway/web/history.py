"""GET /v1/events: what was committed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cop_gateway.web.queries import answer, bad, number
from sightline.messages import Event, EventList

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


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryCalls:
    """The calls, with all that they need."""

    store: History

    def routes(self) -> list[Route]:
        """Where they are found."""
        return [
            Route("/v1/events", self.events, methods=["GET"]),
        ]

    async def events(self, request: Request) -> Response:
        """`limit` (to 1000), `before` and `since` (sequences) and `uid`.

        Newest first; `next` is `before` of the following page. With `since`, oldest first: what is
        new since that sequence, and `next` is then `since` of the following page.
        """
        for name in request.query_params:
            if name not in _FILTERS:
                raise bad(name, f"is not a filter (known: {', '.join(_FILTERS)})")
        limit = number(request, "limit", 1, _MOST_EVENTS)
        before = number(request, "before", 0, 2**63 - 1)
        since = number(request, "since", 0, 2**63 - 1)
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
        return answer(page)
