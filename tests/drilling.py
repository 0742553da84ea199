"""Failure drills: break one thing, wait for its alert, mend it, wait for the all-clear.

Drills whose faults do not hide one another run side by side: most of a drill is waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from dashboard_queries import committed, filled, panels
from dashboard_queries import defaults as variables
from stack import Stack

LOOK_SECONDS = 1.0

Fault = Callable[[Stack], AbstractContextManager[None]]
"""Breaks something on entering, and mends it on leaving."""


@dataclass(frozen=True, kw_only=True)
class Drill:
    """What is broken, who must say so, and what must be seen of it."""

    name: str
    fault: Fault
    alert: str
    fires_within: float
    """Seconds from the fault to the alert in Alertmanager: its `for`, a scrape, an evaluation."""
    resolves_within: float
    """Seconds from the mending until Alertmanager no longer holds it."""
    panel: tuple[str, str]
    """The board's uid and the panel's title that show it."""
    shows: Callable[[float], bool]


@dataclass(kw_only=True)
class Outcome:
    """What happened, in seconds."""

    fired: float | None = None
    resolved: float | None = None
    shown: float | None = None
    """The panel's value while the alert fired."""
    receivers: set[str] = field(default_factory=set)
    paged: set[str] = field(default_factory=set)
    """Alerts of severity page that Alertmanager did not keep quiet, from the fault to its end."""
    error: str | None = None


def run(stack: Stack, drills: Sequence[Drill]) -> dict[str, Outcome]:
    """All of them at once; by their names."""
    outcomes = {drill.name: Outcome() for drill in drills}
    threads = [
        threading.Thread(target=_one, args=(stack, drill, outcomes[drill.name]), name=drill.name)
        for drill in drills
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _one(stack: Stack, drill: Drill, outcome: Outcome) -> None:
    try:
        began = time.monotonic()
        with drill.fault(stack):
            for _ in _until(began, drill.fires_within):
                firing = stack.firing()
                outcome.paged |= paging(firing)
                if (alert := firing.get(drill.alert)) is not None:
                    outcome.fired = time.monotonic() - began
                    outcome.receivers = {each["name"] for each in alert["receivers"]}
                    outcome.shown = shown(stack, *drill.panel)
                    break
        mended = time.monotonic()
        for _ in _until(mended, drill.resolves_within):
            firing = stack.firing()
            outcome.paged |= paging(firing)
            if drill.alert not in firing:
                outcome.resolved = time.monotonic() - mended
                break
    except Exception as error:  # a thread's own would be lost
        outcome.error = repr(error)


def paging(alerts: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Those that wake somebody."""
    return {
        name
        for name, alert in alerts.items()
        if alert["labels"].get("severity") == "page" and alert["status"]["state"] == "active"
    }


def _until(began: float, seconds: float) -> Iterator[None]:
    while time.monotonic() - began < seconds:
        yield
        time.sleep(LOOK_SECONDS)


def shown(stack: Stack, board: str, title: str) -> float | None:
    """What the panel's first query gives now."""
    (document,) = [each for each in committed() if each["uid"] == board]
    panel = next(each for each in panels(document) if each["title"] == title)
    chosen = {**variables(document), "__rate_interval": "20s", "__range": "2m", "__interval": "5s"}
    return stack.value(filled(panel["targets"][0]["expr"], chosen))
