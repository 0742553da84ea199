"""The client for threads."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

import httpx

from sightline.client import answer, call
from sightline.client.answer import Answer, Failure
from sightline.client.call import Call, Tiles
from sightline.client.connection import ATTEMPTS, CONNECTIONS, DEADLINE_SECONDS, Connection
from sightline.client.exchange import Done, Patience
from sightline.client.lending import Lending
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


class Client:
    """Either service, by its address; `key` is an API key or a token. Threads may share it.

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
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
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
        settings, sockets = self._connection.settings(), self._connection.transport(connections=1)
        self._lending = Lending(
            lambda: httpx.Client(**settings, transport=transport or httpx.HTTPTransport(**sockets)),
            limit=connections,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._lending.close()

    def detect(
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
        return self._ask(
            call.detect(
                image,
                frame=frame,
                model=model,
                confidence=confidence,
                tiles=tiles,
                timings=timings,
            )
        )

    def detect_batch(
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
        return self._ask(
            call.detect_batch(
                images,
                frames=frames,
                model=model,
                confidence=confidence,
                tiles=tiles,
                timings=timings,
            )
        )

    def models(self) -> ModelList:
        """The models of the detection service."""
        return self._ask(call.models())

    def reload(self, model: str) -> ModelInfo:
        """Have the detection service read a model's file anew; gives what it has then."""
        return self._ask(call.reload(model))

    def report(self, report: DetectionReport) -> Receipt:
        """Hand detections to the gateway; they are committed when this returns."""
        return self._ask(call.report(report))

    def events(
        self,
        *,
        limit: int = 100,
        before: int | None = None,
        since: int | None = None,
        uid: str | None = None,
    ) -> EventList:
        """The gateway's history: newest first, or with `since` what came after, oldest first."""
        return self._ask(call.events(limit=limit, before=before, since=since, uid=uid))

    def sinks(self) -> SinkList:
        """How far delivery has come."""
        return self._ask(call.sinks())

    def _ask(self, asked: Call[T]) -> T:
        exchange = self._connection.exchange(asked, now=self._clock())
        while True:
            outcome = self._attempt(asked, seconds=exchange.left(self._clock()))
            step = exchange.take(outcome, now=self._clock())
            if isinstance(step, Done):
                return step.value
            self._sleep(step.seconds)

    def _attempt(self, asked: Call[T], *, seconds: float) -> Answer | Failure:
        ends = self._clock() + seconds
        try:
            with self._lending.one(seconds=seconds) as http:
                return self._send(http, asked, ends=ends)
        except TimeoutError:
            return Failure(reason="no connection is free", late=True)
        except httpx.HTTPError as error:
            return answer.failed(error)

    def _send(self, http: httpx.Client, asked: Call[T], *, ends: float) -> Answer | Failure:
        left = ends - self._clock()
        if left <= 0.0:
            return Failure(reason="no time is left", late=True)
        response = http.send(asked.request(http, seconds=left), stream=True)
        content = bytearray()
        try:
            for chunk in response.iter_bytes():
                content += chunk
                # httpx limits the wait for each chunk, and not for all of them.
                if self._clock() >= ends:
                    return Failure(reason="the answer takes too long", late=True)
        finally:
            response.close()
        return answer.answered(response, bytes(content), now=datetime.now(UTC))
