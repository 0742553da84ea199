"""What can go wrong with a switch. Each says in one sentence what is so and what to do.

ColoursError
├── UnreachableError    the API server does not answer, or lets nobody in
├── AbsentError         what was asked for does not exist
├── NothingThereError   there is nothing of Sightline in the namespace
├── ConflictError       somebody else changed it first
│   └── OvertakenError  somebody else's switch took the place of ours
└── RefusedError        it would not be safe; the findings say why
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.colours.finding import Finding


class ColoursError(Exception):
    """The base of all of them."""


class UnreachableError(ColoursError):
    """The API server does not answer, or does not let us in."""


class AbsentError(ColoursError):
    """What was asked for does not exist."""


class NothingThereError(ColoursError):
    """There is nothing of Sightline where it was looked for."""


class ConflictError(ColoursError):
    """Somebody else changed it between our look and our change."""


class OvertakenError(ConflictError):
    """Somebody else's switch took the place of ours, while ours was being made."""


class RefusedError(ColoursError):
    """It would not be safe."""

    def __init__(self, sentence: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(sentence)
        self.findings = tuple(findings)
