"""The receipt of a switch: who moved what, when, how it went, and what users noticed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from sightline.colours.colour import Colour, Component, Fact
from sightline.colours.finding import Finding
from sightline.steps import StepTime

Kind: TypeAlias = Literal["switch", "rollback"]
End: TypeAlias = Literal["done", "unfinished", "overtaken", "conflict", "failed"]
"""Done: all of it. Unfinished: traffic has moved, and `problems` says what is left to do.
Overtaken: traffic had moved, and then another switch was made. Conflict, failed: traffic is where
it was."""


class Move(Fact, frozen=True, kw_only=True):
    """A Service whose selector was changed."""

    service: str
    from_: Colour | None
    to: Colour
    resource_version_before: str
    resource_version_after: str


class SinkHandover(Fact, frozen=True, kw_only=True):
    """One database for both colours: how long after the drain the new colour held all sinks."""

    sinks: tuple[str, ...]
    seconds: float | None
    """None: not all within the limit."""
    limit: float


class ProbeCount(Fact, frozen=True, kw_only=True):
    """What a prober met while the switch was made."""

    url: str
    requests: int
    failures: int
    first_failure: str | None = None
    new_connections: int
    kept_connections: int
    first_new_colour_seconds: float | None = None
    """After the first selector was changed; None: the new colour was never met."""


class Receipt(Fact, frozen=True, kw_only=True):
    """All of it."""

    id: str
    kind: Kind
    outcome: End
    from_: Colour
    to: Colour
    components: tuple[Component, ...]
    who: str
    kubernetes_user: str | None = None
    reason: str | None = None
    began: datetime
    ended: datetime
    seconds: float
    moved_after: float | None = None
    """Seconds from the beginning until the last `-active` was changed; None: none was."""
    versions: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """By Deployment of the new colour: what its pods run."""
    findings: tuple[Finding, ...] = ()
    steps: tuple[StepTime, ...] = ()
    moves: tuple[Move, ...] = ()
    sinks: SinkHandover | None = None
    undelivered: int | None = None
    """A database for each colour: what the old one has yet to deliver; it must stay until then."""
    probe: ProbeCount | None = None
    problems: tuple[str, ...] = ()
