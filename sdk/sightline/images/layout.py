"""OCI image layouts: a folder, or the same in a tar archive, which is only read."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from sightline.images import oci
from sightline.images.errors import AbsentError, DamageError, ImageError
from sightline.images.oci import Descriptor, Index
from sightline.images.store import checked

MARK = b'{"imageLayoutVersion": "1.0.0"}'


class Layout:
    """A layout that is read: its index, and blobs by digest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = oci.read_index(self._read("index.json"), where=f"{path}/index.json")

    @property
    def where(self) -> str:
        """Its path."""
        return str(self.path)

    @property
    def names(self) -> dict[str, Descriptor]:
        """What is in it, by name; without a name, by digest."""
        return {each.annotations.get(oci.NAME, each.digest): each for each in self.index.manifests}

    def find(self, name: str) -> Descriptor:
        """By name, or by digest."""
        for each in self.index.manifests:
            if name in (each.digest, each.annotations.get(oci.NAME)):
                return each
        raise AbsentError(f"{self.path} has no {name!r}, but {', '.join(self.names) or 'nothing'}")

    @property
    def image(self) -> Descriptor:
        """The one image in it, beside what is signed and said about it."""
        found = [each for each in self.index.manifests if not _is_about(each)]
        if len({each.digest for each in found}) != 1:
            has = ", ".join(each.annotations.get(oci.NAME, each.digest) for each in found)
            raise AbsentError(f"{self.path} does not have one image, but {has or 'none'}")
        return found[0]

    @contextlib.contextmanager
    def blob(self, wanted: Descriptor) -> Iterator[BinaryIO]:
        """To be read."""
        with self._opened(f"blobs/{wanted.digest.replace(':', '/')}") as opened:
            yield opened

    def _read(self, name: str) -> bytes:
        with self._opened(name) as opened:
            return opened.read(oci.LARGEST + 1)

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO]:
        try:
            opened = (self.path / name).open("rb")
        except FileNotFoundError as error:
            raise AbsentError(f"{self.path} has no {name}") from error
        except OSError as error:
            raise ImageError(f"{self.path}/{name} cannot be read: {error.strerror}") from error
        with opened:
            yield opened


class Archive(Layout):
    """A layout in a tar archive without compression."""

    def __init__(self, path: Path) -> None:
        try:
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115 - as long as this object
            self._members: Mapping[str, tarfile.TarInfo] = {
                each.name.removeprefix("./"): each for each in self._tar if each.isfile()
            }
        except tarfile.TarError as error:
            raise DamageError(f"{path} is no archive of an image layout: {error}") from error
        except OSError as error:
            raise ImageError(f"{path} cannot be read: {error.strerror}") from error
        super().__init__(path)

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO]:
        member = self._members.get(name)
        opened = None if member is None else self._tar.extractfile(member)
        if opened is None:
            raise AbsentError(f"{self.path} has no {name}")
        with opened:
            # What is cut off reads as an error of its own, not as an end.
            try:
                yield cast(BinaryIO, opened)
            except tarfile.ReadError as error:
                raise DamageError(f"{self.path} ends within {name}") from error


class Folder(Layout):
    """A layout that is written, too. Each blob appears whole and checked, or not at all."""

    def put_blob(self, wanted: Descriptor, content: BinaryIO) -> bool:
        """Unless it is there already, in its size."""
        target = self.path / "blobs" / wanted.digest.replace(":", "/")
        if target.exists() and target.stat().st_size == wanted.size:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as partial:
            try:
                for piece in checked(content, wanted, where=self.where):
                    partial.write(piece)
                partial.close()
                Path(partial.name).chmod(0o644)
                os.replace(partial.name, target)  # noqa: PTH105 - over what is there
            except BaseException:
                Path(partial.name).unlink(missing_ok=True)
                raise
        return True

    def put_manifest(self, wanted: Descriptor, content: bytes, name: str | None) -> None:
        """Its blob; with a name also in the index, where it replaces what had the name."""
        self.put_blob(wanted, io.BytesIO(content))
        if name is None:
            return
        named = msgspec.structs.replace(wanted, annotations={**wanted.annotations, oci.NAME: name})
        kept = [each for each in self.index.manifests if each.annotations.get(oci.NAME) != name]
        self._write_index(msgspec.structs.replace(self.index, manifests=(*kept, named)))

    def only(self, wanted: Descriptor, name: str) -> None:
        """The index has this one alone, under this name."""
        named = msgspec.structs.replace(wanted, annotations={oci.NAME: name})
        self._write_index(Index(media_type=oci.INDEX, manifests=(named,)))

    def _write_index(self, index: Index) -> None:
        partial = self.path / ".index.json"
        partial.write_bytes(oci.written(index))
        os.replace(partial, self.path / "index.json")  # noqa: PTH105
        self.index = index


def create(path: Path) -> Folder:
    """A new one with nothing in it, or the one that is there."""
    try:
        (path / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        if not (path / "index.json").exists():
            (path / "oci-layout").write_bytes(MARK)
            (path / "index.json").write_bytes(
                oci.written(Index(media_type=oci.INDEX, manifests=()))
            )
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error.strerror}") from error
    return Folder(path)


def opened(path: Path) -> Layout:
    """A folder, which can be written, or an archive. Raises ImageError."""
    return Folder(path) if path.is_dir() else Archive(path)


def _is_about(descriptor: Descriptor) -> bool:
    """Whether it is a signature or an attestation of an image, not one itself."""
    name = descriptor.annotations.get(oci.NAME, "").rpartition(":")[2]
    return name.startswith("sha256-") and name.endswith((".sig", ".att"))
