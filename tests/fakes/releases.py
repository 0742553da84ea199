"""The world of a release, without one: the cluster's record, helm, a registry, Git, Grafana.

Every change counts as an act of the fake cluster, so that the maker can die after any of them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from fakes.colours import FakeCluster
from sightline.colours.colour import COLOURS, Colour
from sightline.colours.errors import ConflictError, NothingThereError, UnreachableError
from sightline.colours.finding import Finding, ok
from sightline.colours.namespace import Namespace
from sightline.environments import Environment, Git, Guards, Watching
from sightline.releases.audit import Entry
from sightline.releases.budget import Served
from sightline.releases.errors import ReleasesError, RemoteError, ToolError
from sightline.releases.lease import Lease
from sightline.releases.making import Releases
from sightline.releases.manifests import Document
from sightline.releases.ports import Base, Checkout, Installed
from sightline.releases.record import Record
from sightline.releases.release import Image, Target
from sightline.releases.values import Values, merged, own
from sightline.releases.world import World

WORKLOADS = {"detection": "detection", "gateway": "cop-gateway"}
DIGEST = "sha256:" + "d" * 64
ENVIRONMENT = Environment(
    name="site",
    guards=Guards(signed_images=True),
    git=Git(file="environments/colours/site.yaml"),
    watch=Watching(minutes=1),
)


class FakeStore:
    """The record, the lease and the audit log, compared and swapped as the API server does."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.kept = Record()
        self.held = Lease()
        self.log: list[Entry] = []
        self.version = 0
        self.gone = False

    def _next(self) -> str:
        self.version += 1
        return str(self.version)

    def record(self) -> Record:
        if self.gone:
            raise UnreachableError("the API server at fake does not answer")
        return self.kept

    def keep(self, record: Record) -> Record:
        if record.resource_version != self.kept.resource_version:
            raise ConflictError("the record was changed meanwhile")
        self.kept = msgspec.structs.replace(record, resource_version=self._next())
        self.cluster._act("keep record")
        return self.kept

    def lease(self) -> Lease:
        return self.held

    def hold(self, lease: Lease) -> Lease:
        if lease.resource_version != self.held.resource_version:
            raise ConflictError("the lease was changed meanwhile")
        self.held = msgspec.structs.replace(lease, resource_version=self._next())
        self.cluster._act("hold")
        return self.held

    def append(self, make: Callable[[Entry | None], Entry]) -> Entry:
        self.log.append(make(self.log[-1] if self.log else None))
        self.cluster._act("append")
        return self.log[-1]

    def entries(self) -> tuple[Entry, ...]:
        return tuple(self.log)


class FakeChart:
    """A Deployment for each component and colour, whose template is the whole section."""

    def __init__(self, cluster: FakeCluster, *, installed: bool = True) -> None:
        self.cluster = cluster
        self.files: Values = {
            "activeColour": "blue",
            "detection": {"image": {"repository": "sightline-detection", "tag": ""}, "threads": 2},
            "gateway": {"image": {"repository": "sightline-cop-gateway", "tag": ""},
                        "settings": {"retention_days": 30}},
            "colours": {"blue": {}, "green": {}},
        }  # fmt: skip
        self.values: Values | None = None
        self.deployed: list[Values] = []
        self.broken: str | None = None
        if installed:
            self.values = merged(copy.deepcopy(self.files), tags("1.0"))

    def base(self) -> Base:
        return Base(values=self.files, chart="sightline-0.1.0")

    def installed(self) -> Installed | None:
        if self.values is None:
            return None
        return Installed(values=self.values, documents=documents(self.values))

    def rendered(self, values: Values) -> tuple[Document, ...]:
        return documents(merged(self.files, values))

    def deploy(self, values: Values, *, install: bool) -> None:
        self.cluster._act(f"helm {'install' if install else 'upgrade'}")
        if self.broken is not None:
            raise ToolError(self.broken)
        self.values = copy.deepcopy(merged(self.files, values))
        self.deployed.append(values)
        for colour in COLOURS:
            self.cluster.versions[colour] = own(self.values, colour)["gateway"]["image"]["tag"]


def tags(tag: str) -> Values:
    section = {"image": {"tag": tag, "digest": ""}}
    return {"colours": {each: {"detection": section, "gateway": section} for each in COLOURS}}


