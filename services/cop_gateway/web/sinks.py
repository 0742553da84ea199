"""/v1/sinks: how far each sink has come, and what an operator can do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cop_gateway.delivery import Courier
from cop_gateway.outbox.record import DeadLetter
from cop_gateway.web.queries import MOST_SEQUENCE, answer, number, only
from serving.bodies import read_body
from serving.problems import HttpProblem
from sightline.messages import DeadLetter as DeadLetterAnswer
from sightline.messages import (
    DeadLetterList,
    Retry,
    RetryResult,
    SinkList,
    SinkState,
    decode,
)
from telemetry import logs

PAGE = 100
MOST_PAGE = 1_000
_MOST_BODY_BYTES = 1 << 20

log = logs.get("cop_gateway.web.sinks")


class SinkStore(Protocol):
    """What these calls need of storage."""

    def pause(self, sink: str, *, paused: bool) -> None:
        """Remember whether a sink is paused."""

    def dead_letters(self, sink: str, *, after: int = 0, limit: int = PAGE) -> list[DeadLetter]:
        """A sink's dead letters in the order of the outbox."""

    def count_dead_letters(self) -> dict[str, int]:
        """How many there are, by sink."""

    def retry(self, sink: str, sequences: Iterable[int] | None = None) -> int:
        """Recall these dead letters, or all of a sink; how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SinkCalls:
    """The calls, with all that they need."""

    store: SinkStore
    couriers: Sequence[Courier]

    def routes(self) -> list[Route]:
        """Where they are found."""
        one = "/v1/sinks/{name}"
        return [
            Route("/v1/sinks", self.sinks, methods=["GET"]),
            Route(one, self.sink, methods=["GET"]),
            Route(f"{one}/pause", self.pause, methods=["POST"]),
            Route(f"{one}/resume", self.resume, methods=["POST"]),
            Route(f"{one}/dead-letters", self.dead_letters, methods=["GET"]),
            Route(f"{one}/dead-letters/retry", self.retry, methods=["POST"]),
        ]

    async def sinks(self, _request: Request) -> Response:
        """Every sink, how it is and how far it lags."""
        dead = await asyncio.to_thread(self.store.count_dead_letters)
        states = [await self._state(courier, dead) for courier in self.couriers]
        return answer(SinkList(sinks=tuple(states)))

    async def sink(self, request: Request) -> Response:
        """One of them."""
        return await self._one(self._courier(request))

    async def pause(self, request: Request) -> Response:
        """Deliver nothing to it until it is resumed, across restarts as well."""
        courier = self._courier(request)
        await asyncio.to_thread(self.store.pause, courier.name, paused=True)
        courier.pause()
        log.info("sink paused by an operator", sink=courier.name)
        return await self._one(courier)

    async def resume(self, request: Request) -> Response:
        """Go on where it was paused: nothing was lost meanwhile."""
        courier = self._courier(request)
        await asyncio.to_thread(self.store.pause, courier.name, paused=False)
        courier.resume()
        log.info("sink resumed by an operator", sink=courier.name)
        return await self._one(courier)

    async def dead_letters(self, request: Request) -> Response:
        """Events that it could not take, in their order: `after` (a sequence) and `limit`."""
        courier = self._courier(request)
        only(request, ("after", "limit"))
        limit = number(request, "limit", 1, MOST_PAGE) or PAGE
        after = number(request, "after", 0, MOST_SEQUENCE) or 0
        found = await asyncio.to_thread(
            self.store.dead_letters, courier.name, after=after, limit=limit
        )
        return answer(
            DeadLetterList(
                dead_letters=tuple(
                    DeadLetterAnswer(
                        sequence=each.sequence,
                        uid=each.uid,
                        reason=each.reason,
                        buried_at=each.buried_at,
                        retrying=each.retrying,
                    )
                    for each in found
                ),
                next=found[-1].sequence if len(found) == limit else None,
            )
        )

    async def retry(self, request: Request) -> Response:
        """Send dead letters again: those of `sequences`, or all where the body is empty."""
        courier = self._courier(request)
        body = await read_body(request, limit=_MOST_BODY_BYTES)
        asked = decode(body, Retry) if body else Retry()
        count = await asyncio.to_thread(self.store.retry, courier.name, asked.sequences)
        courier.nudge()
        log.info("dead letters recalled by an operator", sink=courier.name, count=count)
        return answer(RetryResult(recalled=count))

    def _courier(self, request: Request) -> Courier:
        name = request.path_params["name"]
        for courier in self.couriers:
            if courier.name == name:
                return courier
        known = ", ".join(courier.name for courier in self.couriers) or "none"
        raise HttpProblem(
            status=404, type="no-such-sink", detail=f"no sink is named {name[:64]!r} ({known})"
        )

    async def _one(self, courier: Courier) -> Response:
        dead = await asyncio.to_thread(self.store.count_dead_letters)
        return answer(await self._state(courier, dead))

    async def _state(self, courier: Courier, dead: Mapping[str, int]) -> SinkState:
        await courier.look()
        return courier.describe(dead_letters=dead.get(courier.name, 0))
