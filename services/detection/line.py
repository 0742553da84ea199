"""Who is next: the waiting line before the lanes, fair between clients. Pure: no clock, no thread.

Start-time fair queueing (Goyal, Vin, Cheng 1996): each client has a virtual time that grows by the
work it was given; whoever has had least is next. A client that was idle begins at the present and
cannot save turns up. Where there is no place left, a newcomer gets one from whoever holds more of
them than the newcomer would: a flood keeps out itself, and nobody else.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


_LEAST_SECONDS = 1e-3
"""Work that costs nothing would never be anybody else's turn."""


@dataclass(slots=True)
class _Client(Generic[T]):
    start: float
    waiting: deque[tuple[T, float]] = field(default_factory=deque)
    seconds: float = 0.0
    """Of work in `waiting`."""


class Line(Generic[T]):
    """Waiting pieces of work, each with the seconds that it should take."""

    def __init__(self) -> None:
        self._clients: dict[str, _Client[T]] = {}
        self._now = 0.0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def seconds(self) -> float:
        """Of all the work that waits."""
        return sum(client.seconds for client in self._clients.values())

    def ahead(self, client: str, seconds: float) -> float:
        """Seconds of work that would be done before further work of this client."""
        own = self._clients.get(client)
        reach = seconds + (own.seconds if own else 0.0)
        return sum(
            each.seconds if each is own else min(each.seconds, reach)
            for each in self._clients.values()
        )

    def yields(self, client: str) -> bool:
        """Whether somebody has so much more than this client that a place should be given up."""
        own = self._clients.get(client)
        return self._most() > (len(own.waiting) if own else 0) + 1

    def join(self, client: str, work: T, seconds: float, *, evict: bool = False) -> T | None:
        """Take a place; with `evict`, somebody else's, whose work is given (`yields` must hold)."""
        evicted = self._evict() if evict else None
        own = self._clients.get(client)
        if own is None:
            own = self._clients[client] = _Client(start=self._now)
        seconds = max(seconds, _LEAST_SECONDS)
        own.waiting.append((work, seconds))
        own.seconds += seconds
        self._length += 1
        return evicted

    def next(self) -> T | None:
        """The work whose turn it is; None when nobody waits."""
        if not self._clients:
            return None
        name, own = min(self._clients.items(), key=lambda item: item[1].start)
        work, seconds = own.waiting.popleft()
        self._now = own.start
        own.start += seconds
        self._left(name, own, seconds)
        return work

    def leave(self, client: str, work: T) -> bool:
        """Give the place back; whether the work was still waiting."""
        own = self._clients.get(client)
        for entry in own.waiting if own else ():
            if entry[0] is work:
                assert own is not None
                own.waiting.remove(entry)
                self._left(client, own, entry[1])
                return True
        return False

    def _most(self) -> int:
        return max((len(each.waiting) for each in self._clients.values()), default=0)

    def _evict(self) -> T:
        """The newest work of whoever holds most places."""
        name, own = max(self._clients.items(), key=lambda item: len(item[1].waiting))
        work, seconds = own.waiting.pop()
        self._left(name, own, seconds)
        return work

    def _left(self, name: str, own: _Client[T], seconds: float) -> None:
        self._length -= 1
        own.seconds -= seconds
        if not own.waiting:
            # What a client was given counts while it has more: then it begins anew, like others.
            del self._clients[name]
