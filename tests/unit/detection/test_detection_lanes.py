"""Lanes: overload is refused early, nobody waits for ever, and every place comes back."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from detection import lanes as lanes_module
from detection.errors import DeadlineError, ImageError, QueueFullError, StuckError
from detection.lanes import Lanes, Turn
from detection.scratch import Scratch

PATIENCE = 30.0


class Work:
    """Work that ends when the test says so."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.end = threading.Event()

    def __call__(self, scratch: Scratch) -> str:
        self.began.set()
        assert self.end.wait(PATIENCE)
        return threading.current_thread().name

    async def has_begun(self) -> None:
        assert await asyncio.to_thread(self.began.wait, PATIENCE)


class Bench:
    """Lanes with work in them."""

    def __init__(self, *, count: int = 1, queue_limit: int = 2, **options: Any) -> None:
        self.lanes = Lanes(count=count, queue_limit=queue_limit, **options)
        self.works: list[Work] = []

    def submit(
        self, *, seconds: float = PATIENCE, client: str = "", cost: float = 0.1
    ) -> tuple[Work, asyncio.Task[Turn[str]]]:
        work = Work()
        self.works.append(work)
        running = self.lanes.run(
            work, deadline=time.monotonic() + seconds, client=client, seconds=cost, model="some"
        )
        return work, asyncio.create_task(running)

    async def fill(self) -> list[tuple[Work, asyncio.Task[Turn[str]]]]:
        """Every lane at work, every place in the queue taken."""
        taken = [self.submit() for _ in range(self.lanes.count + self.lanes.queue_limit)]
        for work, _ in taken[: self.lanes.count]:
            await work.has_begun()
        await until(lambda: self.lanes.waiting == self.lanes.queue_limit)
        return taken


@contextlib.asynccontextmanager
async def bench(**options: Any) -> AsyncIterator[Bench]:
    made = Bench(**options)
    try:
        async with asyncio.timeout(PATIENCE):
            yield made
    finally:
        for work in made.works:
            work.end.set()
        await asyncio.to_thread(made.lanes.close)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def test_work_is_done_in_a_thread_and_its_wait_is_told():
    async with bench(count=1) as made:
        first, one = made.submit()
        await first.has_begun()
        second, two = made.submit()
        await until(lambda: made.lanes.waiting == 1)
        assert made.lanes.busy == 1
        assert not second.began.is_set()
        first.end.set()
        turn = await one
        assert turn.result != threading.current_thread().name
        assert turn.waited_seconds >= 0.0
        await second.has_begun()
        second.end.set()
        assert (await two).waited_seconds > 0.0
        assert (made.lanes.busy, made.lanes.waiting) == (0, 0)


async def test_lanes_work_at_the_same_time_each_with_its_own_scratch():
    meeting = threading.Barrier(3, timeout=PATIENCE)

    def meet(scratch: Scratch) -> Scratch:
        meeting.wait()
        return scratch

    async with bench(count=3) as made:

        async def together() -> list[int]:
            end = time.monotonic() + PATIENCE
            runs = [made.lanes.run(meet, deadline=end) for _ in range(3)]
            return [id(turn.result) for turn in await asyncio.gather(*runs)]

        first = await together()
        assert len(set(first)) == 3
        # Kept between images: that is what it is for.
        assert sorted(await together()) == sorted(first)


async def test_beyond_the_last_place_it_is_refused_at_once_with_a_time_to_come_back():
    async with bench(count=2, queue_limit=3) as made:
        taken = await made.fill()
        work, refused = made.submit()
        with pytest.raises(QueueFullError, match="3 places") as caught:
            await refused
        assert caught.value.retry_seconds > 0.0
        assert not work.began.is_set()
        # The others never noticed.
        for each, _ in taken:
            each.end.set()
        assert len(await asyncio.gather(*(task for _, task in taken))) == 5


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("queue_limit", [1, 4])
async def test_not_ready_is_who_was_full_for_a_while_until_half_of_it_is_free(queue_limit):
    clock = Clock()
    async with bench(count=1, queue_limit=queue_limit, clock=clock) as made:

        def submit() -> tuple[Work, asyncio.Task[Turn[str]]]:
            work = Work()
            made.works.append(work)
            run = made.lanes.run(work, deadline=clock.now + PATIENCE, seconds=0.01)
            return work, asyncio.create_task(run)

        taken = [submit() for _ in range(1 + queue_limit)]
        await until(lambda: made.lanes.waiting == queue_limit)
        await taken[0][0].has_begun()
        # A burst is what the queue is for.
        assert made.lanes.refusal() is None
        clock.now += lanes_module.PERSISTENTLY_SECONDS
        assert str(queue_limit) in (made.lanes.refusal() or "")
        while 2 * made.lanes.waiting > queue_limit:
            assert made.lanes.refusal() is not None
            work, task = taken.pop(0)
            work.end.set()
            await task
            await taken[0][0].has_begun()
        assert made.lanes.refusal() is None


