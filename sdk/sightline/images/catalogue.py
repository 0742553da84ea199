"""The images that this repository builds."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sightline.images.errors import MisnamedError


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How one of them is built, from the repository's root."""

    name: str
    dockerfile: str
    versioned: bool = True
    """Whether it takes VERSION, REVISION and SOURCE, and has them in its labels."""
    usual: bool = True
    """Whether it is built when none is named."""


RECIPES = {
    each.name: each
    for each in (
        Recipe(name="sightline-detection", dockerfile="services/detection/Dockerfile"),
        Recipe(name="sightline-cop-gateway", dockerfile="services/cop_gateway/Dockerfile"),
        Recipe(name="sightline-cli", dockerfile="sdk/Dockerfile"),
        Recipe(
            name="sightline-models",
            dockerfile="deploy/models/Dockerfile",
            versioned=False,
            usual=False,
        ),
    )
}


def chosen(names: Iterable[str]) -> tuple[Recipe, ...]:
    """Those of these names, with or without `sightline-`; the usual ones for none."""
    found = [_named(each) for each in names]
    return tuple(dict.fromkeys(found)) or tuple(r for r in RECIPES.values() if r.usual)


def _named(name: str) -> Recipe:
    recipe = RECIPES.get(name) or RECIPES.get(f"sightline-{name}")
    if recipe is None:
        known = ", ".join(each.removeprefix("sightline-") for each in RECIPES)
        raise MisnamedError(f"{name!r} is no image of this repository; there are {known}")
    return recipe
