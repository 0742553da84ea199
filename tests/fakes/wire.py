"""Behind the client: a service that answers as told, at httpx's port, and time that tests move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from sightline.client import AsyncClient, Client

URL = "http://service"

Step = httpx.Response | httpx.TransportError | Callable[[httpx.Request], httpx.Response]


@dataclass
class Time:
    """Passes only when somebody sleeps, or a test says so."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


class Wire:
    """The service's side: remembers what was asked; answers step by step, the last one for ever."""

    def __init__(self, *steps: Step) -> None:
        self.asked: list[httpx.Request] = []
        self._steps = self._all(steps)

    @staticmethod
    def _all(steps: tuple[Step, ...]) -> Iterator[Step]:
        yield from steps
        while True:
            yield steps[-1]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        step = next(self._steps)
        if isinstance(step, httpx.TransportError):
            raise step
        if isinstance(step, httpx.Response):
            # One that was read already cannot be sent again.
            return httpx.Response(step.status_code, headers=step.headers, content=step.content)
        return step(request)


@dataclass(frozen=True)
class Caller:
    """A client of one kind, asked as if it were of any."""

    asynchronous: bool

    def __call__(self, wire: Wire, name: str, *arguments: Any, **settings: Any) -> Any:
        """Make one call of a fresh client. `settings` are the client's, `with_` the call's."""
        asked = settings.pop("with_", {})
        time = settings.pop("time", None) or Time()
        settings = {"draw": lambda: 1.0, "clock": time.clock, **settings}
        transport = httpx.MockTransport(wire)
        if not self.asynchronous:
            with Client(URL, transport=transport, sleep=time.sleep, **settings) as client:
                return getattr(client, name)(*arguments, **asked)

        async def call() -> Any:
            sleep = time.sleep_async
            async with AsyncClient(URL, transport=transport, sleep=sleep, **settings) as client:
                return await getattr(client, name)(*arguments, **asked)

        return asyncio.run(call())
