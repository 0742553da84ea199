"""What was read from Vault last, for when it does not answer: a file of one's own, 0600.

With an age recipient it is encrypted, and only whoever has the identity can fall back on it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pyrage

from sightline.secrets.errors import FormatError, RefusedError
from sightline.secrets.folder import read, write


class Cached(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read from one address at one time. Its text form leaves the values out."""

    address: str
    at: datetime
    values: dict[str, dict[str, str]]
    """By path and key, in base64."""

    def __repr__(self) -> str:
        return f"<Cached {self.address}: {', '.join(sorted(self.values))}>"

    def data(self, path: str) -> dict[str, bytes]:
        """The values at a path. Raises RefusedError when they were not read then."""
        if path not in self.values:
            raise RefusedError(f"the cache has nothing of {path}")
        return {key: base64.b64decode(value) for key, value in self.values[path].items()}


def made(address: str, found: Mapping[str, Mapping[str, bytes]], *, now: datetime) -> Cached:
    """What was just read, to be kept."""
    return Cached(
        address=address,
        at=now,
        values={
            path: {key: base64.b64encode(value).decode() for key, value in data.items()}
            for path, data in found.items()
        },
    )


def keep(path: Path, cached: Cached, *, recipients: Sequence[str] = ()) -> None:
    """Write it. Raises FormatError for a recipient that is none."""
    content = msgspec.json.encode(cached)
    if recipients:
        content = pyrage.encrypt(content, [_recipient(each) for each in recipients])
    write(path, content)


def found(
    path: Path,
    *,
    address: str,
    now: datetime,
    longest: timedelta,
    identity: Path | None = None,
) -> Cached:
    """Read it. Raises RefusedError where it is of another Vault, too old, or open to others."""
    if not path.exists():
        raise RefusedError(f"{path}: there is no cache")
    if path.stat().st_mode & 0o077:
        raise RefusedError(f"{path} can be read by others: chmod 600 {path}")
    content = read(path)
    if content.startswith(b"age-encryption.org/"):
        content = _opened(content, path, identity)
    try:
        cached = msgspec.json.decode(content, type=Cached)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise FormatError(f"{path}: not a cache of this command") from None
    if cached.address != address:
        raise RefusedError(f"{path} is of {cached.address}, not of {address}")
    if now - cached.at > longest:
        raise RefusedError(
            f"{path} is of {cached.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC:"
            f" {age(cached, now)} old, older than --cache-longest allows"
        )
    return cached


def age(cached: Cached, now: datetime) -> str:
    """How old it is, for people."""
    minutes = int((now - cached.at).total_seconds()) // 60
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _recipient(text: str) -> pyrage.x25519.Recipient:
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise FormatError(f"{text[:12]}… is no age recipient (age1…)") from error


def _opened(content: bytes, path: Path, identity: Path | None) -> bytes:
    if identity is None:
        raise RefusedError(f"{path} is encrypted: name the age identity with --cache-identity")
    lines = read(identity).decode(errors="replace").splitlines()
    keys = [line for line in lines if line.startswith("AGE-SECRET-KEY-")]
    try:
        opened: bytes = pyrage.decrypt(content, list(map(pyrage.x25519.Identity.from_str, keys)))
    except (pyrage.DecryptError, pyrage.IdentityError):
        raise RefusedError(f"{identity} does not open {path}") from None
    return opened