async def test_not_ready_is_who_refuses_again_and_again_however_short_the_line():
    clock = Clock()
    async with bench(count=1, queue_limit=1, clock=clock) as made:
        for _ in range(4):
            taken = []
            for _ in range(2):
                work = Work()
                made.works.append(work)
                run = made.lanes.run(work, deadline=clock.now + PATIENCE)
                taken.append((work, asyncio.create_task(run)))
            await until(lambda: made.lanes.waiting == 1)
            await taken[0][0].has_begun()
            with pytest.raises(QueueFullError):
                made.lanes.check("", seconds=0.0, deadline=clock.now + PATIENCE)
            for work, task in taken:
                work.end.set()
                await task
            clock.now += 0.5
        # Nobody waits now, and a moment ago somebody was sent away.
        assert "1 places" in (made.lanes.refusal() or "")
        clock.now += lanes_module.PERSISTENTLY_SECONDS
        assert made.lanes.refusal() is None


async def test_a_flood_keeps_out_itself_and_nobody_else():
    async with bench(count=1, queue_limit=4) as made:
        first, one = made.submit(client="flood")
        await first.has_begun()
        flood = [made.submit(client="flood") for _ in range(4)]
        await until(lambda: made.lanes.waiting == 4)
        _, refused = made.submit(client="flood")
        with pytest.raises(QueueFullError, match="its share"):
            await refused
        # Somebody else finds a place: the flood's newest goes for it.
        guest, guests = made.submit(client="guest")
        with pytest.raises(QueueFullError):
            await flood[3][1]
        # And is looked at after one of the flood's, although three were there before.
        first.end.set()
        await one
        flood[0][0].end.set()
        await flood[0][1]
        await guest.has_begun()
        assert not any(work.began.is_set() for work, _ in flood[1:])
        guest.end.set()
        await guests


async def test_whose_turn_would_not_come_in_time_is_told_at_once():
    async with bench(count=1, queue_limit=8) as made:
        first, one = made.submit(cost=0.5)
        await first.has_begun()
        made.submit(cost=5.0)
        await until(lambda: made.lanes.waiting == 1)
        _, late = made.submit(seconds=4.0)
        with pytest.raises(DeadlineError) as caught:
            await asyncio.wait_for(late, 1.0)
        assert caught.value.retry_seconds == pytest.approx(5.0, abs=0.1)
        first.end.set()
        await one


async def test_a_lane_that_is_stuck_is_replaced_and_told_to_stop():
    clock = Clock()
    stuck: list[str] = []
    async with bench(
        count=1, queue_limit=2, clock=clock, stuck_seconds=10.0, stuck=stuck.append
    ) as made:
        scratches: list[Scratch] = []
        released = threading.Event()

        def hang(scratch: Scratch) -> None:
            scratches.append(scratch)
            assert released.wait(PATIENCE)

        lanes = made.lanes
        one = asyncio.create_task(lanes.run(hang, deadline=clock.now + 100.0, model="night"))
        await until(lambda: bool(scratches))
        two = asyncio.create_task(lanes.run(lambda _: "seen", deadline=clock.now + 100.0))
        await until(lambda: lanes.waiting == 1)
        clock.now += 9.0
        lanes.replace_stuck()
        assert (lanes.replaced, stuck) == (0, [])
        clock.now += 1.0
        lanes.replace_stuck()
        with pytest.raises(StuckError, match="10 seconds"):
            await one
        # Whoever waited is looked at by the lane that took its place.
        assert (await two).result == "seen"
        assert (lanes.replaced, stuck) == (1, ["night"])
        assert scratches[0].stopped
        with pytest.raises(StuckError):
            scratches[0].begin()
        released.set()


