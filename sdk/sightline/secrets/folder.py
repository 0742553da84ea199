"""Secrets as files that are their owner's alone: the folder of deploy/helm/entrust.py.

A file appears whole or not at all, mode 0600 in a folder of 0700, and is on the disk before anybody
is told that it is there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from sightline.secrets.errors import FormatError, RefusedError, SecretsError

LARGEST = 1024 * 1024


class Folder:
    """Where they are kept."""

    def __init__(self, path: Path, *, make: bool = True) -> None:
        """Raises RefusedError where others can look into it."""
        self.path = path
        if make:
            try:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise SecretsError(f"{path}: {error.strerror}") from error
        if not path.is_dir():
            raise RefusedError(f"{path} is no folder")
        if path.stat().st_mode & 0o077:
            raise RefusedError(f"{path} can be read by others: chmod 700 {path}")

    def names(self) -> list[str]:
        """What is here, without what is hidden."""
        return sorted(
            each.name
            for each in self.path.iterdir()
            if each.is_file() and not each.name.startswith(".")
        )

    def has(self, name: str) -> bool:
        """Whether it is here."""
        return (self.path / name).is_file()

    def read(self, name: str) -> bytes:
        """What is here under this name. Raises FormatError."""
        return read(self.path / name)

    def text(self, name: str) -> str:
        """The same as text, without its line end."""
        try:
            return self.read(name).decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise FormatError(f"{self.path / name}: not UTF-8 text") from None

    def write(self, name: str, content: bytes) -> None:
        """Put it here, in place of what was."""
        write(self.path / name, content)

    def write_all(self, contents: Mapping[str, bytes]) -> None:
        """Put several here, each whole."""
        for name, content in contents.items():
            self.write(name, content)

    def kept(self, name: str, made: bytes) -> str:
        """What is here under this name already, else what was made now."""
        if not self.has(name):
            self.write(name, made)
        return self.text(name)

    def remove(self, name: str) -> None:
        """Have it here no longer."""
        (self.path / name).unlink(missing_ok=True)
        _sync(self.path)


def read(path: Path) -> bytes:
    """A file of at most 1 MiB. Raises FormatError that names it."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror}") from error
    if len(content) > LARGEST:
        raise FormatError(f"{path}: larger than {LARGEST} bytes")
    return content


def write(path: Path, content: bytes) -> None:
    """All of it or nothing, for our eyes only, even if power fails."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise SecretsError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
