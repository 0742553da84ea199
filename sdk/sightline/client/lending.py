"""Connections for threads: each is lent to one of them at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import httpx


class Lending:
    """So many connections at most, made when they are needed and then kept.

    One httpx client for all threads would not do: its pool can close a connection that another
    thread has just begun to use, and that thread then waits in vain until its timeout.
    """

    def __init__(self, make: Callable[[], httpx.Client], *, limit: int) -> None:
        self._make = make
        self._free = threading.Semaphore(limit)
        self._idle: list[httpx.Client] = []

    @contextlib.contextmanager
    def one(self, *, seconds: float) -> Iterator[httpx.Client]:
        """A connection, for this thread alone. Raises TimeoutError when none becomes free."""
        if not self._free.acquire(timeout=seconds):
            raise TimeoutError
        try:
            try:
                # The last one that came back is the least likely to have been closed since.
                client = self._idle.pop()
            except IndexError:
                client = self._make()
            try:
                yield client
            finally:
                self._idle.append(client)
        finally:
            self._free.release()

    def close(self) -> None:
        """Let go of those that nobody uses."""
        while self._idle:
            self._idle.pop().close()
