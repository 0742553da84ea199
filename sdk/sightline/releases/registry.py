"""The port `Registry`: what the environment's registry has, and whose signature is on it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sightline.environments import Images
from sightline.images import keys, logins, signing
from sightline.images.errors import ImageError
from sightline.images.reference import parse
from sightline.images.registry import Access, Repository
from sightline.releases.errors import ReleasesError
from sightline.releases.release import Image


class ImageRegistry:
    """As this machine reaches it."""

    def __init__(self, settings: Images, *, root: Path) -> None:
        self._settings = settings
        self._root = root

    def resolved(self, image: Image) -> Image:
        """With the digest that its tag has now."""
        try:
            found = self._repository(image).find(image.tag)
        except ImageError as error:
            raise ReleasesError(f"{image.repository}:{image.tag}: {error}") from error
        return msgspec.structs.replace(image, digest=found.digest)

    def verified(self, image: Image) -> None:
        """Of that digest, and by the environment's key."""
        public_key = self._settings.public_key
        if public_key is None:
            raise ReleasesError("images.public_key names no key to check signatures with")
        try:
            repository = self._repository(image)
            found = repository.find(image.digest or image.tag)
            signing.verify(repository, found, keys.public_file(self._root / public_key))
        except ImageError as error:
            raise ReleasesError(f"{image.reference}: {error}") from error

    def _repository(self, image: Image) -> Repository:
        settings = self._settings
        place = parse(f"{settings.reached_as or settings.registry}/{image.repository}")
        authority = settings.ca_file
        access = Access(
            login=logins.login(place.registry),
            ca_file=None if authority is None else self._root / authority,
            plain=settings.insecure,
        )
        return Repository(place.registry, place.repository, access)
