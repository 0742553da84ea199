"""DELETE /v1/events/{uid}: an operator takes a track back, and it vanishes from every map."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from access import ANONYMOUS
from cop_gateway.intake import Committer
from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.record import SEEN_OR_RETRACTED, FrameKey
from cop_gateway.pipeline import Withdrawal
from cop_gateway.web.detections import committed
from cop_gateway.web.queries import bad, only, text
from serving.problems import HttpProblem
from sightline.messages import Event
from telemetry import logs

MOST_REASON = 200

log = logs.get("cop_gateway.web.retraction")


class Tracks(Protocol):
    """What this call needs of storage."""

    def events(self, query: Query) -> list[Event]:
        """The events that a query means, in its order."""

    def receipts(self, keys: Sequence[FrameKey]) -> Mapping[FrameKey, bytes]:
        """The receipts of those that are committed already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetractionCall:
    """The call, with all that it needs."""

    store: Tracks
    committer: Committer
    clock: Callable[[], datetime]

    def routes(self) -> list[Route]:
        """Where it is found."""
        return [Route("/v1/events/{uid}", self.delete, methods=["DELETE"])]

    async def delete(self, request: Request) -> Response:
        """Commit the retraction (with `reason`, if given); it is delivered like every event.

        Every sink gets it, whatever its filter: who never had the marker has nothing to delete. A
        track that is taken back already is answered as before.
        """
        only(request, ("reason",))
        reason = text(request, "reason")
        if reason is not None and len(reason) > MOST_REASON:
            raise bad("reason", "is too long", limit=f"{MOST_REASON} characters")
        uid = request.path_params["uid"]
        query = Query(uid=uid, kinds=SEEN_OR_RETRACTED, limit=1)
        # Not every store can be asked for a NUL.
        found = [] if "\0" in uid else await asyncio.to_thread(self.store.events, query)
        if not found:
            raise HttpProblem(
                status=404, type="no-such-track", detail=f"nothing was seen of {uid[:128]!r}"
            )
        withdrawal = Withdrawal(
            last=found[0],
            reason=reason,
            by=getattr(request.state, "principal", ANONYMOUS),
            at=self.clock(),
        )
        done = await committed(self.committer, withdrawal)
        if not done.duplicate:
            log.info("track retracted by an operator", uid=uid, reason=reason)
        headers = {"Sightline-Duplicate": "true"} if done.duplicate else {}
        return Response(done.receipt, media_type="application/json", headers=headers)
