"""Where backups lie: a folder each, that appears whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sightline.backups import manifest
from sightline.backups.errors import BackupError, DamageError, RefusedError
from sightline.backups.manifest import Manifest

DUMP, MANIFEST = "dump", "manifest.json"
_PARTIAL = ".partial"


def new_id(now: datetime) -> str:
    """Sorts by time; two of one second differ."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


@contextlib.contextmanager
def appearing(target: Path, name: str) -> Iterator[Path]:
    """A folder to fill; in `target` by that name once this is left well, gone if it is not."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        partial = target / f".{name}{_PARTIAL}"
        partial.mkdir(mode=0o700)
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror}") from error
    try:
        yield partial
        for each in (*partial.iterdir(), partial):
            sync(each)
        partial.rename(target / name)
        sync(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


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


def find(place: Path) -> Path:
    """The backup that is meant: the folder itself, or the newest in it. Raises RefusedError."""
    if place.name.endswith(_PARTIAL):
        raise RefusedError(f"{place} was never finished")
    if (place / MANIFEST).exists() or (place / DUMP).exists():
        return place
    try:
        found = sorted(
            each for each in place.iterdir()
            if not each.name.startswith(".") and (each / MANIFEST).exists()
        )  # fmt: skip
    except OSError as error:
        raise RefusedError(f"{place} cannot be read: {error.strerror}") from error
    if not found:
        raise RefusedError(f"there is no backup in {place}")
    return found[-1]


def opened(folder: Path) -> Manifest:
    """Its manifest, once the dump is found to be what it says. Raises DamageError."""
    try:
        told = manifest.read((folder / MANIFEST).read_bytes(), where=str(folder / MANIFEST))
    except OSError as error:
        raise DamageError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from error
    dump = folder / DUMP
    try:
        size = dump.stat().st_size
        if size != told.size_bytes:
            raise DamageError(
                f"{dump} is damaged: it has {size} bytes, and had {told.size_bytes} once"
            )
        found = digest(dump)
    except OSError as error:
        raise DamageError(f"{dump} cannot be read: {error.strerror}") from error
    if found != told.sha256:
        raise DamageError(
            f"{dump} is damaged: its SHA-256 is {found[:12]}…, and was {told.sha256[:12]}…"
        )
    return told
