"""What every service begins with: its settings, and then its log, which the settings describe."""

from __future__ import annotations

import os
from typing import Literal, Protocol, TypeVar

from serving.command import Arguments
from serving.configuration import load
from telemetry import logs


class Logged(Protocol):
    """Settings that say what the log is like."""

    @property
    def version(self) -> str:
        """Marks each line."""

    @property
    def colour(self) -> str:
        """Marks each line."""

    @property
    def log_level(self) -> Literal["debug", "info", "warning", "error"]:
        """From which on lines are written."""

    @property
    def log_sample_rate(self) -> float:
        """Lines of successful calls to one route that are written each second."""

    @property
    def log_sample_every(self) -> int:
        """Of what comes on top, one in so many."""


S = TypeVar("S", bound=Logged)


def launched(kind: type[S], *, service: str, prefix: str, arguments: Arguments) -> S:
    """The settings; from now on there is a log. Raises ConfigurationError."""
    settings: S = load(  # type: ignore[type-var] # a struct, too: both at once cannot be said
        kind,
        prefix=prefix,
        environ=os.environ,
        file=arguments.config,
        overrides=arguments.overrides,
    )
    logs.configure(
        service=service,
        version=settings.version,
        colour=settings.colour,
        level=settings.log_level,
        sample_rate=settings.log_sample_rate,
        sample_every=settings.log_sample_every,
    )
    logs.catch_crashes()
    return settings
