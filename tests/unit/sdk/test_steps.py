"""Steps: planned as values, taken one after another, accounted for."""

from __future__ import annotations

import pytest

from sightline.journal import Journal
from sightline.steps import Step, StepTime


class Push(Step, frozen=True, kw_only=True, tag="push"):
    image: str

    @property
    def sentence(self) -> str:
        return f"push {self.image}"


class Watching:
    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []

    def begin(self, sentence: str) -> None:
        self.seen.append(("begin", sentence))

    def note(self, sentence: str) -> None:
        self.seen.append(("note", sentence))

    def end(self, seconds: float, problem: str | None) -> None:
        self.seen.append(("end", seconds, problem))


def test_each_step_is_told_and_timed_and_a_problem_is_kept_and_raised_on() -> None:
    clock = iter([10.0, 11.0, 13.5, 14.0, 14.25])
    watch = Watching()
    journal = Journal(watch, seconds=lambda: next(clock))
    with journal.step(Push(image="a")):
        journal.watch.note("half of it")
    with pytest.raises(OSError, match="gone"), journal.step(Push(image="b")):
        raise OSError("gone")
    assert journal.times == [
        StepTime(step="push", sentence="push a", at=1.0, seconds=2.5),
        StepTime(step="push", sentence="push b", at=4.0, seconds=0.25, problem="gone"),
    ]
    assert watch.seen == [
        ("begin", "push a"), ("note", "half of it"), ("end", 2.5, None),
        ("begin", "push b"), ("end", 0.25, "gone"),
    ]  # fmt: skip
