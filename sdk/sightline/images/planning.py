"""What a build does, before it does anything."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from sightline.images import oci, reference
from sightline.images.catalogue import Recipe
from sightline.images.commit import Checkout
from sightline.images.errors import MisnamedError, RefusedError
from sightline.images.reference import checked_tag
from sightline.images.steps import (
    BuildImage,
    LoadImage,
    PushImage,
    SignImage,
    StateProvenance,
)
from sightline.steps import Step

RESERVED = frozenset({"SOURCE_DATE_EPOCH", "CREATED", "REVISION", "SOURCE", "VERSION"})
"""Arguments that are not given by hand: they say what the image is of."""
EPOCH = 1_577_836_800
"""The time of every file in an image (SOURCE_DATE_EPOCH): 2020-01-01T00:00:00Z, not the commit's.
BuildKit brings times down to it and none up: what a builder kept from an earlier commit would have
that one's times, and a layer in which nothing changed would be other bytes with each commit."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked for."""

    recipes: tuple[Recipe, ...]
    output: str
    version: str
    tags: tuple[str, ...]
    """The first one is what it is called in its layout."""
    platforms: tuple[str, ...] = ()
    arguments: Mapping[str, str] = {}
    contexts: Mapping[str, str] = {}
    registry: str | None = None
    key: str | None = None
    load: bool = False
    push: bool = False
    allow_dirty: bool = True


def plan(wanted: Wanted, checkout: Checkout) -> tuple[Step, ...]:
    """Raises MisnamedError, RefusedError."""
    _check(wanted, checkout)
    steps: list[Step] = []
    for recipe in wanted.recipes:
        output = posixpath.join(wanted.output, recipe.name)
        steps += (
            BuildImage(
                image=recipe.name,
                dockerfile=recipe.dockerfile,
                platforms=wanted.platforms,
                output=output,
            ),
            StateProvenance(
                image=recipe.name,
                commit=checkout.commit,
                dirty=checkout.dirty,
                output=f"{output}.provenance.json",
            ),
        )
        if wanted.key is not None:
            steps.append(SignImage(image=recipe.name, key=wanted.key))
        if wanted.load:
            steps.append(LoadImage(image=recipe.name, tags=wanted.tags))
        if wanted.push:
            target = f"{wanted.registry}/{recipe.name}:{wanted.tags[0]}"
            reference.parse(target)
            steps.append(PushImage(image=recipe.name, target=target))
    return tuple(steps)


def usual_tag(version: str, checkout: Checkout) -> str:
    """No other commit has it, so that it need never move."""
    return f"{version}-{checkout.commit[:12]}{'-dirty' if checkout.dirty else ''}"


def arguments(recipe: Recipe, wanted: Wanted, checkout: Checkout) -> dict[str, str]:
    """What the build is told: the same of the same commit, in whatever folder it lies."""
    told = {**wanted.arguments, "SOURCE_DATE_EPOCH": str(EPOCH)}
    if recipe.versioned:
        told |= {
            "VERSION": wanted.version,
            "REVISION": checkout.commit + ("-dirty" if checkout.dirty else ""),
            "SOURCE": checkout.origin,
            "CREATED": datetime.fromtimestamp(checkout.committed_at, UTC).isoformat(),
        }
    return told


def _check(wanted: Wanted, checkout: Checkout) -> None:
    for tag in wanted.tags:
        checked_tag(tag)
    for platform in wanted.platforms:
        oci.parse_platform(platform)
    if taken := RESERVED & set(wanted.arguments):
        raise MisnamedError(
            f"--build-arg {min(taken)} is not given by hand: it tells the commit and the version"
        )
    if wanted.push and wanted.registry is None:
        raise MisnamedError("--push needs --registry")
    if wanted.load and len(wanted.platforms) > 1:
        raise MisnamedError("--load takes an image for one platform: the engine's own")
    if checkout.dirty and not wanted.allow_dirty:
        raise RefusedError(
            "the checkout has changes that are not committed: commit them, or leave --clean away"
        )
