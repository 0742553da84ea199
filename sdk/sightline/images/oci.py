"""The documents that an image is made of (OCI image-spec 1.1), read from bytes of anybody.

An image is a manifest: a configuration and layers, each named by digest and size. For several
platforms it is an index of manifests. Nothing here opens a file or a connection.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from sightline.images.errors import DamageError, MisnamedError

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

INDEXES = frozenset({INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({MANIFEST, DOCKER_MANIFEST})

NAME = "org.opencontainers.image.ref.name"
"""In a layout's index: what the image is called."""
CONTAINERD_NAME = "io.containerd.image.name"
"""The same, for containerd."""
CREATED = "org.opencontainers.image.created"
"""A label of an image: when its commit was made."""

LARGEST = 4 << 20
"""Bytes that a manifest, an index or a configuration may have: registries take no more, either."""

Digest = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
Size = Annotated[int, Meta(ge=0)]
_Read = TypeVar("_Read")


class Platform(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an image runs on."""

    architecture: str
    os: str
    variant: str | None = None

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is named by its digest, and how large it is."""

    media_type: str
    digest: Digest
    size: Size
    platform: Platform | None = None
    annotations: dict[str, str] = {}
    artifact_type: str | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Of one image for one platform."""

    schema_version: int = msgspec.field(default=2)
    media_type: str | None = None
    artifact_type: str | None = None
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] = {}


class Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Of the same image for several platforms; and of a layout."""

    schema_version: int = msgspec.field(default=2)
    media_type: str | None = None
    manifests: tuple[Descriptor, ...]
    annotations: dict[str, str] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """How a container of it is started."""

    env: tuple[str, ...] | None = None
    labels: dict[str, str] | None = None
    user: str | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a layer came to be."""

    created_by: str | None = None
    comment: str | None = None


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """The layers, unpacked."""

    diff_ids: tuple[str, ...] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Of what is in a configuration, what is needed here."""

    architecture: str = ""
    os: str = ""
    variant: str | None = None
    created: str | None = None
    config: Settings | None = None
    history: tuple[Made, ...] = ()
    rootfs: Roots = Roots()

    @property
    def dated(self) -> str | None:
        """When its commit was made; where no label says it, what the builder wrote."""
        return ((self.config and self.config.labels) or {}).get(CREATED, self.created)

    @property
    def platform(self) -> Platform:
        """What it runs on."""
        return Platform(architecture=self.architecture, os=self.os, variant=self.variant)


def digest(content: bytes) -> str:
    """How it is named."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def described(content: bytes, media_type: str, **more: Any) -> Descriptor:
    """What names this content."""
    return Descriptor(media_type=media_type, digest=digest(content), size=len(content), **more)


def written(document: msgspec.Struct) -> bytes:
    """As bytes, each default left out but the version; the same document is the same bytes."""
    plain = {"schemaVersion": 2, **msgspec.to_builtins(document)}
    return msgspec.json.encode(plain)


def read_image(content: bytes, media_type: str, *, where: str) -> Manifest | Index:
    """A manifest or an index. Raises DamageError."""
    if media_type in INDEXES:
        return _read(content, Index, where)
    if media_type in MANIFESTS:
        return _read(content, Manifest, where)
    raise DamageError(f"{where}: {media_type!r} is neither an image nor an index of images")


def read_index(content: bytes, *, where: str) -> Index:
    """The index of a layout. Raises DamageError."""
    return _read(content, Index, where)


def read_config(content: bytes, *, where: str) -> Config:
    """A configuration. Raises DamageError."""
    return _read(content, Config, where)


def told_type(content: bytes, *, where: str) -> str:
    """What a manifest or an index says that it is; raises DamageError where it says nothing."""

    class Told(msgspec.Struct, rename="camel"):
        media_type: str | None = None
        manifests: msgspec.Raw = msgspec.Raw()

    told = _read(content, Told, where)
    return told.media_type or (INDEX if bytes(told.manifests) else MANIFEST)


def _read(content: bytes, kind: type[_Read], where: str) -> _Read:
    if len(content) > LARGEST:
        raise DamageError(f"{where} has {len(content)} bytes; at most {LARGEST} are read")
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise DamageError(f"{where} is damaged: {error}") from error


def parse_platform(text: str) -> Platform:
    """linux/amd64, linux/arm/v7. Raises MisnamedError."""
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(part.isalnum() for part in parts):
        raise MisnamedError(f"{text!r} is no platform: say OS/ARCHITECTURE, such as linux/amd64")
    return Platform(os=parts[0], architecture=parts[1], variant=parts[2] if parts[2:] else None)


def is_runnable(descriptor: Descriptor) -> bool:
    """Whether it is an image at all, not what a builder says about one (platform unknown)."""
    return descriptor.platform is None or descriptor.platform.os != "unknown"
