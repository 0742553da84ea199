"""Group commit: answered only after it is stored, all or nothing, and never twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from cop_gateway.cot import Catalogue
from cop_gateway.geolocation import Limits
from cop_gateway.intake import Committed, Committer, IntakeBusyError, IntakeFailedError
from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.pipeline import Doctrine, Ground, Picture, World
from cop_gateway.tracking import Rules
from fakes.store import FakeIntakeObserver, FakeStore
from running import report
from sightline.messages import DetectionReport, Receipt, decode

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
WORLD = World(
    ground=Ground(height_m=400.0, sigma_m=0.5),
    catalogue=Catalogue.load(),
    limits=Limits(),
    rules=Rules(),
    doctrine=Doctrine(),
)
FULL = StoreFailedError("the store could not commit: database or disk is full")


def message(frame: str, **options) -> DetectionReport:
    return decode(json.dumps(report(frame, at=NOW, **options)).encode(), DetectionReport)


def uids(committed: Committed) -> list[str]:
    return [each.uid for each in decode(committed.receipt, Receipt).results]


class Intake:
    """A committer with its fakes."""

    def __init__(self, store: FakeStore | None = None, **options) -> None:
        self.store = store or FakeStore()
        self.observer = FakeIntakeObserver()
        self.announced: list[int] = []
        self.committer = Committer(
            store=self.store,
            world=options.pop("world", WORLD),
            picture=Picture(),
            clock=lambda: NOW,
            observer=self.observer,
            announce=self.announced.append,
            **options,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Intake]:
        self.committer.start()
        try:
            async with asyncio.timeout(30):
                yield self
        finally:
            self.store.gate.set()
            await self.committer.stop()

    async def submit(self, frame: str, **options) -> Committed:
        return await self.committer.submit(message(frame, **options))

    async def together(self, *frames: str) -> list[Committed | BaseException]:
        """Submitted while the store is held up with another frame: all in one group."""
        self.store.gate.clear()
        self.store.entered.clear()
        first = asyncio.create_task(self.submit("held"))
        await asyncio.to_thread(self.store.entered.wait, 10)
        rest = [asyncio.create_task(self.submit(frame)) for frame in frames]
        while self.committer.waiting < len(frames) + 1:
            await asyncio.sleep(0.001)
        self.store.gate.set()
        await first
        return await asyncio.gather(*rest, return_exceptions=True)


async def test_the_answer_is_the_receipt_that_is_stored_and_comes_after_the_commit():
    async with Intake().running() as intake:
        intake.store.gate.clear()
        asked = asyncio.create_task(intake.submit("1"))
        await asyncio.to_thread(intake.store.entered.wait, 10)
        assert not asked.done()
        assert intake.announced == []
        intake.store.gate.set()
        answer = await asked
        ((record,),) = intake.store.groups
        assert answer == Committed(key=record.key, receipt=record.receipt, duplicate=False)
        receipt = decode(answer.receipt, Receipt)
        assert (receipt.camera_id, receipt.frame_id) == ("drone-1", "1")
        assert intake.store.moments == [NOW]
        assert intake.observer.frames == ["1"]
        # Delivery is told how far the outbox now goes.
        assert intake.announced == [len(record.events)]


async def test_frames_that_wait_are_committed_as_one_group_in_their_order():
    frames = [str(n) for n in range(10)]
    async with Intake().running() as intake:
        answers = await intake.together(*frames)
        assert all(isinstance(answer, Committed) for answer in answers)
        assert [len(group) for group in intake.store.groups] == [1, 10]
        assert intake.store.frames == ["held", *frames]


async def test_a_group_is_never_larger_than_its_limit():
    async with Intake(group_limit=4).running() as intake:
        await intake.together(*(str(n) for n in range(10)))
        assert max(len(group) for group in intake.store.groups) == 4
        assert len(intake.store.frames) == 11


async def test_the_same_frame_again_gets_the_same_receipt_and_is_not_stored():
    async with Intake().running() as intake:
        first = await intake.submit("1")
        again = await intake.submit("1", cars=5)
        assert again == Committed(key=first.key, receipt=first.receipt, duplicate=True)
        assert intake.store.frames == ["1"]
        # It is the camera and the frame together that name it.
        other = await intake.submit("1", camera="drone-2")
        assert not other.duplicate


async def test_the_same_frame_twice_in_one_group_is_stored_once():
    async with Intake().running() as intake:
        answers = await intake.together("1", "2", "1", "1")
        assert [answer.duplicate for answer in answers] == [False, False, True, True]
        assert answers[0].receipt == answers[2].receipt == answers[3].receipt
        assert intake.store.frames == ["held", "1", "2"]


async def test_a_failing_commit_fails_everyone_in_the_group_and_stores_nothing():
    async with Intake().running() as intake:
        await intake.submit("0")
        # The held frame's own commit goes well, the group's does not.
        intake.store.failures = [None, FULL]
        answers = await intake.together("1", "2", "1")
        assert [type(answer) for answer in answers] == [IntakeFailedError] * 3
        assert all("disk is full" in str(answer) for answer in answers)
        assert intake.store.frames == ["0", "held"]
        assert intake.observer.frames == ["0", "held"]
        assert len(intake.announced) == 2
        assert intake.committer.waiting == 0
        # Sent again, it is a new frame.
        assert not (await intake.submit("1")).duplicate


async def test_a_failing_commit_leaves_the_tracks_where_they_were():
    """A car that was never stored must not name one that is: as if the frame had not come."""
    async with Intake().running() as intake:
        intake.store.failures = [FULL]
        with pytest.raises(IntakeFailedError):
            await intake.submit("lost")
        second = await intake.submit("2")
    async with Intake().running() as unharmed:
        assert uids(second) == uids(await unharmed.submit("2"))
    async with Intake().running() as other:
        lost = await other.submit("lost")
        assert uids(lost) != uids(second)
        # And the tracks do go on from what is stored.
        assert uids(await other.submit("2")) == uids(lost)


async def test_after_a_failing_commit_the_same_frame_gets_the_uids_that_it_would_have_had():
    async with Intake().running() as intake:
        intake.store.failures = [FULL]
        with pytest.raises(IntakeFailedError):
            await intake.submit("1")
        again = await intake.submit("1")
    async with Intake().running() as unharmed:
        assert again == await unharmed.submit("1")


async def test_a_frame_that_brings_a_defect_to_light_does_not_take_its_neighbours_down():
    class Faulty(Catalogue):
        def find(self, class_name):
            if class_name == "person":
                raise ZeroDivisionError
            return super().find(class_name)

    world = World(
        ground=WORLD.ground,
        catalogue=Faulty(classes=WORLD.catalogue.classes),
        limits=WORLD.limits,
        rules=WORLD.rules,
        doctrine=WORLD.doctrine,
    )
    bad = report("bad", at=NOW)
    bad["detections"][0]["class"] = "person"
    async with Intake(world=world).running() as intake:
        intake.store.gate.clear()
        held = asyncio.create_task(intake.submit("held"))
        await asyncio.to_thread(intake.store.entered.wait, 10)
        asked = [
            asyncio.create_task(intake.submit("1")),
            asyncio.create_task(
                intake.committer.submit(decode(json.dumps(bad).encode(), DetectionReport))
            ),
            asyncio.create_task(intake.submit("2")),
        ]
        while intake.committer.waiting < 4:
            await asyncio.sleep(0.001)
        intake.store.gate.set()
        await held
        first, second, third = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(second, IntakeFailedError)
        assert "ZeroDivision" not in str(second)
        assert not first.duplicate
        assert not third.duplicate
        assert intake.store.frames == ["held", "1", "2"]


async def test_beyond_the_queue_limit_frames_are_refused_at_once():
    async with Intake(queue_limit=3).running() as intake:
        intake.store.gate.clear()
        asked = [asyncio.create_task(intake.submit(str(n))) for n in range(3)]
        while intake.committer.waiting < 3:
            await asyncio.sleep(0.001)
        assert not intake.committer.has_room
        with pytest.raises(IntakeBusyError, match="limit 3"):
            await intake.submit("one-too-many")
        intake.store.gate.set()
        await asyncio.gather(*asked)
        assert intake.committer.has_room
        assert intake.committer.waiting == 0
        await intake.submit("later")
        assert intake.store.frames == ["0", "1", "2", "later"]


async def test_a_sender_that_goes_away_changes_nothing():
    async with Intake().running() as intake:
        intake.store.gate.clear()
        leaving = asyncio.create_task(intake.submit("1"))
        await asyncio.to_thread(intake.store.entered.wait, 10)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        intake.store.gate.set()
        assert (await intake.submit("1")).duplicate
        assert intake.store.frames == ["1"]
        assert intake.committer.waiting == 0


async def test_stop_commits_and_answers_what_waits_and_refuses_what_comes():
    async with Intake().running() as intake:
        intake.store.gate.clear()
        asked = [asyncio.create_task(intake.submit("0"))]
        # Its commit is under way; the others, and the end, are found by the next look.
        await asyncio.to_thread(intake.store.entered.wait, 10)
        asked += [asyncio.create_task(intake.submit(str(n))) for n in range(1, 5)]
        while intake.committer.waiting < 5:
            await asyncio.sleep(0.001)
        stopping = asyncio.create_task(intake.committer.stop())
        await asyncio.sleep(0)
        assert not intake.committer.has_room
        with pytest.raises(IntakeBusyError):
            await intake.submit("late")
        assert not stopping.done()
        intake.store.gate.set()
        await stopping
        answers = await asyncio.gather(*asked)
        assert not any(answer.duplicate for answer in answers)
        assert intake.store.frames == ["0", "1", "2", "3", "4"]
        await intake.committer.stop()


async def test_before_it_is_started_it_takes_nothing():
    intake = Intake()
    with pytest.raises(IntakeBusyError):
        await intake.submit("1")
    await intake.committer.stop()
