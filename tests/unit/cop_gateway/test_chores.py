"""What is said of a task that should run for ever and does not."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from cop_gateway import chores


async def fails() -> None:
    raise RuntimeError("a defect")


async def test_why_it_ended_is_logged_and_readiness_knows() -> None:
    with structlog.testing.capture_logs() as lines:
        task = asyncio.create_task(fails(), name="courier-tak")
        task.add_done_callback(chores.told)
        check = chores.alive(task)
        assert check() is None
        with pytest.raises(RuntimeError):
            await task
        await asyncio.sleep(0)
    assert check() is not None
    (line,) = lines
    assert (line["event"], line["task"]) == ("task_ended", "courier-tak")
    assert "a defect" in repr(line["exc_info"])


async def test_one_that_is_cancelled_is_no_news() -> None:
    with structlog.testing.capture_logs() as lines:
        task = asyncio.create_task(asyncio.sleep(60))
        task.add_done_callback(chores.told)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
    assert lines == []
