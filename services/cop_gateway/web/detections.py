"""POST /v1/detections: a frame's detections in; 201 once they are committed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cop_gateway.intake import (
    Acceptance,
    Committed,
    Committer,
    IntakeBusyError,
    IntakeFailedError,
    check,
)
from cop_gateway.outbox.record import FrameKey
from cop_gateway.pipeline import Ground, Withdrawal
from cop_gateway.web import formats
from serving.bodies import read_body
from serving.problems import HttpProblem, of_message_error, retry_after
from sightline.messages import DetectionReport, MessageError, decode
from telemetry import logs, traces

_RETRY_SECONDS = 1.0
_ROOM_SECONDS = 30.0


class CotStore(Protocol):
    """What an answer in XML needs of storage."""

    def frame_xml(self, key: FrameKey) -> Sequence[str]:
        """The CoT of a frame's placed detections."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionsCall:
    """The call, with all that it needs."""

    committer: Committer
    store: CotStore
    ground: Ground
    acceptance: Acceptance
    clock: Callable[[], datetime]
    max_body_bytes: int
    no_room: Callable[[], str | None] = lambda: None
    """Why the store takes no more, if it does not."""
    rejected: Callable[[str], None] = lambda _: None
    """Told why a report was not taken in."""
    arrived: Callable[[timedelta], None] = lambda _: None
    """Told how old each report's frame is."""

    def routes(self) -> list[Route]:
        """Where it is found."""
        return [Route("/v1/detections", self.post, methods=["POST"])]

    async def post(self, request: Request) -> Response:
        """Check, commit, answer."""
        with self._counted():
            body = await read_body(request, limit=self.max_body_bytes)
        done = await self.take(body)
        headers = {"Sightline-Duplicate": "true"} if done.duplicate else {}
        if formats.COT in request.headers.get("accept", ""):
            events = await asyncio.to_thread(self.store.frame_xml, done.key)
            return Response(
                formats.cot(events),
                status_code=201,
                media_type=formats.COT,
                headers=headers,
            )
        return Response(
            done.receipt, status_code=201, media_type="application/json", headers=headers
        )

    async def take(self, body: bytes) -> Committed:
        """Check one report and have it committed. Raises MessageError or HttpProblem."""
        with self._counted():
            return await self._take(body)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        """What is refused within is counted by its reason."""
        try:
            yield
        except (MessageError, HttpProblem) as error:
            problem = of_message_error(error) if isinstance(error, MessageError) else error
            self.rejected(problem.slug)
            raise

    async def _take(self, body: bytes) -> Committed:
        if (why := self.no_room()) is not None:
            raise HttpProblem(
                status=507,
                type="insufficient-storage",
                detail=f"nothing is taken in: {why}",
                headers=retry_after(_ROOM_SECONDS),
            )
        report = decode(body, DetectionReport)
        frame = report.frame
        logs.bind(camera_id=frame.camera_id, frame_id=frame.frame_id)
        sensor = self.ground.sensor(frame.camera_id, frame.sensor)
        now = self.clock()
        self.arrived(now - frame.captured_at)
        check(
            report,
            lens=sensor.intrinsics if sensor else None,
            now=now,
            acceptance=self.acceptance,
        )
        return await committed(self.committer, report)


async def committed(committer: Committer, work: DetectionReport | Withdrawal) -> Committed:
    """What became of it once it is on the disk. Raises HttpProblem."""
    try:
        return await committer.submit(work, trace=traces.current.get())
    except IntakeBusyError as error:
        raise HttpProblem(
            status=503,
            type="busy",
            detail=str(error),
            headers=retry_after(_RETRY_SECONDS),
        ) from error
    except IntakeFailedError as error:
        raise HttpProblem(
            status=503,
            type="not-stored",
            detail=f"nothing was stored: {error}",
            headers=retry_after(_RETRY_SECONDS),
        ) from error
