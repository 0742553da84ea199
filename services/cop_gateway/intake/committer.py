"""Group commit: many frames, one transaction, one fsync; each sender answered after it.

One thread takes whatever waits, works it through the pipeline in the order of arrival and commits
it. While the disk syncs, the event loop reads the next requests, so groups grow with the load.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import structlog

from cop_gateway.intake.errors import IntakeBusyError, IntakeError, IntakeFailedError
from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.outbox.record import FrameKey, FrameRecord
from cop_gateway.pipeline import Picture, World, advance
from cop_gateway.pipeline.recovery import caught_up
from cop_gateway.pipeline.retraction import Withdrawal, retraction, without
from sightline.messages import DetectionReport, Event
from telemetry import traces
from telemetry.spans import Spans
from telemetry.traces import Trace

_log = structlog.get_logger(__name__)


class Store(Protocol):
    """What intake needs of storage."""

    def turn(self) -> AbstractContextManager[Sequence[Event]]:
        """Our turn to commit, and what other processes committed since our last one.

        What is committed within is durable when the block has ended.
        """

    def receipts(self, keys: Sequence[FrameKey]) -> dict[FrameKey, bytes]:
        """The receipts of those frames that are committed already."""

    def commit(self, records: Sequence[FrameRecord], committed_at: datetime) -> int:
        """Store all or none; the newest sequence."""


class Observer(Protocol):
    """Who wants to know of every commit (metrics); called from the committing thread."""

    def committed(self, records: Sequence[FrameRecord], seconds: float) -> None:
        """These frames are on the disk; the commit took so long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """The answer to a frame: its receipt, and whether it had been there before."""

    key: FrameKey
    receipt: bytes
    duplicate: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Job:
    key: FrameKey
    work: DetectionReport | Withdrawal
    received_at: datetime
    submitted: float
    trace: Trace | None
    answer: asyncio.Future[Committed]


_Outcome = Committed | IntakeError


