"""Dumps that only the holder of a key can read: age, for one public key or several.

Whoever makes backups has public keys alone. Files go through in pieces, however large they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyrage

from sightline.backups.errors import BackupError, DamageError, RefusedError
from sightline.backups.manifest import Encryption

_PRIVATE = "AGE-SECRET-KEY-"


def recipients(given: Sequence[str], files: Sequence[Path]) -> tuple[str, ...]:
    """Public keys, as they were given and as they stand in files. Raises RefusedError."""
    lines = [(each, "--recipient") for each in given]
    lines += [(each, str(file)) for file in files for each in _lines(file)]
    found: list[str] = []
    for line, where in lines:
        if line.upper().startswith(_PRIVATE):
            raise RefusedError(f"{where} has a secret key: a backup is made with the public one")
        try:
            pyrage.x25519.Recipient.from_str(line)
        except pyrage.RecipientError as error:
            raise RefusedError(f"{where}: {line[:16]!r} is no public key (age1…)") from error
        found.append(line)
    if files and not found:
        raise RefusedError(f"there is no public key in {', '.join(map(str, files))}")
    return tuple(dict.fromkeys(found))


class Identities:
    """Secret keys, from files; they are shown nowhere."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._keys: list[pyrage.x25519.Identity] = []
        for file in files:
            before = len(self._keys)
            for line in _lines(file):
                try:
                    self._keys.append(pyrage.x25519.Identity.from_str(line))
                except pyrage.IdentityError:
                    # Its words may quote the line.
                    raise RefusedError(f"{file} has a line that is no secret key of age") from None
            if len(self._keys) == before:
                raise RefusedError(f"there is no secret key (AGE-SECRET-KEY-1…) in {file}")

    def __repr__(self) -> str:
        return f"Identities of {', '.join(map(str, self.public)) or 'nobody'}"

    @property
    def public(self) -> tuple[str, ...]:
        """The public key of each."""
        return tuple(str(each.to_public()) for each in self._keys)

    def decrypt(self, stored: Path, plain: Path, told: Encryption) -> None:
        """Raises RefusedError where none of them is of its recipients, DamageError."""
        if not set(self.public) & set(told.recipients):
            have = f"those given are of {', '.join(self.public)}" if self._keys else "none is given"
            raise RefusedError(
                f"it is encrypted for {', '.join(told.recipients)}, and {have}: name the identity's"
                " file with --identity"
            )
        plain.touch(mode=0o600)
        try:
            pyrage.decrypt_file(str(stored), str(plain), self._keys)
        except (pyrage.DecryptError, OSError) as error:
            # Both for what is damaged; a full disk has a number.
            if getattr(error, "errno", None):
                raise BackupError(f"{plain.parent} cannot be written: {error}") from error
            raise DamageError(f"{stored} cannot be decrypted: {error}") from error


def encrypt(plain: Path, stored: Path, names: Sequence[str]) -> None:
    """For all of them. Raises BackupError."""
    stored.touch(mode=0o600)
    keys = [pyrage.x25519.Recipient.from_str(each) for each in names]
    try:
        pyrage.encrypt_file(str(plain), str(stored), keys)
    except (pyrage.EncryptError, OSError) as error:
        raise BackupError(f"{stored.parent} cannot be written: {error}") from error


def _lines(file: Path) -> list[str]:
    """Those that are no comments."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{file} cannot be read") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
