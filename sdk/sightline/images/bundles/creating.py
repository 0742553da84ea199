"""Make a bundle of layouts that were built."""

from __future__ import annotations

import hashlib
import importlib.resources
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from sightline.images import engine, layout, oci, provenance, sbom, signatures, signing, store
from sightline.images.bundles import archive, chart, manifest
from sightline.images.bundles.manifest import Bundle, Packed
from sightline.images.errors import AbsentError, ImageError, RefusedError
from sightline.images.keys import PrivateKey
from sightline.images.layout import Folder, Layout
from sightline.images.oci import Descriptor, Platform
from sightline.images.reference import kin
from sightline.images.signatures import Statement
from sightline.images.source import Checkout
from sightline.images.transfer import SIDECARS


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be in it."""

    version: str
    layouts: tuple[Path, ...]
    chart: Path | None
    registry: str | None = None
    """What images are called by in a container engine there: REGISTRY/NAME:TAG."""


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that is there now."""

    bundle: str
    signature: str
    sha256: str
    size_bytes: int
    images: tuple[Packed, ...]


Lister: TypeAlias = Callable[[Layout, str, str, Platform], bytes]
"""Gives an SBOM of the image in a layout, with its name, tag and platform."""


def by_metadata(source: Layout, name: str, tag: str, platform: Platform) -> bytes:
    """What installers left behind."""
    return sbom.written(source, source.image, name, tag, platform)


def create(
    contents: Contents,
    target: Path,
    checkout: Checkout,
    key: PrivateKey,
    *,
    list_packages: Lister = by_metadata,
) -> Created:
    """Raises ImageError. The same contents and key are the same bytes."""
    archive.checked_name(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".bundle-") as folder:
        work = Path(folder)
        bundle = _Work(work, contents, checkout, key, list_packages).fill()
        (work / manifest.BUNDLE).write_bytes(manifest.written(bundle))
        listed = manifest.sums(
            {
                each.relative_to(work).as_posix(): _sha256(each)
                for each in work.rglob("*")
                if each.is_file()
            }
        )
        (work / manifest.SUMS).write_bytes(listed)
        signing.sign_file(work / manifest.SUMS, key)
        top = f"sightline-{contents.version}"
        archive.write(work, target, top, time=checkout.committed_at)
    return Created(
        bundle=str(target),
        signature=str(signing.sign_file(target, key)),
        sha256=_sha256(target),
        size_bytes=target.stat().st_size,
        images=bundle.images,
    )


class _Work:
    """The folder that is filled."""

    def __init__(
        self,
        folder: Path,
        contents: Contents,
        checkout: Checkout,
        key: PrivateKey,
        list_packages: Lister,
    ) -> None:
        self.folder, self.contents, self.key = folder, contents, key
        self.checkout, self.dirty = checkout, checkout.dirty
        self.list_packages = list_packages
        self.images = layout.create(folder / manifest.IMAGES)
        self.beside = layout.create(folder / manifest.SIGNATURES)
        for each in (manifest.SBOMS, manifest.PROVENANCE, manifest.CHART):
            (folder / each).mkdir()

    def fill(self) -> Bundle:
        """All but the checksums."""
        contents = self.contents
        packed = [self._pack(each) for each in sorted(contents.layouts)]
        if len({each.name for each in packed}) != len(packed):
            raise RefusedError("two of the layouts have an image of the same name")
        _docker(self.images, packed, contents.registry)
        loader = importlib.resources.files("sightline.images.bundles") / manifest.LOADER
        (self.folder / manifest.LOADER).write_bytes(loader.read_bytes())
        return Bundle(
            name="sightline",
            version=contents.version,
            commit=self.checkout.commit,
            dirty=self.dirty,
            registry=contents.registry,
            images=tuple(packed),
            chart=None if contents.chart is None else self._chart(contents.chart),
        )

    def _chart(self, folder: Path) -> manifest.Chart:
        about, content = chart.packaged(folder, time=self.checkout.committed_at)
        file = f"{manifest.CHART}/{about.name}-{about.version}.tgz"
        (self.folder / file).write_bytes(content)
        for each in chart.values(folder):
            shutil.copy(each, self.folder / manifest.CHART / each.name)
        return manifest.Chart(file=file, name=about.name, version=about.version)

    def _pack(self, path: Path) -> Packed:
        source = layout.opened(path)
        image = source.image
        name, _, tag = image.annotations.get(oci.NAME, "").rpartition(":")
        if not name:
            raise RefusedError(
                f"{path}: its image has no name and tag: build it with `images build`"
            )
        prefix = self.contents.registry or "localhost"
        called = msgspec.structs.replace(
            image, annotations={oci.CONTAINERD_NAME: f"{prefix}/{name}:{tag}"}
        )
        store.copy(source, called, self.images, f"{name}:{tag}")
        _sign(source, image, self.beside, name, self.key)
        commit, dirty = _state(path, image, self.folder / manifest.PROVENANCE / f"{name}.json")
        if commit != self.checkout.commit:
            raise RefusedError(
                f"{path} is of commit {commit[:12]}, and the checkout of"
                f" {self.checkout.commit[:12]}: build it again"
            )
        self.dirty |= dirty
        platforms = [each.config.platform for each in store.variants(source, image)]
        for platform in platforms:
            file = f"{name}-{str(platform).replace('/', '-')}.cdx.json"
            told = self.list_packages(source, name, tag, platform)
            (self.folder / manifest.SBOMS / file).write_bytes(told)
        return Packed(name=name, tag=tag, digest=image.digest, platforms=tuple(map(str, platforms)))


def _sign(source: Layout, image: Descriptor, beside: Folder, name: str, key: PrivateKey) -> None:
    """What others have signed and said goes along; and ours, also as files for openssl."""
    for suffix in SIDECARS:
        tag = kin(image.digest, suffix)
        try:
            store.copy(source, source.find(tag), beside, f"{name}:{tag}")
        except AbsentError:
            continue
    signing.sign(beside, image, name, key, prefix=name)
    made = signatures.sign(image.digest, name, key)
    (beside.path / f"{name}.payload.json").write_bytes(made.content)
    (beside.path / f"{name}.sig").write_text(signatures.packed(made.signature) + "\n")


def _state(path: Path, image: Descriptor, target: Path) -> tuple[str, bool]:
    told = path.with_name(f"{path.name}.provenance.json")
    try:
        content = told.read_bytes()
        statement = msgspec.json.decode(content, type=Statement)
    except OSError as error:
        raise ImageError(f"{told}: {error.strerror}: build it with `images build`") from error
    except msgspec.DecodeError as error:
        raise ImageError(f"{told} is no provenance: {error}") from error
    if not statement.is_about(image.digest):
        raise RefusedError(f"{told} is of another image than {path} has: build it again")
    target.write_bytes(content)
    return provenance.commit(statement)


def _docker(images: Folder, packed: Sequence[Packed], registry: str | None) -> None:
    """For each platform what docker's archives have: it reads no layout before version 25."""
    prefix = f"{registry}/" if registry else ""
    for platform in sorted({each for one in packed for each in one.platforms}):
        wanted = oci.parse_platform(platform)
        entries = [
            engine.entry(
                images,
                images.find(f"{each.name}:{each.tag}"),
                wanted,
                (f"{prefix}{each.name}:{each.tag}",),
            )
            for each in packed
            if platform in each.platforms
        ]
        file = images.path / f"docker-{wanted.architecture}.json"
        file.write_bytes(msgspec.json.encode(entries))


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
