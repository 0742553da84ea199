"""From a layout to a registry and back: an image, with its signatures and statements."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sightline.images import layout, store
from sightline.images.errors import AbsentError
from sightline.images.layout import Folder
from sightline.images.oci import Descriptor
from sightline.images.reference import kin
from sightline.images.signing import prefixed
from sightline.images.store import Source, Target

SIDECARS = ("sig", "att")


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What is there now."""

    target: str
    digest: str
    sidecars: tuple[str, ...]
    """Tags of what belongs to it: signatures, statements."""
    sent_bytes: int
    """The rest was there already."""


def push(
    source: Source, image: Descriptor, target: Target, tags: tuple[str, ...], *, prefix: str = ""
) -> Sent:
    """First the image by its digest, then what belongs to it, and its tags last.

    So whoever finds the tag finds the signatures, too.
    """
    sent = store.copy(source, image, target, None)
    found = []
    for suffix in SIDECARS:
        tag = kin(image.digest, suffix)
        try:
            sidecar = source.find(prefixed(tag, prefix))
        except AbsentError:
            continue
        sent += store.copy(source, sidecar, target, tag)
        found.append(tag)
    content = store.document(source, image)
    for tag in tags:
        target.put_manifest(image, content, tag)
    where = f"{target.where}:{tags[0]}" if tags else f"{target.where}@{image.digest}"
    return Sent(target=where, digest=image.digest, sidecars=tuple(found), sent_bytes=sent)


def pull(source: Source, name: str, place: Path, tag: str) -> tuple[Folder, Descriptor]:
    """Into a layout, with what belongs to it."""
    image = source.find(name)
    into = layout.create(place)
    push(source, image, into, (tag,))
    return into, image
