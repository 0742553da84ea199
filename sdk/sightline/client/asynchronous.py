"""The client for event loops."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

import httpx

from sightline.client import answer, call
from sightline.client.answer import Answer, Failure
from sightline.client.call import Call, Tiles
from sightline.client.connection import ATTEMPTS, CONNECTIONS, DEADLINE_SECONDS, Connection
from sightline.client.exchange import Done, Patience
from sightline.messages import (
    BatchResult,
    DetectionReport,
    DetectResult,
    EventList,
    Frame,
    ModelInfo,
    ModelList,
    Receipt,
    SinkList,
)

T = TypeVar("T")


class AsyncClient:
    """Either service, by its address; `key` is an API key or a token. For one event loop.

    `deadline` is for a whole call, in seconds, and `attempts` how often it is made at most. `tls`
    is for a service whose certificate a public authority did not sign. `transport` is httpx's port:
    give a fake one in tests, and `clock`, `sleep` and `draw` (0..1) where time must not pass.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        deadline: float = DEADLINE_SECONDS,
        attempts: int = ATTEMPTS,
        connections: int = CONNECTIONS,
        tls: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._connection = Connection(
            base_url=base_url,
            key=key,
            patience=Patience(deadline=deadline, attempts=attempts),
            tls=tls,
            draw=draw,
        )
        self._clock = clock
        self._sleep = sleep
        sockets = self._connection.transport(connections=connections)
        self._http = httpx.AsyncClient(
            **self._connection.settings(),
            transport=transport or httpx.AsyncHTTPTransport(**sockets),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def detect(
        self,
        image: bytes,
        *,
        frame: Frame | None = None,
        model: str | None = None,
        confidence: float | None = None,
        tiles: Tiles | None = None,
        timings: bool = True,
    ) -> DetectResult:
        """Objects in an image; with a frame, committed where the service has a gateway."""
        return await self._ask(
            call.detect(
                image,
                frame=frame,
                model=model,
                confidence=confidence,
                tiles=tiles,
                timings=timings,
            )
        )

    async def detect_batch(
        self,
        images: Sequence[bytes],
        *,
        frames: Sequence[Frame | None] | None = None,
        model: str | None = None,
        confidence: float | None = None,
        tiles: Tiles | None = None,
        timings: bool = True,
    ) -> BatchResult:
        """Objects in each of several images; one that fails has its problem, and no other."""
        return await self._ask(
            call.detect_batch(
                images,
                frames=frames,
                model=model,
                confidence=confidence,
                tiles=tiles,
                timings=timings,
            )
        )

    async def models(self) -> ModelList:
        """The models of the detection service."""
        return await self._ask(call.models())

    async def reload(self, model: str) -> ModelInfo:
        """Have the detection service read a model's file anew; gives what it has then."""
        return await self._ask(call.reload(model))

    async def report(self, report: DetectionReport) -> Receipt:
        """Hand detections to the gateway; they are committed when this returns."""
        return await self._ask(call.report(report))

    async def events(
        self,
        *,
        limit: int = 100,
        before: int | None = None,
        since: int | None = None,
        uid: str | None = None,
    ) -> EventList:
        """The gateway's history: newest first, or with `since` what came after, oldest first."""
        return await self._ask(call.events(limit=limit, before=before, since=since, uid=uid))

    async def sinks(self) -> SinkList:
        """How far delivery has come."""
        return await self._ask(call.sinks())

    async def _ask(self, asked: Call[T]) -> T:
        exchange = self._connection.exchange(asked, now=self._clock())
        while True:
            outcome = await self._attempt(asked, seconds=exchange.left(self._clock()))
            step = exchange.take(outcome, now=self._clock())
            if isinstance(step, Done):
                return step.value
            await self._sleep(step.seconds)

    async def _attempt(self, asked: Call[T], *, seconds: float) -> Answer | Failure:
        try:
            # httpx limits each step of a request; this is for all of them.
            async with asyncio.timeout(seconds):
                response = await self._http.send(asked.request(self._http, seconds=seconds))
        except TimeoutError:
            return Failure(reason="the answer takes too long", late=True)
        except httpx.HTTPError as error:
            return answer.failed(error)
        return answer.answered(response, response.content, now=datetime.now(UTC))
