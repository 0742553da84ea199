"""What a pod says of itself: the answer of its drain call (`GET /v1/drain`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeAlias

import msgspec

from sightline.colours.colour import Fact

PAUSED = "paused"
"""A sink's state."""


class Schema(Fact, frozen=True, kw_only=True):
    """Of the gateway's store: `oldest_code` is the oldest schema whose code goes on working."""

    code: int
    database: int
    oldest_code: int


class SinkState(Fact, frozen=True, kw_only=True):
    """A sink, seen from one gateway."""

    name: str
    state: str = ""
    held: bool = False
    """By this process."""
    lag_events: int | None = None


class Served(Fact, frozen=True, kw_only=True):
    """A model that is loaded."""

    name: str
    sha256: str = ""


class Details(Fact, frozen=True, kw_only=True):
    """Of a gateway: the first four. Of a detection service: the models."""

    shared_database: bool | None = None
    schema: Schema | None = None
    undelivered: int = 0
    sinks: tuple[SinkState, ...] = ()
    models: tuple[Served, ...] | None = None


class Report(Fact, frozen=True, kw_only=True):
    """How a pod is."""

    draining: bool
    since: datetime | None = None
    service: str = ""
    version: str = "unknown"
    colour: str = ""
    open_requests: int = 0
    connections: int = 0
    details: Details = Details()


class Silent(Fact, frozen=True, kw_only=True):
    """A pod that did not answer."""

    reason: str


Reports: TypeAlias = Mapping[str, Report | Silent]
"""By pod."""


_REPORT = msgspec.json.Decoder(Report)
"""Made once, before there are threads: see `sightline.messages.codec`."""


def read(status: int, body: bytes) -> Report | Silent:
    """An answer."""
    if status in (401, 403):
        return Silent(reason=f"it refuses the key ({status}): see Secret sightline-deployer")
    if status == 404:
        return Silent(reason="it has no drain call (404): its version is too old")
    if status != 200:
        return Silent(reason=f"it answers {status}")
    try:
        return _REPORT.decode(body)
    except msgspec.DecodeError as error:
        return Silent(reason=f"its answer cannot be read: {error}")


def undelivered(reports: Reports, pods: Iterable[str]) -> int:
    """Events that are committed and not yet delivered: in a store of their own, so of the most."""
    return max(
        (
            found.details.undelivered
            for pod in pods
            if isinstance(found := reports.get(pod), Report)
        ),
        default=0,
    )


def holding(reports: Reports) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The sinks that somebody should hold, and those that one of these does; None: nobody tells.

    One that an operator has paused is held by nobody.
    """
    answers = [each for each in reports.values() if isinstance(each, Report)]
    sinks = [sink for each in answers for sink in each.details.sinks]
    wanted = frozenset(each.name for each in sinks if each.state != PAUSED) if answers else None
    return wanted, frozenset(each.name for each in sinks if each.held)
