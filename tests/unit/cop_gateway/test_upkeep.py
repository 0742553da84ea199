"""Forgetting in time, and refusing before there is no room: upkeep over a store in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cop_gateway.outbox.record import Space
from cop_gateway.upkeep import Limits, Upkeep

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
MB = 1_000_000


class FakeStore:
    """Events of a megabyte each, by their age in hours; the newest `undelivered` must stay."""

    def __init__(self, ages: list[int], *, undelivered: int = 0, free: int | None = None) -> None:
        self.ages = sorted(ages, reverse=True)
        self.undelivered = undelivered
        self.free = free
        self.portions: list[int] = []

    def space(self) -> Space:
        return Space(used=len(self.ages) * MB, free=self.free)

    def forget(self, before: datetime | None, *, sinks: Sequence[str], portion: int) -> int:
        assert list(sinks) == ["tak"]
        may_go = len(self.ages) - self.undelivered
        old = [
            age for age in self.ages[: max(0, may_go)]
            if before is None or NOW - timedelta(hours=age) < before
        ][:1]  # fmt: skip
        self.ages = self.ages[len(old) :]
        self.portions.append(portion)
        return len(old)


def upkeep(
    store: FakeStore, *, hours: float | None = None, most: int | None = None, least_free: int = 0
) -> Upkeep:
    return Upkeep(
        store,
        limits=Limits(
            max_age=None if hours is None else timedelta(hours=hours),
            max_bytes=None if most is None else most * MB,
            min_free_bytes=least_free * MB,
        ),
        sinks=["tak"],
        clock=lambda: NOW,
    )


async def test_what_is_too_old_goes_in_portions_and_the_rest_stays() -> None:
    store = FakeStore([1, 2, 3, 10, 20, 30])
    keeper = upkeep(store, hours=5)
    await keeper.look()
    await keeper.forget()
    assert store.ages == [3, 2, 1]
    assert len(store.portions) >= 3


async def test_what_is_too_much_goes_the_oldest_first_and_leaves_some_room() -> None:
    store = FakeStore(list(range(20)))
    keeper = upkeep(store, most=10)
    await keeper.look()
    assert keeper.refusal() is not None
    await keeper.forget()
    assert store.ages == list(range(8, -1, -1))
    assert keeper.refusal() is None


async def test_what_is_not_delivered_stays_and_new_frames_are_refused_with_the_limit() -> None:
    store = FakeStore(list(range(20)), undelivered=20)
    keeper = upkeep(store, most=10, hours=1)
    await keeper.look()
    await keeper.forget()
    assert len(store.ages) == 20
    refusal = keeper.refusal()
    assert refusal is not None
    assert "limit 10 MB" in refusal
    # Once it is delivered, there is room again, and nobody had to do anything.
    store.undelivered = 0
    await keeper.forget()
    assert keeper.refusal() is None


async def test_a_disk_that_fills_up_is_noticed_before_it_is_full() -> None:
    store = FakeStore([1], free=50 * MB)
    keeper = upkeep(store, least_free=64)
    assert keeper.refusal() is None
    await keeper.look()
    refusal = keeper.refusal()
    assert refusal is not None
    assert "50 MB left, 64 MB are kept free" in refusal
    store.free = 65 * MB
    await keeper.look()
    assert keeper.refusal() is None


async def test_without_limits_nothing_goes() -> None:
    store = FakeStore([1, 10_000])
    keeper = upkeep(store)
    await keeper.look()
    await keeper.forget()
    assert (len(store.ages), keeper.refusal()) == (2, None)
