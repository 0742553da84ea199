"""/v1/events and /v1/audit: what was committed, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.record import FrameKey
from cop_gateway.web import formats
from cop_gateway.web.queries import (
    MOST_SEQUENCE,
    answer,
    bad,
    bounding_box,
    moment,
    number,
    only,
    text,
)
from cop_gateway.web.tracks import newest
from serving.problems import HttpProblem
from sightline.messages import AuditEntry, AuditTrail, Event, EventList

MOST_EVENTS = 1_000
EVENTS = 100
MOST_INDEX = 100_000
_FILTERS = (
    "limit", "before", "since", "uid", "camera_id", "class", "from", "to", "bbox", "format",
)  # fmt: skip
_NO_STORE = {"Cache-Control": "no-store"}
_WRITERS: Mapping[str, Callable[[Sequence[Event]], str]] = {
    formats.GEOJSON: formats.geojson,
    formats.CSV: formats.table,
    formats.KML: formats.kml,
}


class History(Protocol):
    """What these calls need of storage."""

    def events(self, query: Query) -> list[Event]:
        """The sightings that a query means, in its order."""

    def retracted(self, uids: Iterable[str]) -> dict[str, datetime]:
        """When those of these tracks that were taken back were so."""

    def retracted_since(self, sequence: int, limit: int) -> list[str]:
        """The tracks that were taken back after that place in the outbox, in order."""

    def xml_of(self, query: Query) -> list[tuple[int, str]]:
        """Sequence and CoT of the sightings that a query means."""

    def audit(self, key: FrameKey) -> list[AuditEntry] | None:
        """What happened to each detection of a frame; None when there is no such frame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryCalls:
    """The calls, with all that they need."""

    store: History

    def routes(self) -> list[Route]:
        """Where they are found."""
        return [
            Route("/v1/events", self.events, methods=["GET"]),
            Route("/v1/events.kml", self.network_link, methods=["GET"]),
            Route("/v1/events/{uid}", self.event, methods=["GET"]),
            Route("/v1/audit", self.audit, methods=["GET"]),
        ]

    async def events(self, request: Request) -> Response:
        """Sightings by `uid`, `camera_id`, `class`, `from` and `to` (captured), `bbox`.

        Newest first; `next` is `before` of the following page. With `since` (a sequence), oldest
        first: what is new since then, and `next` is then `since` of the following page. As JSON,
        GeoJSON, CoT, KML or CSV: by the Accept header, or `format`.
        """
        only(request, _FILTERS)
        kind = formats.wanted(request.headers.get("accept", ""), request.query_params.get("format"))
        if kind is None:
            raise bad("format", f"is none of {', '.join(formats.NAMES)}")
        query = _query(request)
        if kind == formats.COT:
            rows = await asyncio.to_thread(self.store.xml_of, query)
            more = rows[-1][0] if len(rows) == query.limit else None
            return _written(formats.cot([xml for _, xml in rows]), kind, request, more)
        found = await asyncio.to_thread(self.store.events, query)
        more = found[-1].sequence if len(found) == query.limit else None
        if kind == formats.JSON:
            return answer(await asyncio.to_thread(self._list, query, found, more))
        return _written(_WRITERS[kind](found), kind, request, more)

    async def network_link(self, request: Request) -> Response:
        """A file for Google Earth and its kin that keeps itself up to date."""
        href = f"{request.base_url}v1/events?format=kml&limit=500"
        return Response(formats.kml_link(href), media_type=formats.KML, headers=_NO_STORE)

    async def event(self, request: Request) -> Response:
        """The newest sighting of one object."""
        uid = request.path_params["uid"]
        found = await newest(self.store, uid)
        taken_back = await asyncio.to_thread(self.store.retracted, [uid])
        return answer(replace(found, retracted_at=taken_back.get(uid)))

    def _list(self, query: Query, found: list[Event], more: int | None) -> EventList:
        taken_back = self.store.retracted(event.uid for event in found)
        return EventList(
            events=tuple(
                replace(event, retracted_at=taken_back[event.uid])
                if event.uid in taken_back
                else event
                for event in found
            ),
            next=more,
            retracted=tuple(self.store.retracted_since(query.since, MOST_EVENTS))
            if query.since is not None
            else (),
        )

    async def audit(self, request: Request) -> Response:
        """What happened to the detections of a frame: `camera_id`, `frame_id`, perhaps `index`."""
        only(request, ("camera_id", "frame_id", "index"))
        key = FrameKey(
            camera_id=_required(request, "camera_id"), frame_id=_required(request, "frame_id")
        )
        index = number(request, "index", 0, MOST_INDEX)
        found = await asyncio.to_thread(self.store.audit, key)
        if found is None:
            raise HttpProblem(
                status=404,
                type="no-such-frame",
                detail=f"frame {key.frame_id[:128]} of camera {key.camera_id[:128]} is not known",
            )
        entries = tuple(each for each in found if index is None or each.index == index)
        return answer(AuditTrail(entries=entries))


def _query(request: Request) -> Query:
    limit = number(request, "limit", 1, MOST_EVENTS)
    return Query(
        before=number(request, "before", 0, MOST_SEQUENCE),
        since=number(request, "since", 0, MOST_SEQUENCE),
        uid=text(request, "uid"),
        camera_id=text(request, "camera_id"),
        class_name=text(request, "class"),
        captured_from=moment(request, "from"),
        captured_to=moment(request, "to"),
        box=bounding_box(request, "bbox"),
        limit=EVENTS if limit is None else limit,
    )


def _required(request: Request, name: str) -> str:
    value = text(request, name)
    if not value:
        raise bad(name, "is missing")
    return value


def _written(body: str, kind: str, request: Request, more: int | None) -> Response:
    """An answer in another format; the following page is in a Link header (RFC 8288)."""
    headers = dict(_NO_STORE)
    if more is not None:
        which = "since" if "since" in request.query_params else "before"
        url = request.url.include_query_params(**{which: more})
        headers["Link"] = f'<{url}>; rel="next"'
    return Response(body, media_type=kind, headers=headers)