def documents(values: Mapping[str, Any]) -> tuple[Document, ...]:
    return tuple(
        {
            "kind": "Deployment",
            "metadata": {"name": f"{name}-{colour}", "labels": {"colour": colour}},
            "spec": {"template": {"spec": own(values, colour)[section]}},
        }
        for section, name in WORKLOADS.items()
        for colour in COLOURS
    )


class FakeRegistry:
    def __init__(self) -> None:
        self.there = {"1.0", "2.0", "3.0"}
        self.signed = True
        self.digest = DIGEST

    def resolved(self, image: Image) -> Image:
        if image.tag not in self.there:
            raise ReleasesError(f"{image.repository}:{image.tag} is not there")
        return msgspec.structs.replace(image, digest=self.digest)

    def verified(self, image: Image) -> None:
        if not self.signed:
            raise ReleasesError(f"{image.reference} is not signed")


class FakeBudget:
    """Gives what it is told to, the last for ever."""

    def __init__(self, *counts: tuple[int, int]) -> None:
        self.counts: Iterator[tuple[int, int]] = iter(counts)
        self.last = (0, 0)
        self.gone = False

    def count(self, colour: Colour) -> Served:
        if self.gone:
            raise RemoteError("nobody answers")
        self.last = next(self.counts, self.last)
        return Served(requests=self.last[0], failures=self.last[1])


class FakeRepository:
    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.file: Values | None = None
        self.messages: list[str] = []
        self.gone = False
        self.state = Checkout(commit="c" * 40, dirty=False)

    def checkout(self) -> Checkout:
        return self.state

    def read(self) -> Values | None:
        if self.gone:
            raise RemoteError("origin cannot be reached")
        return self.file

    def write(self, change: Callable[[Values], Values], message: str) -> str:
        if self.gone:
            raise RemoteError("origin cannot be reached")
        self.file = change(self.file or {})
        self.messages.append(message)
        self.cluster._act("git")
        return "e" * 40


class FakeNotes:
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def annotate(self, sentence: str, *tags: str) -> None:
        assert "sightline" in tags
        self.sentences.append(sentence)


class Site:
    """One cluster, and people who release into it."""

    def __init__(self, cluster: FakeCluster, environment: Environment, **chart: Any) -> None:
        self.cluster = cluster
        self.environment = environment
        self.store = FakeStore(cluster)
        self.chart = FakeChart(cluster, **chart)
        cluster.versions = dict.fromkeys(COLOURS, "1.0")
        self.registry = FakeRegistry()
        self.budget = FakeBudget((100, 0))
        self.repository = FakeRepository(cluster)
        self.notes = FakeNotes()
        self.smoked: list[Colour] = []

    def desk(self, user: str = "eva") -> Releases:
        namespace = Namespace(
            self.cluster if self.chart.values is not None else _Empty(self),
            self.cluster, clock=self.cluster.time, tell=lambda _: None,
        )  # fmt: skip

        def smoke(_: object, to: Colour) -> tuple[Finding, ...]:
            self.smoked.append(to)
            return (ok("smoke", "seen"),)

        return Releases(
            World(
                environment=self.environment, store=self.store, log=self.store, chart=self.chart,
                namespace=namespace, registry=self.registry, budget=self.budget,
                repository=self.repository, notes=self.notes, clock=self.cluster.time,
                who=f"{user}@desk", user=user, smoke=smoke, beat=None,
            )
        )  # fmt: skip

    def serving(self) -> tuple[Colour, str]:
        """The colour that users are led to, and its version."""
        colour = self.cluster.active("cop-gateway")
        assert self.cluster.active("detection") == colour
        return colour, self.cluster.versions[colour]


class _Empty:
    """Nothing is installed, until helm has."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def observe(self) -> Any:
        if self._site.chart.values is None:
            raise NothingThereError("nothing is deployed there")
        return self._site.cluster.observe()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._site.cluster, name)


def target(version: str = "2.0", **also: Any) -> Target:
    images = {
        "detection": Image(repository="sightline-detection", tag=version),
        "gateway": Image(repository="sightline-cop-gateway", tag=version),
    }
    return Target(version=version, images=images, commit="c" * 40, **also)
