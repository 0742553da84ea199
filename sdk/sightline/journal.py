"""How the steps of a plan are taken: one after another, told to whoever watches, and timed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import ClassVar, Protocol

from msgspec.structs import StructConfig

from sightline.steps import StepTime


class Watch(Protocol):
    """Whoever is told how far it has come."""

    def begin(self, sentence: str) -> None:
        """A step is begun."""

    def note(self, sentence: str) -> None:
        """Something worth knowing happened meanwhile."""

    def end(self, seconds: float, problem: str | None) -> None:
        """The step is over."""


class Silence:
    """Nobody is told."""

    def begin(self, sentence: str) -> None:
        """A step is begun."""

    def note(self, sentence: str) -> None:
        """Something happened meanwhile."""

    def end(self, seconds: float, problem: str | None) -> None:
        """The step is over."""


class Sentenced(Protocol):
    """A step, of whatever plan: a struct with a tag, that says itself in a sentence."""

    __struct_config__: ClassVar[StructConfig]

    @property
    def sentence(self) -> str:
        """What is done."""


class Journal:
    """How the steps of a plan were taken, one after another."""

    def __init__(
        self, watch: Watch | None = None, *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self.watch: Watch = watch or Silence()
        self.times: list[StepTime] = []
        self._seconds = seconds
        self._began = seconds()

    @contextlib.contextmanager
    def step(self, step: Sentenced) -> Iterator[None]:
        """One of them: whatever is raised meanwhile is its problem, and is raised on."""
        at, problem = self._seconds(), None
        self.watch.begin(step.sentence)
        try:
            yield
        except BaseException as error:
            problem = str(error) or type(error).__name__
            raise
        finally:
            seconds = self._seconds() - at
            self.times.append(
                StepTime(
                    step=str(step.__struct_config__.tag),
                    sentence=step.sentence,
                    at=round(at - self._began, 3),
                    seconds=round(seconds, 3),
                    problem=problem,
                )
            )
            self.watch.end(seconds, problem)