@pytest.mark.parametrize("leaving", ["goes away", "has waited long enough"])
async def test_work_of_many_steps_ends_when_its_client(leaving):
    steps: list[int] = []
    ended: list[DeadlineError] = []

    def many(scratch: Scratch) -> None:
        try:
            for step in range(round(PATIENCE / 0.01)):
                scratch.begin()
                steps.append(step)
                time.sleep(0.01)
        except DeadlineError as error:
            ended.append(error)
            raise

    async with bench(count=1) as made:
        soon = leaving == "has waited long enough"
        work = made.lanes.run(many, deadline=time.monotonic() + (0.1 if soon else PATIENCE))
        task = asyncio.create_task(work)
        await until(lambda: len(steps) > 2)
        if not soon:
            task.cancel()
        with pytest.raises(DeadlineError if soon else asyncio.CancelledError):
            await task
        await until(lambda: bool(ended))
        # The lane is free for the next, whose steps are not ended.
        turn = await made.lanes.run(
            lambda scratch: scratch.begin() and "seen", deadline=time.monotonic() + PATIENCE
        )
        assert turn.result == "seen"
        assert len(steps) < PATIENCE / 0.01


async def test_who_is_alone_knows_it():
    seen: list[bool] = []
    async with bench(count=2) as made:

        def look(scratch: Scratch) -> None:
            seen.append(scratch.alone())

        end = time.monotonic() + PATIENCE
        await made.lanes.run(look, deadline=end)
        other, task = made.submit()
        await other.has_begun()
        await made.lanes.run(look, deadline=end)
        other.end.set()
        await task
        await made.lanes.run(look, deadline=end)
    assert seen == [True, False, True]


async def test_whose_turn_does_not_come_in_time_is_told_and_never_begun():
    async with bench(count=1) as made:
        first, one = made.submit()
        await first.has_begun()
        late, two = made.submit(seconds=0.05)
        with pytest.raises(DeadlineError) as caught:
            await two
        assert caught.value.retry_seconds > 0.0
        assert (made.lanes.busy, made.lanes.waiting) == (1, 0)
        first.end.set()
        await one
        # Whatever comes after it finds the lane free.
        third, three = made.submit()
        third.end.set()
        await three
        assert not late.began.is_set()


async def test_a_deadline_that_has_passed_takes_no_place():
    async with bench(count=1) as made:
        first, one = made.submit()
        await first.has_begun()
        _, late = made.submit(seconds=-1.0)
        with pytest.raises(DeadlineError):
            await late
        assert made.lanes.waiting == 0
        first.end.set()
        await one


async def test_work_that_is_given_up_while_it_runs_holds_its_lane_until_it_ends():
    async with bench(count=1, queue_limit=0) as made:
        first, one = made.submit(seconds=1.0)
        await first.has_begun()
        with pytest.raises(DeadlineError):
            await one
        # The thread cannot be stopped; to count it as free would let the queue grow unseen.
        assert made.lanes.busy == 1
        _, refused = made.submit()
        with pytest.raises(QueueFullError):
            await refused
        first.end.set()
        await until(lambda: made.lanes.busy == 0)


async def test_a_request_that_goes_away_gives_its_place_back_at_once():
    async with bench(count=1, queue_limit=1) as made:
        (first, one), (second, two) = await made.fill()
        two.cancel()
        with pytest.raises(asyncio.CancelledError):
            await two
        assert made.lanes.waiting == 0
        third, three = made.submit()
        first.end.set()
        await one
        third.end.set()
        await three
        assert not second.began.is_set()


async def test_a_request_that_goes_away_while_it_is_looked_at_frees_the_lane_at_the_end():
    async with bench(count=1, queue_limit=0) as made:
        first, one = made.submit()
        await first.has_begun()
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        assert made.lanes.busy == 1
        first.end.set()
        await until(lambda: made.lanes.busy == 0)


async def test_an_image_that_fails_costs_only_itself():
    def fail(scratch: Scratch) -> None:
        raise ImageError("is a picture of nothing")

    async with bench(count=1, queue_limit=0) as made:
        for _ in range(3):
            with pytest.raises(ImageError, match="picture of nothing"):
                await made.lanes.run(fail, deadline=time.monotonic() + PATIENCE)
        assert (made.lanes.busy, made.lanes.waiting) == (0, 0)


async def test_the_longer_the_queue_the_later_one_should_come_back():
    async with bench(count=1, queue_limit=8) as made:
        times = [made.lanes.retry_seconds()]
        for _ in range(4):
            made.submit()
            await asyncio.sleep(0)
            times.append(made.lanes.retry_seconds())
        assert times == sorted(times)
        assert times[0] < times[-1]


async def test_closing_lets_what_has_begun_end():
    async with bench(count=1) as made:
        first, one = made.submit()
        await first.has_begun()
        closing = asyncio.create_task(asyncio.to_thread(made.lanes.close))
        await asyncio.sleep(0)
        first.end.set()
        await closing
        assert (await one).result
