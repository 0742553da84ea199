"""Steps: what a command is about to do, as values.

A planner gives steps; a command shows them (`--dry-run`), or takes each within `Journal.step` of
`sightline.journal`. Tests see the same values.
"""

from __future__ import annotations

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="step"):
    """The base of every step; subclasses have a `tag` and say themselves in a sentence."""

    @property
    def sentence(self) -> str:
        """What is done, as an order: "push sightline-cli to registry:5000"."""
        raise NotImplementedError


class StepTime(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was taken: when, in seconds since the beginning, and how long it took."""

    step: str
    sentence: str
    at: float
    seconds: float
    problem: str | None = None
