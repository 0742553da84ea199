"""DELETE /v1/events/{uid}: an operator takes a track back, and it vanishes from every map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from access import ANONYMOUS
from cop_gateway.intake import Committer
from cop_gateway.outbox.record import SEEN_OR_RETRACTED
from cop_gateway.pipeline import Withdrawal
from cop_gateway.web.detections import committed
from cop_gateway.web.queries import bad, only, text
from cop_gateway.web.tracks import Tracks, newest
from telemetry import logs

MOST_REASON = 200

log = logs.get("cop_gateway.web.retraction")


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
        withdrawal = Withdrawal(
            last=await newest(self.store, uid, SEEN_OR_RETRACTED),
            reason=reason,
            by=getattr(request.state, "principal", ANONYMOUS),
            at=self.clock(),
        )
        done = await committed(self.committer, withdrawal)
        if not done.duplicate:
            log.info("track retracted by an operator", uid=uid, reason=reason)
        headers = {"Sightline-Duplicate": "true"} if done.duplicate else {}
        return Response(done.receipt, media_type="application/json", headers=headers)
