"""Take a bundle in: into a registry, with signatures, or into a container engine."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, BinaryIO, Protocol

import msgspec

from sightline.images import engine, transfer
from sightline.images.bundles import checking
from sightline.images.bundles.checking import Opened
from sightline.images.errors import ImageError, ToolError
from sightline.images.keys import PublicKey
from sightline.images.oci import Descriptor
from sightline.images.store import Target

SECONDS = 900.0


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Images that are there now, by the names that they have there."""

    bundle: str
    version: str
    into: str
    images: dict[str, str]
    """Digests by name."""
    chart: str | None = None
    """Where the chart was put."""


class Place(Protocol):
    """Where images are put."""

    def __call__(self, found: Opened) -> dict[str, str]:
        """Digests by the names that they have there."""


def load(
    bundle: Path, key: PublicKey, place: Place, *, into: str, chart: Path | None = None
) -> Loaded:
    """Check all of it, and then put it there. Raises ImageError."""
    with checking.opened(bundle, key) as found:
        images = place(found)
        kept = None
        if chart is not None and found.told.chart is not None:
            kept = _keep(found.folder / found.told.chart.file, chart)
        return Loaded(
            bundle=str(bundle), version=found.told.version, into=into, images=images, chart=kept
        )


def into_registry(registry: str, repository: Callable[[str], Target]) -> Place:
    """With signatures and statements; `repository` opens one by its name."""

    def place(found: Opened) -> dict[str, str]:
        images = {}
        for each in found.told.images:
            beside = _Both(found)
            sent = transfer.push(
                beside, found.images.find(f"{each.name}:{each.tag}"), repository(each.name),
                (each.tag,), prefix=each.name,
            )  # fmt: skip
            images[f"{registry}/{each.name}:{each.tag}"] = sent.digest
        return images

    return place


def into_docker(found: Opened) -> dict[str, str]:
    """The engine that `docker` speaks to; of signatures it knows nothing."""
    images = {}
    for each in found.told.images:
        prefix = f"{found.told.registry}/" if found.told.registry else ""
        name = f"{prefix}{each.name}:{each.tag}"
        engine.load(found.images, found.images.find(f"{each.name}:{each.tag}"), (name,))
        images[name] = each.digest
    return images


def into_containerd(namespace: str, address: str | None) -> Place:
    """By `ctr`, on a node."""

    def place(found: Opened) -> dict[str, str]:
        program = shutil.which("ctr")
        if program is None:
            raise ToolError("ctr is not installed: it is a part of containerd")
        command = [
            program, *(("--address", address) if address else ()), "--namespace", namespace,
            "images", "import", "-",
        ]  # fmt: skip
        _piped(command, found.images.path)
        prefix = f"{found.told.registry}/" if found.told.registry else "localhost/"
        return {f"{prefix}{each.name}:{each.tag}": each.digest for each in found.told.images}

    return place


class _Both:
    """Images and what belongs to them, which lie in layouts of their own."""

    def __init__(self, found: Opened) -> None:
        self._images, self._beside = found.images, found.signatures
        self.where = self._images.where

    def find(self, name: str) -> Descriptor:
        """What belongs to images."""
        return self._beside.find(name)

    def blob(self, wanted: Descriptor) -> AbstractContextManager[BinaryIO]:
        """Of either."""
        path = self._images.path / engine.blob_path(wanted.digest)
        return (self._images if path.exists() else self._beside).blob(wanted)


def _piped(command: list[str], folder: Path) -> None:
    try:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise ToolError(f"{command[0]} cannot be started: {error.strerror}") from error
    assert process.stdin is not None
    try:
        _layout(folder, process.stdin)
    except BrokenPipeError:
        pass  # It says why.
    except BaseException:
        process.kill()
        process.wait()
        raise
    said = process.communicate(timeout=SECONDS)[1]
    if process.returncode:
        raise ToolError(f"{command[0]}: {' '.join(said.decode(errors='replace').split())}")


def _layout(folder: Path, out: IO[bytes]) -> None:
    with out, tarfile.open(fileobj=out, mode="w|") as tar:
        for name in ("oci-layout", "index.json", "blobs"):
            tar.add(folder / name, arcname=name)


def _keep(chart: Path, folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return str(shutil.copy(chart, folder / chart.name))
    except OSError as error:
        raise ImageError(f"{folder} cannot be written: {error.strerror}") from error
