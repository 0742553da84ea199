"""What can go wrong with a release. Each says in one sentence what is so and what to do.

ReleasesError
├── RefusedError    it would not be safe, or is not allowed; the findings say why
├── LockedError     somebody else releases at this moment
├── LostError       somebody else took the release over from us
├── StoppedError    a step failed: the sentence says which, and how to go on or back
├── BurningError    users met errors, and were led back
├── RemoteError     Git, Prometheus or Grafana cannot be reached
└── ToolError       helm, git or another program is missing or failed
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.colours.finding import Finding


class ReleasesError(Exception):
    """The base of all of them."""


class RefusedError(ReleasesError):
    """It would not be safe, or is not allowed."""

    def __init__(self, sentence: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(sentence)
        self.findings = tuple(findings)


class LockedError(ReleasesError):
    """Somebody else releases at this moment."""


class LostError(ReleasesError):
    """Somebody else took the release over from us."""


class StoppedError(ReleasesError):
    """A step failed."""


class BurningError(ReleasesError):
    """Users met errors, and were led back."""


class ToolError(ReleasesError):
    """A program is missing, or failed."""


class RemoteError(ReleasesError):
    """Git, Prometheus or Grafana cannot be reached."""
