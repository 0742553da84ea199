"""What a switch needs of the world around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Literal, Protocol, TypeAlias

from sightline.colours.colour import Colour, Component
from sightline.colours.observation import Observation, Pointer
from sightline.colours.receipt import ProbeCount
from sightline.colours.record import Record
from sightline.colours.report import Reports

Verb: TypeAlias = Literal["look", "drain", "undrain"]
Tell: TypeAlias = Callable[[str], None]


class Cluster(Protocol):
    """Where colours run. Every change is refused where what it changes is no longer as seen."""

    def observe(self) -> Observation:
        """All that is to be known of it, now. Raises UnreachableError."""

    def point(self, pointer: Pointer, to: Colour) -> Pointer:
        """Lead a Service elsewhere; as it then is. Raises ConflictError."""

    def scale(
        self, component: Component, colour: Colour, *, floor: int | None, pods: int | None
    ) -> None:
        """Set an autoscaler's minimum, or a Deployment's pods."""

    def keep(self, record: Record) -> Record:
        """Write the record; as it then is. Raises ConflictError."""


class Pods(Protocol):
    """The services in their pods."""

    def ask(self, verb: Verb, component: Component, names: Iterable[str]) -> Reports:
        """Have each of them begin or end its drain, or just say how it is; all at once."""


class Clock(Protocol):
    """Time; another one in tests."""

    def now(self) -> datetime:
        """The time of day, aware."""

    def seconds(self) -> float:
        """Seconds that only go forward."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """This machine's."""

    def now(self) -> datetime:
        """The time of day, aware."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Prober(Protocol):
    """Meets the services as users do, meanwhile."""

    def moved(self) -> None:
        """The first selector was changed, just now."""

    def finish(self) -> ProbeCount:
        """It is over: what was met."""
