"""One thing that was looked at before a switch, and what it was like."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from sightline.colours.colour import Fact

Outcome: TypeAlias = Literal["ok", "failed", "warning"]


class Finding(Fact, frozen=True, kw_only=True):
    """`sentence` names the object, the figure and the limit."""

    check: str
    outcome: Outcome
    sentence: str


def ok(check: str, sentence: str) -> Finding:
    """As it should be."""
    return Finding(check=check, outcome="ok", sentence=sentence)


def failed(check: str, sentence: str) -> Finding:
    """No switch is made like this."""
    return Finding(check=check, outcome="failed", sentence=sentence)


def warning(check: str, sentence: str) -> Finding:
    """Worth knowing; it stops nothing."""
    return Finding(check=check, outcome="warning", sentence=sentence)


def failures(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that stop a switch."""
    return tuple(each for each in findings if each.outcome == "failed")
