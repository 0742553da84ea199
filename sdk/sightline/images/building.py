"""Build images into OCI layouts that are the same whenever they are built."""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from sightline.images import (
    buildx,
    catalogue,
    dockerfile,
    engine,
    layout,
    planning,
    provenance,
    reference,
    signing,
    store,
    transfer,
)
from sightline.images.buildx import Order
from sightline.images.catalogue import Recipe
from sightline.images.errors import ImageError
from sightline.images.keys import PrivateKey
from sightline.images.layout import Folder
from sightline.images.oci import Descriptor
from sightline.images.planning import Wanted
from sightline.images.registry import Access, Repository
from sightline.images.source import Checkout
from sightline.images.steps import BuildImage, LoadImage, PushImage, SignImage, StateProvenance
from sightline.journal import Journal
from sightline.steps import Step


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """An image in a layout."""

    name: str
    tag: str
    digest: str
    layout: str
    provenance: str | None = None
    signed: bool = False
    loaded: bool = False
    pushed: str | None = None


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """With what is built."""

    root: Path
    builder: str | None = None
    """One of buildx; by default the one in use."""
    buildkit: str | None = None
    """Instead the address of a buildkitd: unix:///…, tcp://…"""
    secrets: tuple[str, ...] = ()
    """As docker has them: id=ca,src=ca.pem. Nothing of them is written down."""
    network: str | None = None
    cache: Path | None = None
    """A folder to keep layers in between builds."""
    fresh: bool = False
    """Use no layer of an earlier build."""
    key: PrivateKey | None = None
    access: Access = Access()


class Builder(Protocol):
    """What builds: docker buildx."""

    version: str

    def build(
        self,
        order: Order,
        output: Path,
        note: Callable[[str], None],
    ) -> None:
        """Into the folder of a layout. Raises ToolError."""


Opened: TypeAlias = Callable[[str | None, str | None], AbstractContextManager[Builder]]


def build(
    steps: Sequence[Step],
    wanted: Wanted,
    checkout: Checkout,
    means: Means,
    journal: Journal | None = None,
    *,
    opened: Opened = buildx.opened,
) -> tuple[Built, ...]:
    """Take the steps of a plan. Raises ImageError."""
    work = _Work(wanted, checkout, means, journal or Journal())
    with opened(means.builder, means.buildkit) as builder:
        for step in steps:
            with work.journal.step(step):
                work.take(step, builder)
    return tuple(work.built.values())


class _Work:
    """What is built so far."""

    def __init__(self, wanted: Wanted, checkout: Checkout, means: Means, journal: Journal) -> None:
        self.wanted, self.checkout, self.means, self.journal = wanted, checkout, means, journal
        self.built: dict[str, Built] = {}

    def take(self, step: Step, builder: Builder) -> None:
        """One of them."""
        match step:
            case BuildImage():
                self._build(step, builder)
            case StateProvenance():
                self._state(step, builder)
            case SignImage(image=name):
                self._sign(name)
            case LoadImage(image=name, tags=tags):
                place = self._layout(name)
                engine.load(place, place.image, tuple(f"{name}:{tag}" for tag in tags))
                self._know(name, loaded=True)
            case PushImage(image=name, target=target):
                place = self._layout(name)
                to = reference.parse(target)
                there = Repository(to.registry, to.repository, self.means.access)
                transfer.push(place, place.image, there, self.wanted.tags)
                self._know(name, pushed=f"{target}@{place.image.digest}")
            case _:
                raise AssertionError(step)

    def _build(self, step: BuildImage, builder: Builder) -> None:
        recipe = catalogue.RECIPES[step.image]
        place = Path(step.output)
        partial = place.with_name(f".{place.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            builder.build(self._order(recipe), partial, self.journal.watch.note)
            image = _named(layout.Folder(partial), f"{recipe.name}:{self.wanted.tags[0]}")
            shutil.rmtree(place, ignore_errors=True)
            partial.rename(place)
        except OSError as error:
            raise ImageError(f"{place} cannot be written: {error.strerror}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self.built[recipe.name] = Built(
            name=recipe.name, tag=self.wanted.tags[0], digest=image.digest, layout=str(place)
        )

    def _order(self, recipe: Recipe) -> Order:
        means, wanted = self.means, self.wanted
        return Order(
            root=means.root,
            dockerfile=means.root / recipe.dockerfile,
            arguments=planning.arguments(recipe, wanted, self.checkout),
            contexts=wanted.contexts,
            platforms=wanted.platforms,
            secrets=means.secrets,
            network=means.network,
            cache=None if means.cache is None else means.cache / recipe.name,
            fresh=means.fresh,
        )

    def _state(self, step: StateProvenance, builder: Builder) -> None:
        recipe = catalogue.RECIPES[step.image]
        text = (self.means.root / recipe.dockerfile).read_text(encoding="utf-8")
        told = planning.arguments(recipe, self.wanted, self.checkout)
        place = self._layout(step.image)
        found = store.variants(place, place.image)
        said = provenance.statement(
            provenance.Facts(
                name=recipe.name,
                digest=place.image.digest,
                checkout=self.checkout,
                dockerfile=recipe.dockerfile,
                dockerfile_sha256=hashlib.sha256(text.encode()).hexdigest(),
                bases=dockerfile.bases(text, told, self.wanted.contexts),
                arguments=told,
                contexts=tuple(self.wanted.contexts),
                platforms=tuple(str(each.config.platform) for each in found),
                builder=builder.version,
                sightline=importlib.metadata.version("sightline"),
            )
        )
        document = msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n"
        Path(step.output).write_bytes(document)
        self._know(step.image, provenance=step.output)

    def _sign(self, name: str) -> None:
        place, key = self._layout(name), self.means.key
        assert key is not None
        registry = self.wanted.registry
        signing.sign(place, place.image, f"{registry}/{name}" if registry else name, key)
        signing.attest_beside(place, place.image, place.path, key)
        self._know(name, signed=True)

    def _layout(self, name: str) -> Folder:
        return Folder(Path(self.built[name].layout))

    def _know(self, name: str, **more: object) -> None:
        self.built[name] = msgspec.structs.replace(self.built[name], **more)


def _named(folder: Folder, name: str) -> Descriptor:
    """What was built gets a name of ours, in place of what the builder says of it (a time)."""
    (found,) = folder.index.manifests
    plain = Descriptor(media_type=found.media_type, digest=found.digest, size=found.size)
    folder.only(plain, name)
    return plain
