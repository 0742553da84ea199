"""What a release needs of the world around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from sightline.colours.colour import Colour, Fact
from sightline.releases.audit import Entry
from sightline.releases.budget import Served
from sightline.releases.lease import Lease
from sightline.releases.manifests import Document
from sightline.releases.record import Record
from sightline.releases.release import Image
from sightline.releases.values import Values

Make: TypeAlias = Callable[[Entry | None], Entry]
"""The entry that follows another."""


class Store(Protocol):
    """What the cluster keeps. Every write is refused where somebody else was faster."""

    def record(self) -> Record:
        """As it is now. Raises UnreachableError."""

    def keep(self, record: Record) -> Record:
        """Write it; as it then is. Raises ConflictError."""

    def lease(self) -> Lease:
        """Who has the lock."""

    def hold(self, lease: Lease) -> Lease:
        """Write it; as it then is. Raises ConflictError."""


class Log(Protocol):
    """The audit log."""

    def append(self, make: Make) -> Entry:
        """One entry more, made to follow the last one."""

    def entries(self) -> tuple[Entry, ...]:
        """All of them, the oldest first."""


class Installed(Fact, frozen=True, kw_only=True):
    """What helm has installed."""

    values: Values
    """All of them, the chart's own included."""
    documents: tuple[Document, ...]


class Base(Fact, frozen=True, kw_only=True):
    """What helm would start from: the chart, and the environment's values files."""

    values: Values
    chart: str


class Chart(Protocol):
    """The chart, and what helm has installed of it."""

    def base(self) -> Base:
        """The chart of this checkout with the environment's values. Raises ToolError."""

    def installed(self) -> Installed | None:
        """What runs; None where nothing does. Raises ToolError."""

    def rendered(self, values: Values) -> tuple[Document, ...]:
        """The objects there would be with these values laid over. Raises ToolError."""

    def deploy(self, values: Values, *, install: bool) -> None:
        """Have it so; returns once hooks are through and objects are sent. Raises ToolError."""


class Registry(Protocol):
    """Where images are."""

    def resolved(self, image: Image) -> Image:
        """With the digest that its tag has. Raises ReleasesError where it is not there."""

    def verified(self, image: Image) -> None:
        """Its signature is good. Raises ReleasesError where it is not, or there is none."""


class Budget(Protocol):
    """How users fare."""

    def count(self, colour: Colour) -> Served:
        """Requests that a colour has answered so far. Raises ReleasesError where nobody knows."""


class Checkout(Fact, frozen=True, kw_only=True):
    """Where the release comes from."""

    commit: str | None
    dirty: bool


class Repository(Protocol):
    """The checkout, and the branch that is written back to."""

    def checkout(self) -> Checkout:
        """Its commit, and whether anything is uncommitted."""

    def read(self) -> Values | None:
        """The written file, as the branch has it; None where it has none. Raises RemoteError."""

    def write(self, change: Callable[[Values], Values], message: str) -> str:
        """Commit the file, changed, onto the branch; the commit. Raises RemoteError."""


class Notes(Protocol):
    """Where a release is drawn."""

    def annotate(self, sentence: str, *tags: str) -> None:
        """Raises ReleasesError."""
