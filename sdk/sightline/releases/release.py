"""A release: what goes into which colour, by whom, how far it is, and how it went."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from sightline.colours.colour import Colour, Fact
from sightline.releases.phase import FINAL, MOVED, Happening, Phase, following
from sightline.steps import StepTime


class Image(Fact, frozen=True, kw_only=True):
    """What a component is to run."""

    repository: str
    tag: str
    digest: str | None = None
    """sha256:…; what was verified, and what nodes then pull whatever the tag says."""

    @property
    def reference(self) -> str:
        """As a registry's client names it, without the registry."""
        return (
            f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"
        )


class Target(Fact, frozen=True, kw_only=True):
    """What is to be released."""

    version: str
    images: dict[str, Image]
    """By section of the chart's values: `detection`, `gateway`, `models`."""
    overlay: dict[str, Any] = msgspec.field(default_factory=dict)
    """More values for the colour alone, such as {"gateway": {"settings": {…}}}."""
    commit: str | None = None
    """Of the checkout that it is released from."""
    dirty: bool = False
    """That checkout has changes that are not committed."""


class Approval(Fact, frozen=True, kw_only=True):
    """Somebody agreed to a plan."""

    plan: str
    who: str
    at: datetime


class Release(Fact, frozen=True, kw_only=True):
    """One of them."""

    id: str
    plan: str
    environment: str
    version: str
    colour: Colour
    """What it goes into."""
    replaced: tuple[str, ...] = ()
    """The versions that this colour ran before."""
    phase: Phase
    who: str
    kubernetes_user: str | None = None
    reason: str | None = None
    commit: str | None = None
    chart: str = ""
    images: dict[str, Image] = msgspec.field(default_factory=dict)
    values: dict[str, Any] = msgspec.field(default_factory=dict)
    """The values' part `colours`, as helm gets it."""
    before: dict[str, Any] = msgspec.field(default_factory=dict)
    """The same, as helm had it before: what `abort` puts back."""
    approvals: tuple[Approval, ...] = ()
    began: datetime
    ended: datetime | None = None
    switch: str | None = None
    """The receipt's id."""
    steps: tuple[StepTime, ...] = ()
    problem: str | None = None
    """What the last try ended with."""

    @property
    def open(self) -> bool:
        """There is something left to do, or to undo."""
        return self.phase not in FINAL

    @property
    def moved(self) -> bool:
        """Users are led to it."""
        return self.phase in MOVED

    def after(self, happening: Happening, **also: Any) -> Release:
        """One phase on."""
        return msgspec.structs.replace(
            self, phase=following(self.phase, happening), problem=None, **also
        )
