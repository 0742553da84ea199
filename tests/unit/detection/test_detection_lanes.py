"""Lanes: overload is refused early, nobody waits for ever, and every place comes back."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from detection.errors import DeadlineError, ImageError, QueueFullError
from detection.lanes import Lanes
from detection.pipeline import Scratch

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

    def __init__(self, *, count: int = 1, queue_limit: int = 2) -> None:
        self.lanes = Lanes(count=count, queue_limit=queue_limit)
        self.works: list[Work] = []

    def submit(self, *, seconds: float = PATIENCE) -> tuple[Work, asyncio.Task[tuple[str, float]]]:
        work = Work()
        self.works.append(work)
        deadline = asyncio.get_running_loop().time() + seconds
        return work, asyncio.create_task(self.lanes.run(work, deadline=deadline))

    async def fill(self) -> list[tuple[Work, asyncio.Task[tuple[str, float]]]]:
        """Every lane at work, every place in the queue taken."""
        taken = [self.submit() for _ in range(self.lanes.count + self.lanes.queue_limit)]
        for work, _ in taken[: self.lanes.count]:
            await work.has_begun()
        await until(lambda: self.lanes.waiting == self.lanes.queue_limit)
        return taken


@contextlib.asynccontextmanager
async def bench(**options: int) -> AsyncIterator[Bench]:
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
        name, waited = await one
        assert name != threading.current_thread().name
        assert waited >= 0.0
        await second.has_begun()
        second.end.set()
        _, longer = await two
        assert longer > 0.0
        assert (made.lanes.busy, made.lanes.waiting) == (0, 0)


async def test_lanes_work_at_the_same_time_each_with_its_own_scratch():
    meeting = threading.Barrier(3, timeout=PATIENCE)

    def meet(scratch: Scratch) -> Scratch:
        meeting.wait()
        return scratch

    async with bench(count=3) as made:
        loop = asyncio.get_running_loop()

        async def together() -> list[int]:
            runs = [made.lanes.run(meet, deadline=loop.time() + PATIENCE) for _ in range(3)]
            return [id(scratch) for scratch, _ in await asyncio.gather(*runs)]

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


@pytest.mark.parametrize("queue_limit", [0, 1, 3])
async def test_readiness_says_exactly_whether_another_would_be_taken(queue_limit):
    async with bench(count=1, queue_limit=queue_limit) as made:
        assert made.lanes.refusal() is None
        taken = await made.fill()
        assert str(queue_limit) in (made.lanes.refusal() or "")
        _, refused = made.submit()
        with pytest.raises(QueueFullError):
            await refused
        for work, task in taken:
            work.end.set()
            await task
        assert made.lanes.refusal() is None
        work, task = made.submit()
        work.end.set()
        await task


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
        assert made.lanes.refusal() is not None
        first.end.set()
        await until(lambda: made.lanes.busy == 0)
        assert made.lanes.refusal() is None


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
        loop = asyncio.get_running_loop()
        for _ in range(3):
            with pytest.raises(ImageError, match="picture of nothing"):
                await made.lanes.run(fail, deadline=loop.time() + PATIENCE)
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
        assert (await one)[0]
