"""GET /v1/stream: events as they are committed (server-sent events)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cop_gateway.delivery import Bulletin
from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.record import RETRACTED, SEEN_OR_RETRACTED
from cop_gateway.web.history import History
from cop_gateway.web.queries import MOST_SEQUENCE, bad, number, only, text
from serving.probes import Readiness
from serving.problems import HttpProblem, retry_after
from sightline.messages import Event, encode

_PAGE = 500
_BEAT_SECONDS = 15.0
MOST_WATCHERS = 1_000
_AGAIN_SECONDS = 10.0


@dataclass(kw_only=True, slots=True)
class StreamCall:
    """The call, with all that it needs. Source for the format: WHATWG HTML, 9.2."""

    store: History
    bulletin: Bulletin
    readiness: Readiness
    watchers: int = 0

    def routes(self) -> list[Route]:
        """Where it is found."""
        return [Route("/v1/stream", self.stream, methods=["GET"])]

    async def stream(self, request: Request) -> Response:
        """Sightings, and tracks that are taken back (`retraction`).

        From now on, or after `Last-Event-ID` (or `since`): nothing between is left out.
        """
        only(request, ("since", "camera_id", "class"))
        since = number(request, "since", 0, MOST_SEQUENCE)
        last = request.headers.get("last-event-id")
        if last is not None:
            if not (last.isascii() and last.isdigit() and len(last) < 20):
                raise bad("Last-Event-ID", f"{last[:40]!r} is not a sequence")
            since = int(last)
        if self.watchers >= MOST_WATCHERS:
            raise HttpProblem(
                status=503,
                type="too-many-watchers",
                detail=f"{MOST_WATCHERS} watch already",
                headers=retry_after(_AGAIN_SECONDS),
            )
        # HEAD is over with the headers: its client would wait for the end on the same connection.
        following = self._follow(
            self.bulletin.head if since is None else since,
            camera=text(request, "camera_id"),
            kind=text(request, "class"),
        )
        return StreamingResponse(
            following if request.method == "GET" else (),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _follow(
        self, since: int, *, camera: str | None, kind: str | None
    ) -> AsyncIterator[bytes]:
        news = self.bulletin.subscribe()
        draining = asyncio.create_task(self.readiness.drain.wait())
        self.watchers += 1
        try:
            yield b"retry: 2000\n\n"
            while not draining.done():
                news.clear()
                head = self.bulletin.head
                query = Query(
                    since=since,
                    camera_id=camera,
                    class_name=kind,
                    kinds=SEEN_OR_RETRACTED,
                    limit=_PAGE,
                )
                events = await asyncio.to_thread(self.store.events, query)
                if events:
                    since = events[-1].sequence
                    yield b"".join(message(event) for event in events)
                    continue
                since = max(since, head)
                waiting = asyncio.create_task(news.wait())
                done, _ = await asyncio.wait(
                    {waiting, draining},
                    timeout=_BEAT_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                waiting.cancel()
                if not done:
                    # A comment: proxies and clients that hear nothing take us for dead.
                    yield b":\n\n"
        finally:
            self.watchers -= 1
            draining.cancel()
            self.bulletin.unsubscribe(news)


def message(event: Event) -> bytes:
    """One event as the stream carries it."""
    kind = b"retraction" if event.cot_type == RETRACTED else b"sighting"
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.sequence, kind, encode(event))
