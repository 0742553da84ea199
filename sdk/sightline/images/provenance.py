"""Where an image is from: a statement of SLSA's provenance, version 1.

It has no times: the same build says the same, and when it was made stands in the commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sightline.images.commit import Checkout
from sightline.images.dockerfile import Base
from sightline.images.errors import DamageError
from sightline.images.planning import EPOCH
from sightline.images.statement import Statement, Subject

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://mobyproject.org/buildkit@v1"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a build."""

    name: str
    digest: str
    checkout: Checkout
    dockerfile: str
    dockerfile_sha256: str
    bases: tuple[Base, ...]
    arguments: Mapping[str, str]
    """Of the build; secrets are none of them."""
    contexts: tuple[str, ...] = ()
    """Names of further build contexts."""
    platforms: tuple[str, ...] = ()
    builder: str
    """What built it: program and version."""
    sightline: str
    """The version of this command line."""


class _Parameters(msgspec.Struct, frozen=True, kw_only=True):
    commit: str
    dirty: bool


class _Definition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    external_parameters: _Parameters


class _Predicate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    build_definition: _Definition


def commit(said: Statement) -> tuple[str, bool]:
    """The commit that an image is of, and whether there was more than that. Raises DamageError."""
    try:
        found = msgspec.convert(said.predicate, _Predicate)
    except msgspec.ValidationError as error:
        raise DamageError(
            f"the provenance of {said.subject[0].name} is not ours: {error}"
        ) from error
    told = found.build_definition.external_parameters
    return told.commit, told.dirty


def statement(facts: Facts) -> Statement:
    """About one image."""
    return Statement(
        subject=(
            Subject(name=facts.name, digest={"sha256": facts.digest.removeprefix("sha256:")}),
        ),
        predicate_type=PREDICATE,
        predicate={
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "source": facts.checkout.origin,
                    "commit": facts.checkout.commit,
                    "dirty": facts.checkout.dirty,
                    "dockerfile": facts.dockerfile,
                    "arguments": dict(sorted(facts.arguments.items())),
                    "contexts": sorted(facts.contexts),
                    "platforms": list(facts.platforms),
                },
                "internalParameters": {"SOURCE_DATE_EPOCH": EPOCH},
                "resolvedDependencies": _materials(facts),
            },
            "runDetails": {
                "builder": {
                    "id": f"https://mobyproject.org/buildkit#{facts.builder}",
                    "version": {"buildx": facts.builder, "sightline": facts.sightline},
                },
            },
        },
    )


def _materials(facts: Facts) -> list[dict[str, Any]]:
    checkout = facts.checkout
    found: list[dict[str, Any]] = [
        {
            "uri": f"git+{checkout.origin}" if checkout.origin != "unknown" else "git:unknown",
            "digest": {"gitCommit": checkout.commit},
            "annotations": {"dirty": checkout.dirty},
        },
        {"name": facts.dockerfile, "digest": {"sha256": facts.dockerfile_sha256}},
    ]
    for base in facts.bases:
        material: dict[str, Any] = {"uri": f"pkg:docker/{base.name}"}
        if base.digest is not None:
            material["digest"] = {"sha256": base.digest.removeprefix("sha256:")}
        found.append(material)
    return found
