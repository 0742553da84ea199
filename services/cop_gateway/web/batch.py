"""POST /v1/detections/batch: many frames in one request, a line each (NDJSON)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from cop_gateway.web.detections import DetectionsCall
from serving.duplex import DuplexResponse
from serving.problems import HttpProblem, document, of_message_error
from sightline.messages import MessageError, encode

MEDIA_TYPE = "application/x-ndjson"
TAKEN = (MEDIA_TYPE, "application/ndjson", "application/jsonl")
_UNDER_WAY = 256
"""Lines that are worked on at once: enough for whole groups, and bounded."""
_BUSY_SECONDS = 0.05
_PATIENCE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchCall:
    """The call, over that for single frames."""

    single: DetectionsCall

    def routes(self) -> list[Route]:
        """Where it is found."""
        return [Route("/v1/detections/batch", self.post, methods=["POST"])]

    async def post(self, request: Request) -> Response:
        """Answer each line, in order, once it is committed: its receipt, or a problem document.

        A bad line is answered as such and the others go on. A sender that goes away may send the
        whole again: what is committed is answered as before.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in TAKEN:
            raise HttpProblem(
                status=415,
                type="unsupported-media-type",
                detail=f"Content-Type: {kind[:60]!r}: send {MEDIA_TYPE}, one report a line",
                field="Content-Type",
                limit=MEDIA_TYPE,
            )
        return DuplexResponse(self._answers(request), media_type=MEDIA_TYPE)

    async def _answers(self, request: Request) -> AsyncIterator[bytes]:
        waiting: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(_UNDER_WAY)

        async def read() -> None:
            try:
                async for line in self._lines(request):
                    await waiting.put(asyncio.create_task(self._one(line)))
            finally:
                await waiting.put(None)

        reading = asyncio.create_task(read())
        try:
            while (task := await waiting.get()) is not None:
                yield await task + b"\n"
            await reading
        except ClientDisconnect:
            return
        finally:
            reading.cancel()

    async def _lines(self, request: Request) -> AsyncIterator[bytes | HttpProblem]:
        limit = self.single.max_body_bytes
        buffer = bytearray()
        async for chunk in request.stream():
            buffer += chunk
            if b"\n" in chunk:
                *lines, rest = bytes(buffer).split(b"\n")
                buffer = bytearray(rest)
                for line in lines:
                    if line.strip():
                        yield line.strip()
            if len(buffer) > limit:
                # Where the next line begins, nobody knows.
                yield HttpProblem(
                    status=413,
                    type="payload-too-large",
                    detail=f"line: is too long; at most {limit} bytes are taken",
                    field="line",
                    limit=f"{limit} bytes",
                )
                return
        if line := bytes(buffer).strip():
            yield line

    async def _one(self, line: bytes | HttpProblem) -> bytes:
        if isinstance(line, HttpProblem):
            return encode(document(line))
        left = _PATIENCE
        while True:
            try:
                return (await self.single.take(line)).receipt
            except MessageError as error:
                return encode(document(of_message_error(error)))
            except HttpProblem as problem:
                left -= 1
                if problem.type != "/problems/busy" or not left:
                    return encode(document(problem))
                # The queue is full: the sender waits with us, for a while.
                await asyncio.sleep(_BUSY_SECONDS)