class Committer:
    """Takes reports from the event loop that started it; `stop` commits what still waits."""

    def __init__(
        self,
        *,
        store: Store,
        world: World,
        picture: Picture,
        clock: Callable[[], datetime],
        observer: Observer,
        announce: Callable[[int], None],
        queue_limit: int = 1024,
        group_limit: int = 128,
        spans: Spans | None = None,
    ) -> None:
        self._store = store
        self._world = world
        self._picture = picture
        self._clock = clock
        self._observer = observer
        self._announce = announce
        self._queue_limit = queue_limit
        self._group_limit = group_limit
        self._spans = spans or Spans()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="committer", daemon=True)

    @property
    def waiting(self) -> int:
        """Frames that are taken in and not yet answered."""
        return self._waiting

    @property
    def has_room(self) -> bool:
        """Whether another frame would be taken in."""
        return not self._stopping and self._waiting < self._queue_limit

    def start(self) -> None:
        """Begin to take frames; call it in the event loop that will submit them."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def submit(
        self, work: DetectionReport | Withdrawal, *, trace: Trace | None = None
    ) -> Committed:
        """Answer once the frame (or that a track is taken back) is on the disk.

        Raises IntakeBusyError when too many wait, IntakeFailedError when it could not be stored.
        A sender that goes away changes nothing: what was taken in is committed.
        """
        if self._loop is None or not self.has_room:
            raise IntakeBusyError(
                f"{self._waiting} frames wait already (limit {self._queue_limit})"
            )
        answer: asyncio.Future[Committed] = self._loop.create_future()
        self._waiting += 1
        self._jobs.put(
            _Job(
                key=_key(work),
                work=work,
                received_at=self._clock(),
                submitted=time.perf_counter(),
                trace=trace,
                answer=answer,
            )
        )
        return await asyncio.shield(answer)

    async def stop(self) -> None:
        """Refuse new frames, commit those that wait, end the thread."""
        if self._stopping:
            return
        self._stopping = True
        self._jobs.put(None)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            while len(jobs) < self._group_limit and (more := self._next()) is not None:
                jobs.append(more)
            self._settle(jobs, self._group(jobs))

    def _next(self) -> _Job | None:
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return None
        if job is None:
            # The end of work: leave it for the outer loop to find.
            self._jobs.put(None)
        return job

    def _group(self, jobs: list[_Job]) -> list[_Outcome]:
        try:
            return self._commit(jobs)
        except StoreFailedError as error:
            _log.error("commit_failed", frames=len(jobs), error=str(error))
            return [IntakeFailedError(str(error))] * len(jobs)
        except Exception:  # noqa: BLE001
            # Logged with its trace and answered as an error: a defect that one frame brings to
            # light must not take its neighbours down.
            _log.exception("group_failed", frames=len(jobs))
            if len(jobs) == 1:
                return [IntakeFailedError("the frame could not be worked on")]
            return [outcome for job in jobs for outcome in self._group([job])]

    def _commit(self, jobs: list[_Job]) -> list[_Outcome]:
        first: dict[FrameKey, _Job] = {}
        for job in jobs:
            first.setdefault(job.key, job)
        picture, head = self._picture, None
        placing = placed = 0.0
        records: list[FrameRecord] = []
        commits = self._traced(first.values())
        with self._store.turn() as news:
            known = self._store.receipts(list(first))
            works = [job.work for key, job in first.items() if key not in known]
            if news:
                picture = caught_up(picture, news, self._world.rules)
            if works:
                placing = time.perf_counter()
                picture, records = self._worked(picture, works)
                records = [
                    _marked(record, first[record.key], commits.get(record.key))
                    for record in records
                ]
                placed = time.perf_counter()
                head = self._store.commit(records, self._clock())
        # Only now is it durable.
        self._picture = picture
        receipts = dict(known)
        if head is not None:
            ended = time.perf_counter()
            self._observer.committed(records, ended - placed)
            for record in records:
                if (commit := commits.get(record.key)) is not None:
                    times = (first[record.key].submitted, placing, placed, ended)
                    self._tell(first[record.key].trace, commit, times, len(records))
            receipts.update((record.key, record.receipt) for record in records)
            self._notify(self._announce, head)
        return [
            Committed(
                key=job.key,
                receipt=receipts[job.key],
                duplicate=job.key in known or first[job.key] is not job,
            )
            for job in jobs
        ]

    def _traced(self, jobs: Iterable[_Job]) -> dict[FrameKey, Trace]:
        """The span of each frame's commit, which its deliveries will be below."""
        if not self._spans.kept:
            return {}
        return {
            job.key: traces.child(job.trace)
            for job in jobs
            if job.trace is not None and job.trace.sampled
        }

    def _tell(
        self, trace: Trace | None, commit: Trace, times: tuple[float, float, float, float],
        frames: int,
    ) -> None:  # fmt: skip
        """What a frame waited for; placing and committing are the whole group's."""
        submitted, placing, placed, ended = times
        about = {"frames": frames}
        self._spans.child("queue", parent=trace, began=submitted, ended=placing)
        self._spans.child("place", parent=trace, began=placing, ended=placed, attributes=about)
        self._spans.record("commit", commit, began=placed, ended=ended, attributes=about)

    def _worked(
        self, picture: Picture, works: Sequence[DetectionReport | Withdrawal]
    ) -> tuple[Picture, list[FrameRecord]]:
        """The picture after all of it, and what is to be committed."""
        reports = [work for work in works if isinstance(work, DetectionReport)]
        picture, records = advance(picture, reports, self._world)
        for work in works:
            if isinstance(work, Withdrawal):
                picture = without(picture, work.last.uid)
                records.append(retraction(work, self._world.doctrine))
        return picture, records

    def _settle(self, jobs: list[_Job], outcomes: list[_Outcome]) -> None:
        def deliver() -> None:
            self._waiting -= len(jobs)
            for job, outcome in zip(jobs, outcomes, strict=True):
                if job.answer.done():
                    continue
                if isinstance(outcome, IntakeError):
                    job.answer.set_exception(outcome)
                else:
                    job.answer.set_result(outcome)

        self._notify(deliver)

    def _notify(self, call: Callable[..., None], *arguments: object) -> None:
        if self._loop is None:
            raise AssertionError("the thread runs only once the loop is known")
        self._loop.call_soon_threadsafe(call, *arguments)


def _key(work: DetectionReport | Withdrawal) -> FrameKey:
    if isinstance(work, Withdrawal):
        return work.key
    return FrameKey(camera_id=work.frame.camera_id, frame_id=work.frame.frame_id)


def _marked(record: FrameRecord, job: _Job, commit: Trace | None) -> FrameRecord:
    """The record with what the audit trail and traces want to know of its way here."""
    return replace(
        record,
        received_at=job.received_at,
        trace_id=job.trace.trace_id if job.trace else None,
        span_id=commit.span_id if commit else None,
    )
