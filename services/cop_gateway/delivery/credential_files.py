"""Credentials from files that may be replaced while we run: a new certificate needs no restart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from cop_gateway.delivery.certificates import Bundle, CredentialsError, read_bundle
from cop_gateway.delivery.credentials import Credentials
from serving.stamp import Stamp, stamp
from telemetry.redaction import SECRETS

_log = structlog.get_logger(__name__)

_FILE_BYTES = 1 << 20

Secret = str | Path
"""A password, or the file that holds it."""

T = TypeVar("T")
Stamps = tuple[Stamp | None, ...]


class Reloading(Generic[T]):
    """A value out of files, read anew when one of them has changed.

    When the new files are broken, the old value stays, with one warning per change.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], T]) -> None:
        self._paths = tuple(paths)
        self._read = read
        self._lock = threading.Lock()
        self._stamps: Stamps | None = None
        self._value: T | None = None

    def current(self) -> T:
        """The value; raises CredentialsError if there has never been a good one."""
        with self._lock:
            # Before reading: what changes while we read is read again next time.
            stamps = tuple(stamp(path) for path in self._paths)
            if self._value is None or stamps != self._stamps:
                self._refresh(stamps)
            if self._value is None:  # pragma: no cover - _refresh has raised
                raise CredentialsError("nothing has been read")
            return self._value

    def _refresh(self, stamps: Stamps) -> None:
        try:
            value = self._read()
        except CredentialsError as error:
            if self._value is None:
                raise
            _log.warning("credentials_kept", error=str(error))
        else:
            if self._value is not None:
                _log.info("credentials_renewed", files=[str(path) for path in self._paths])
            self._value = value
        self._stamps = stamps


class CredentialFiles:
    """A client certificate and a CA in files, PEM or PKCS#12 each."""

    def __init__(
        self,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        password: Secret | None = None,
        ca: Path | None = None,
        ca_password: Secret | None = None,
    ) -> None:
        """Name the files; nothing is read yet.

        `key` is for PEM with the key apart, `password` opens the key or the PKCS#12. Without `ca`,
        the CA beside the certificate counts.
        """
        self._certificate, self._key, self._password = certificate, key, password
        self._ca, self._ca_password = ca, ca_password
        named = (certificate, key, password, ca, ca_password)
        paths = [each for each in named if isinstance(each, Path)]
        self._files = Reloading(paths, self._read)

    def current(self) -> Credentials:
        """What the files hold now, or held when they were last good; raises CredentialsError."""
        return self._files.current()

    def _read(self) -> Credentials:
        password = None if self._key else self._password
        return Credentials.of(
            client=_bundle(self._certificate, password),
            key=_bundle(self._key, self._password),
            ca=_bundle(self._ca, self._ca_password),
        )


def read_file(path: Path, *, limit: int = _FILE_BYTES) -> bytes:
    """The whole file; raises CredentialsError naming it."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise CredentialsError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > limit:
        raise CredentialsError(f"{path} is larger than {limit} bytes")
    return data


def reveal(secret: Secret | None) -> str | None:
    """The password itself; a line end after it in its file is not part of it."""
    if not isinstance(secret, Path):
        return secret
    try:
        revealed = read_file(secret).decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise CredentialsError(f"{secret} is not UTF-8 text") from error
    SECRETS.register(revealed)
    return revealed


def _bundle(path: Path | None, password: Secret | None) -> Bundle | None:
    if path is None:
        return None
    return read_bundle(read_file(path), password=reveal(password), name=str(path))
