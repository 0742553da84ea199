"""What a Dockerfile stands on: its base images, by the defaults of its arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from sightline.images.errors import MisnamedError

_ARG = re.compile(r"^ARG\s+(?P<name>\w+)(?:=(?P<value>\S+))?\s*$", re.IGNORECASE)
_FROM = re.compile(
    r"^FROM\s+(?:--platform=\S+\s+)?(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?\s*$", re.IGNORECASE
)
_USED = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_LAYOUT = "oci-layout://"


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """An image that another is built on."""

    name: str
    digest: str | None
    """None where it is not pinned: then nobody knows afterwards what it was."""


def bases(text: str, arguments: Mapping[str, str], contexts: Mapping[str, str]) -> tuple[Base, ...]:
    """Those that its stages begin with, once each; raises MisnamedError for an argument unknown.

    A build context may stand in for an image of its name: then that is the base.
    """
    known: dict[str, str] = {}
    stages: set[str] = set()
    found: dict[str, Base] = {}
    for line in text.splitlines():
        if (argument := _ARG.match(line)) and not stages:
            name = argument["name"]
            known[name] = arguments.get(name, argument["value"] or "")
        elif begun := _FROM.match(line):
            image = _filled(begun["image"], known)
            if image not in stages and image != "scratch":
                found[image] = _base(image, contexts)
            # What follows are arguments of a stage, which name no base.
            stages.add(begun["stage"] or f"#{len(stages)}")
    return tuple(found.values())


def _filled(image: str, known: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not known.get(name):
            raise MisnamedError(f"FROM {image}: the argument {name} has no value")
        return known[name]

    return _USED.sub(value, image)


def _base(image: str, contexts: Mapping[str, str]) -> Base:
    place = contexts.get(image, image)
    name, _, digest = place.partition("@")
    if place.startswith(_LAYOUT):
        # Where it lies is of this machine alone.
        name = image
    return Base(name=name.removeprefix("docker-image://"), digest=digest or None)
