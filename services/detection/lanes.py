"""Lanes: the threads that look at images, and the bounded line before them."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from detection.errors import DeadlineError, QueueFullError, StuckError
from detection.line import Line
from detection.scratch import Scratch
from telemetry import logs

T = TypeVar("T")

PERSISTENTLY_SECONDS = 1.0
"""A line that was full for so long makes us not ready, until half of it is empty and nobody was
refused for as long."""
WATCH_SECONDS = 0.5
CLOSE_SECONDS, STOP_SECONDS = 5.0, 1.0

log = logs.get("detection.lanes")


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn(Generic[T]):
    """What came of a piece of work, and when."""

    result: T
    waited_seconds: float
    worked_seconds: float


@dataclass(kw_only=True, slots=True, eq=False)
class _Job:
    work: Callable[[Scratch], Any]
    client: str
    model: str
    deadline: float
    submitted: float
    done: asyncio.Future[Turn[Any]]

    def awaited(self) -> bool:
        """Whether somebody still waits for it: they may have gone, or their deadline passed."""
        return not self.done.done()

    def settle(self, turn: Turn[Any] | None, error: BaseException | None) -> None:
        """Tell whoever waits for it, in their loop; nobody does when they went away."""
        if not self.awaited():
            return
        if error is not None:
            self.done.set_exception(error)
        elif turn is not None:
            self.done.set_result(turn)


@dataclass(kw_only=True, slots=True, eq=False)
class _Lane:
    scratch: Scratch
    job: _Job | None = None
    abandoned: bool = False
    thread: threading.Thread | None = None


class Lanes:
    """`count` threads, each with its own scratch, and places for `queue_limit` waiting images.

    Overload is answered early instead of growing the line: an image that finds no place, or whose
    turn would not come before its deadline, costs next to nothing. A lane that is stuck in one step
    for `stuck_seconds` is told to stop and replaced; `stuck` gets the name of its model.
    """

    def __init__(
        self,
        *,
        count: int,
        queue_limit: int,
        stuck_seconds: float = 30.0,
        stuck: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.count = count
        self.queue_limit = queue_limit
        self.busy_seconds = 0.0
        """That lanes have worked so far."""
        self.replaced = 0
        """Lanes that were stuck."""
        self._stuck_seconds = stuck_seconds
        self._stuck = stuck
        self._clock = clock
        self._line: Line[_Job] = Line()
        self._turn = threading.Condition(threading.Lock())
        self._full_since: float | None = None
        self._refused_at = -math.inf
        self._closing = False
        self._lanes = [self._lane() for _ in range(count)]

    @property
    def waiting(self) -> int:
        """Images in the line."""
        return len(self._line)

    @property
    def busy(self) -> int:
        """Images that are being looked at."""
        return sum(lane.job is not None for lane in self._lanes)

    def refusal(self) -> str | None:
        """Why no further image should come here now: a check of readiness."""
        self._relieved()
        since = self._full_since
        if since is not None and self._clock() - since >= PERSISTENTLY_SECONDS:
            return f"the {self.queue_limit} places of the queue were all taken, and are not free"
        return None

    def check(self, client: str, *, seconds: float, deadline: float) -> None:
        """Raise LaneError when work of so many seconds would be refused now.

        Cheap: to be asked before a body is read, too.
        """
        with self._turn:
            self._check(client, seconds, deadline)

    async def run(
        self,
        work: Callable[[Scratch], T],
        *,
        deadline: float,
        client: str = "",
        model: str = "",
        seconds: float = 0.0,
    ) -> Turn[T]:
        """Do the work in a lane; `seconds` is what it should take, `deadline` on our clock.

        Cancelling drops the work if it has not begun. Raises LaneError.
        """
        job = _Job(
            work=work,
            client=client,
            model=model,
            deadline=deadline,
            submitted=self._clock(),
            done=asyncio.get_running_loop().create_future(),
        )
        with self._turn:
            self._check(client, seconds, deadline)
            evicted = self._line.join(client, job, seconds, evict=self._full())
            if self._full() and self._full_since is None:
                self._full_since = self._clock()
            self._turn.notify()
        if evicted is not None:
            evicted.settle(None, self._crowded(evicted.client))
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock())):
                turn: Turn[T] = await job.done
                return turn
        except TimeoutError:
            raise self._late() from None
        finally:
            with self._turn:
                self._line.leave(client, job)
                self._relieved()

    def retry_seconds(self) -> float:
        """When the line that stands now should be gone."""
        return self._line.seconds / self.count

    async def watch(self) -> None:
        """Replace lanes that are stuck, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self.replace_stuck()

    def replace_stuck(self) -> None:
        """Look at each lane once."""
        for index, lane in enumerate(self._lanes):
            with self._turn:
                job = lane.job
                if job is None or self._clock() - lane.scratch.active < self._stuck_seconds:
                    continue
                # Its thread cannot be ended from outside: it ends by itself, once the run does.
                lane.abandoned = True
                self._lanes[index] = self._lane()
                self.replaced += 1
            lane.scratch.stop()
            log.error("lane stuck and replaced", model=job.model, seconds=self._stuck_seconds)
            job.settle(
                None,
                StuckError(
                    f"the model made no step for {self._stuck_seconds:g} seconds; it was stopped",
                    retry_seconds=1.0,
                ),
            )
            self._stuck(job.model)

    def close(self) -> None:
        """Let the lanes finish what they have begun."""
        with self._turn:
            self._closing = True
            self._turn.notify_all()
        end = time.monotonic() + CLOSE_SECONDS
        for lane in self._lanes:
            assert lane.thread is not None
            lane.thread.join(max(0.0, end - time.monotonic()))
            if lane.thread.is_alive():
                # Nobody waits for it any more, and a process cannot end well in the midst of a run.
                lane.scratch.stop()
                lane.thread.join(STOP_SECONDS)

    def _lane(self) -> _Lane:
        lane = _Lane(scratch=Scratch(self._alone, clock=self._clock))
        # A daemon: one that is stuck must not keep the process from ending.
        lane.thread = threading.Thread(target=self._serve, args=(lane,), name="lane", daemon=True)
        lane.thread.start()
        return lane

    def _outstanding(self) -> int:
        return self.busy + len(self._line)

    def _full(self) -> bool:
        """Whether every lane and every place is taken: a lane takes its next a moment later."""
        return self._outstanding() >= self.count + self.queue_limit

    def _alone(self) -> bool:
        return not self._line and self.busy <= 1

    def _check(self, client: str, seconds: float, deadline: float) -> None:
        if self._outstanding() < self.count:
            return
        if self._full() and not self._line.yields(client):
            raise self._crowded(client)
        if self._clock() + self._line.ahead(client, seconds) / self.count > deadline:
            raise self._late()

    def _crowded(self, client: str) -> QueueFullError:
        self._refused_at = self._clock()
        whose = "" if client == "" else ", and this client has its share of them"
        return QueueFullError(
            f"all {self.queue_limit} places of the queue are taken{whose}",
            retry_seconds=self.retry_seconds(),
        )

    def _late(self) -> DeadlineError:
        return DeadlineError(
            "the image's turn did not come, or would not come, before the request's deadline",
            retry_seconds=self.retry_seconds(),
        )

    def _relieved(self) -> None:
        half_empty = 2 * (self._outstanding() - self.count) <= self.queue_limit
        calm = self._clock() - self._refused_at >= PERSISTENTLY_SECONDS
        if half_empty and calm and not self._full():
            self._full_since = None

    def _next(self, lane: _Lane) -> _Job | None:
        """The lane's next job; None when it should end."""
        with self._turn:
            while not (self._closing or lane.abandoned):
                job = self._line.next()
                if job is not None:
                    lane.job = job
                    lane.scratch.active = self._clock()
                    self._relieved()
                    return job
                self._turn.wait()
        return None

    def _serve(self, lane: _Lane) -> None:
        while (job := self._next(lane)) is not None:
            began = self._clock()
            turn: Turn[Any] | None = None
            error: BaseException | None = None
            try:
                if began > job.deadline:
                    error = self._late()
                elif job.awaited():
                    lane.scratch.awaited = job.awaited
                    result = job.work(lane.scratch)
                    turn = Turn(
                        result=result,
                        waited_seconds=began - job.submitted,
                        worked_seconds=self._clock() - began,
                    )
            except BaseException as failure:  # noqa: BLE001 - it is the caller's, not the lane's
                error = failure
            with self._turn:
                lane.job = None
                self.busy_seconds += self._clock() - began
            self._tell(job, turn, error)
            # A lane that waits must not keep the last image and its answer alive.
            lane.scratch.rest()
            del job, turn, error

    def _tell(self, job: _Job, turn: Turn[Any] | None, error: BaseException | None) -> None:
        loop = job.done.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(job.settle, turn, error)
