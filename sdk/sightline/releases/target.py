"""What is to be released, as people name it: a version → images, values, where it is from."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sightline.releases.errors import ReleasesError
from sightline.releases.release import Image, Target
from sightline.releases.values import SECTIONS, Values
from sightline.releases.world import World


def targeted(
    world: World, *, version: str, models: str | None = None, values_file: Path | None = None
) -> Target:
    """With digests, where the registry tells them. Raises ReleasesError."""
    base = world.chart.base().values
    images = {
        section: Image(repository=base[section]["image"]["repository"], tag=version)
        for section in SECTIONS
    }
    named = ((base["detection"].get("models") or {}).get("image") or {}).get("repository")
    if models is not None:
        if not named:
            raise ReleasesError(
                "--models names a tag, and the environment's values name no image of models"
                " (detection.models.image.repository)"
            )
        images["models"] = Image(repository=named, tag=models)
    if world.registry is not None:
        images = {name: world.registry.resolved(each) for name, each in images.items()}
    state = None if world.repository is None else world.repository.checkout()
    return Target(
        version=version,
        images=images,
        overlay={} if values_file is None else overlay(values_file),
        commit=None if state is None else state.commit,
        dirty=False if state is None else state.dirty,
    )


def overlay(file: Path) -> Values:
    """More values for the one colour. Raises ReleasesError."""
    try:
        found = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ReleasesError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not set(found) <= set(SECTIONS):
        raise ReleasesError(f"{file}: expected {' and '.join(SECTIONS)}, and nothing else")
    return found
