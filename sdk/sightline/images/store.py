"""Where images are: one port for a folder, an archive and a registry, and the ways about in it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Protocol

import msgspec

from sightline.images import oci
from sightline.images.errors import AbsentError, DamageError
from sightline.images.oci import Descriptor, Index, Manifest

CHUNK = 1 << 20


class Source(Protocol):
    """Images can be read from it."""

    @property
    def where(self) -> str:
        """For people: a path, or a name in a registry."""

    def find(self, name: str) -> Descriptor:
        """By tag or digest. Raises AbsentError."""

    def blob(self, wanted: Descriptor) -> AbstractContextManager[BinaryIO]:
        """To be read from its beginning. What comes is not checked yet: see `checked`."""


class Target(Source, Protocol):
    """Images can be put there, too: blobs first, then what names them."""

    def put_blob(self, wanted: Descriptor, content: BinaryIO) -> bool:
        """Unless it is there already: then false."""

    def put_manifest(self, wanted: Descriptor, content: bytes, name: str | None) -> None:
        """A manifest or an index, under this tag or under its digest alone."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """An image for one platform."""

    descriptor: Descriptor
    manifest: Manifest
    config: oci.Config


def checked(content: BinaryIO, wanted: Descriptor, *, where: str) -> Iterator[bytes]:
    """The content in pieces; after the last one raises DamageError unless it was all, and right."""
    found, size = hashlib.sha256(), 0
    while piece := content.read(CHUNK):
        size += len(piece)
        if size > wanted.size:
            break
        found.update(piece)
        yield piece
    if size != wanted.size:
        more = "more than the" if size > wanted.size else f"{size} of"
        raise DamageError(f"{where}: {wanted.digest} has {more} {wanted.size} bytes")
    if f"sha256:{found.hexdigest()}" != wanted.digest:
        raise DamageError(f"{where}: {wanted.digest} is not what its digest says")


class Stream(io.RawIOBase):
    """A blob as a file, whose end is only read when all of it was right."""

    def __init__(self, content: BinaryIO, wanted: Descriptor, *, where: str) -> None:
        self._pieces = checked(content, wanted, where=where)
        self._rest = b""
        self.begun = False
        """Whether some of it is gone."""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """For what reads it through a buffer."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer at the end only: what reads archives relies on it."""
        self.begun = True
        found = [self._rest]
        length = len(self._rest)
        while size < 0 or length < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            found.append(piece)
            length += len(piece)
        whole = b"".join(found)
        wanted = whole if size < 0 else whole[:size]
        self._rest = whole[len(wanted) :]
        return wanted


def document(source: Source, wanted: Descriptor) -> bytes:
    """A small one, whole and checked."""
    if wanted.size > oci.LARGEST:
        raise DamageError(
            f"{source.where}: {wanted.digest} has {wanted.size} bytes; at most {oci.LARGEST}"
        )
    with source.blob(wanted) as content:
        return b"".join(checked(content, wanted, where=source.where))


def image(source: Source, wanted: Descriptor) -> tuple[Manifest | Index, bytes]:
    """A manifest or an index, and its bytes."""
    content = document(source, wanted)
    return oci.read_image(
        content, wanted.media_type, where=f"{source.where}: {wanted.digest}"
    ), content


def variants(source: Source, wanted: Descriptor) -> tuple[Variant, ...]:
    """The image for each platform that it is for."""
    found, _ = image(source, wanted)
    if isinstance(found, Index):
        return tuple(
            variant
            for each in found.manifests
            if oci.is_runnable(each)
            for variant in variants(source, each)
        )
    where = f"{source.where}: {found.config.digest}"
    config = oci.read_config(document(source, found.config), where=where)
    return (Variant(descriptor=wanted, manifest=found, config=config),)


def variant(source: Source, wanted: Descriptor, platform: oci.Platform | None) -> Variant:
    """The one for a platform, or the only one."""
    found = variants(source, wanted)
    fit = [each for each in found if platform is None or each.config.platform == platform]
    if len(fit) == 1:
        return fit[0]
    has = ", ".join(str(each.config.platform) for each in found)
    if not fit:
        raise AbsentError(f"{source.where} has nothing for {platform}, but for {has}")
    raise AbsentError(f"{source.where} is for {has}: say which with --platform")


def copy(source: Source, wanted: Descriptor, target: Target, name: str | None) -> int:
    """An image with all that it names, each blob checked; gives the bytes that were sent."""
    found, content = image(source, wanted)
    sent = 0
    if isinstance(found, Index):
        for each in found.manifests:
            sent += copy(source, each, target, None)
    else:
        for each in (found.config, *found.layers):
            with source.blob(each) as opened:
                sent += each.size if target.put_blob(each, opened) else 0
    target.put_manifest(wanted, content, name)
    return sent
