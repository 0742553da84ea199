"""From a place to a dump that a database can be restored from: fetched, checked, decrypted."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from sightline.backups import folder, steps
from sightline.backups.errors import BackupError, DamageError
from sightline.backups.manifest import Encryption, Manifest
from sightline.backups.target import Source
from sightline.journal import Journal


class Keys(Protocol):
    """Who can read an encrypted dump."""

    def decrypt(self, stored: Path, plain: Path, told: Encryption) -> None:
        """Raises RefusedError for whom it is not meant, and DamageError."""


@contextlib.contextmanager
def plain(
    source: Source, name: str, *, keys: Keys | None, scratch: Path | None, journal: Journal
) -> Iterator[tuple[Manifest, Path]]:
    """The manifest and a plain dump, as long as it lasts. Raises BackupError."""
    with contextlib.ExitStack() as stack:
        with journal.step(steps.Fetch(id=name, where=source.where)):
            place = stack.enter_context(source.present(name))
        with journal.step(steps.Check(id=name)):
            told = folder.opened(place)
        dump = place / told.dump
        if told.encryption is not None:
            with journal.step(steps.Decrypt(id=name)):
                room = stack.enter_context(room_in(scratch))
                dump = _decrypted(dump, room / "dump", told.encryption, keys)
        yield told, dump


def _decrypted(stored: Path, dump: Path, told: Encryption, keys: Keys | None) -> Path:
    if keys is None:
        from sightline.backups.encryption import Identities  # noqa: PLC0415 - needs an extra

        keys = Identities(())
    keys.decrypt(stored, dump, told)
    if dump.stat().st_size != told.plain_bytes or folder.digest(dump) != told.plain_sha256:
        raise DamageError(f"{stored} is damaged: what is in it is not what was encrypted once")
    return dump


@contextlib.contextmanager
def room_in(scratch: Path | None) -> Iterator[Path]:
    """A folder of our own for what is large and does not last."""
    try:
        room = tempfile.TemporaryDirectory(prefix=".sightline-backups-", dir=scratch)
    except OSError as error:
        raise BackupError(f"{scratch or 'the temporary folder'}: {error.strerror}") from error
    with room as path:
        yield Path(path)
