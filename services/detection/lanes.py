"""Lanes: the threads that look at images, and the bounded queue before them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from detection.errors import DeadlineError, QueueFullError
from detection.pipeline import Scratch

T = TypeVar("T")

_SMOOTHING = 0.1
_FIRST_GUESS_SECONDS = 0.1


class Lanes:
    """`count` threads, each with its own scratch, and places for `queue_limit` waiting images.

    Overload is answered early instead of growing the queue: an image that finds no place, or whose
    turn does not come before its deadline, costs next to nothing.
    """

    def __init__(self, *, count: int, queue_limit: int) -> None:
        self.count = count
        self.queue_limit = queue_limit
        self._own = threading.local()
        self._threads = ThreadPoolExecutor(
            count, thread_name_prefix="lane", initializer=self._furnish
        )
        self._outstanding = 0
        self._mean_seconds = _FIRST_GUESS_SECONDS

    @property
    def waiting(self) -> int:
        """Images in the queue."""
        return max(0, self._outstanding - self.count)

    @property
    def busy(self) -> int:
        """Images that are being looked at."""
        return min(self._outstanding, self.count)

    def refusal(self) -> str | None:
        """Why no further image would be taken now: a check of readiness."""
        if self._outstanding >= self.count + self.queue_limit:
            return f"all {self.queue_limit} places of the queue are taken"
        return None

    async def run(self, work: Callable[[Scratch], T], *, deadline: float) -> tuple[T, float]:
        """Do the work in a lane; gives its result and the seconds that it waited.

        `deadline` is the event loop's time. Cancelling drops the work if it has not begun.
        """
        loop = asyncio.get_running_loop()
        refusal = self.refusal()
        if refusal is not None:
            raise QueueFullError(refusal, retry_seconds=self.retry_seconds())
        submitted = time.perf_counter()
        self._outstanding += 1
        job = self._threads.submit(self._timed, work)
        try:
            async with asyncio.timeout_at(deadline):
                result, began, ended = await asyncio.wrap_future(job)
        except TimeoutError:
            raise DeadlineError(
                "the image's turn did not come before the request's deadline",
                retry_seconds=self.retry_seconds(),
            ) from None
        finally:
            self._release(job, loop)
        self._mean_seconds += _SMOOTHING * (ended - began - self._mean_seconds)
        return result, began - submitted

    def retry_seconds(self) -> float:
        """When the queue that stands now should be gone."""
        return self._outstanding * self._mean_seconds / self.count

    def close(self) -> None:
        """Let the lanes finish what they have begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _furnish(self) -> None:
        self._own.scratch = Scratch()

    def _timed(self, work: Callable[[Scratch], T]) -> tuple[T, float, float]:
        began = time.perf_counter()
        result = work(self._own.scratch)
        return result, began, time.perf_counter()

    def _release(
        self, job: Future[tuple[T, float, float]], loop: asyncio.AbstractEventLoop
    ) -> None:
        """Give the place back: at once, or when the lane is done with abandoned work."""
        if job.done() or job.cancel():
            self._leave()
        else:
            job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))

    def _leave(self) -> None:
        self._outstanding -= 1
