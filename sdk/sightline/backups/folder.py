"""Backups in a folder, or on a volume: a folder each, that appears whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sightline.backups import manifest, verification
from sightline.backups.errors import BackupError, DamageError, RefusedError
from sightline.backups.found import Found
from sightline.backups.manifest import Manifest
from sightline.backups.target import MANIFEST, VERIFIED

_PARTIAL = ".partial"


class FolderTarget:
    """By its path."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self.where = str(self._path)

    def found(self) -> tuple[Found, ...]:
        """All that is there, the oldest first. Raises RefusedError where it cannot be read."""
        try:
            folders = [each for each in self._path.iterdir() if each.is_dir()]
        except OSError as error:
            raise RefusedError(f"{self._path} cannot be read: {error.strerror}") from error
        told = [found for each in folders if (found := _found(each)) is not None]
        return tuple(sorted(told, key=lambda each: each.id))

    @contextlib.contextmanager
    def present(self, name: str) -> Iterator[Path]:
        """It is on this machine already."""
        if name.endswith(_PARTIAL):
            raise RefusedError(f"{self._path / name} was never finished")
        yield self._path / name

    @contextlib.contextmanager
    def appearing(self, name: str) -> Iterator[Path]:
        """A folder to fill; here by that name once this is left well, gone if it is not."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            partial = self._path / f".{name}{_PARTIAL}"
            partial.mkdir(mode=0o700)
        except OSError as error:
            raise BackupError(f"{self._path} cannot be written: {error.strerror}") from error
        try:
            yield partial
            try:
                for each in (*partial.iterdir(), partial):
                    sync(each)
                partial.rename(self._path / name)
                sync(self._path)
            except OSError as error:
                raise BackupError(f"{self._path} cannot be written: {error.strerror}") from error
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def note(self, name: str, data: bytes) -> None:
        """Put `verified.json` beside a manifest, whole or not at all."""
        place = self._path / name / VERIFIED
        partial = place.with_name(f".{VERIFIED}{_PARTIAL}")
        try:
            partial.write_bytes(data)
            sync(partial)
            partial.replace(place)
            sync(place.parent)
        except OSError as error:
            raise BackupError(f"{place} cannot be written: {error.strerror}") from error

    def remove(self, name: str) -> None:
        """Take it away: first out of sight, so that half of it is never taken for a backup."""
        place, partial = self._path / name, self._path / f".{name}{_PARTIAL}"
        try:
            if place.exists():
                place.rename(partial)
            shutil.rmtree(partial)
        except OSError as error:
            raise BackupError(f"{place} cannot be removed: {error.strerror}") from error


def _found(place: Path) -> Found | None:
    """What a folder is; None for one that has nothing to do with backups."""
    name = place.name
    if name.startswith(".") and name.endswith(_PARTIAL):
        name = name.removeprefix(".").removesuffix(_PARTIAL)
        return Found(id=name, state="unfinished", stored_bytes=_size(place))
    # What is hidden is somebody's scratch.
    if name.startswith(".") or not any(
        (place / each).exists() for each in (MANIFEST, "dump", "dump.age")
    ):
        return None
    try:
        told = _manifest(place)
        _require_size(place, told)
    except DamageError as error:
        return Found(id=name, state="damaged", problem=str(error), stored_bytes=_size(place))
    return Found(
        id=name,
        state="whole",
        stored_bytes=_size(place),
        manifest=told,
        verification=_verification(place, told),
    )


def _verification(place: Path, told: Manifest) -> verification.Verification | None:
    """A note that cannot be read is none: the backup is then unverified, which is noticed."""
    with contextlib.suppress(OSError, DamageError):
        found = verification.read((place / VERIFIED).read_bytes(), where=str(place / VERIFIED))
        return found if found.speaks_of(told) else None
    return None


def _size(place: Path) -> int:
    total = 0
    for each in place.iterdir():
        # Another process may be taking it away.
        with contextlib.suppress(FileNotFoundError):
            total += each.stat().st_size
    return total


def sync(path: Path) -> None:
    """Have a file or a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(file: Path) -> str:
    """Its SHA-256."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _manifest(place: Path) -> Manifest:
    where = place / MANIFEST
    try:
        told = manifest.read(where.read_bytes(), where=str(where))
    except OSError as error:
        raise DamageError(f"{where} cannot be read: {error.strerror}") from error
    if told.id != place.name:
        raise DamageError(f"{where} is damaged: it is of the backup {told.id}")
    return told


def _require_size(place: Path, told: Manifest) -> None:
    dump = place / told.dump
    try:
        size = dump.stat().st_size
    except OSError as error:
        raise DamageError(f"{dump} cannot be read: {error.strerror}") from error
    if size != told.size_bytes:
        raise DamageError(f"{dump} is damaged: it has {size} bytes, and had {told.size_bytes} once")


def opened(place: Path) -> Manifest:
    """Its manifest, once the dump is found to be what it says. Raises DamageError."""
    told = _manifest(place)
    dump = place / told.dump
    _require_size(place, told)
    try:
        found = digest(dump)
    except OSError as error:
        raise DamageError(f"{dump} cannot be read: {error.strerror}") from error
    if found != told.sha256:
        raise DamageError(
            f"{dump} is damaged: its SHA-256 is {found[:12]}…, and was {told.sha256[:12]}…"
        )
    return told
