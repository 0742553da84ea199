"""What a bundle says of itself: `bundle.json`, and the checksums that are signed.

SHA256SUMS names every file of a bundle but itself and its signature: whoever trusts the signature
trusts all of it, with nothing but sha256sum and openssl.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sightline.images.errors import DamageError, RefusedError
from sightline.images.oci import Digest

BUNDLE, SUMS, SIGNATURE = "bundle.json", "SHA256SUMS", "SHA256SUMS.sig"
LOADER = "load.sh"
IMAGES, SIGNATURES, SBOMS, PROVENANCE, CHART = (
    "images", "signatures", "sbom", "provenance", "chart",
)  # fmt: skip
LARGEST_SUMS = 8 << 20

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]*")


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """An image in it."""

    name: str
    tag: str
    digest: Digest
    platforms: tuple[str, ...]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """The chart in it."""

    file: str
    name: str
    version: str


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    format: Literal[1] = 1
    name: str
    version: str
    commit: str
    dirty: bool
    registry: str | None = None
    """What its images' names begin with in a container engine."""
    images: Annotated[tuple[Packed, ...], Meta(min_length=1)]
    chart: Chart | None = None


def written(bundle: Bundle) -> bytes:
    """For people, too."""
    return msgspec.json.format(msgspec.json.encode(bundle), indent=2) + b"\n"


def read(content: bytes) -> Bundle:
    """Raises DamageError."""
    try:
        return msgspec.json.decode(content, type=Bundle)
    except msgspec.DecodeError as error:
        raise DamageError(f"{BUNDLE} is damaged: {error}") from error


def sums(files: Mapping[str, str]) -> bytes:
    """Digests by path, as sha256sum checks them."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(files.items())).encode()


def read_sums(content: bytes) -> dict[str, str]:
    """Digests by path. Raises DamageError, RefusedError."""
    found: dict[str, str] = {}
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise DamageError(f"{SUMS}: line {number} is no checksum")
        path = checked_path(match[2])
        if path in found or path in (SUMS, SIGNATURE):
            raise DamageError(f"{SUMS}: line {number} names {path} once too often")
        found[path] = match[1]
    return found


def checked_path(path: str) -> str:
    """Below the bundle's own folder, written in one way only. Raises RefusedError."""
    parts = path.split("/")
    if _NAME.fullmatch(path) is None or {"", ".", ".."} & set(parts):
        raise RefusedError(f"{path!r} would not lie within the bundle's folder: refused")
    if str(PurePosixPath(path)) != path:
        raise RefusedError(f"{path!r} is not written as a path is: refused")
    return path
