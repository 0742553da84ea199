"""A client certificate from the TAK server itself: asked for once, kept, renewed in time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import structlog

from cop_gateway.delivery.certificates import Bundle, CredentialsError, read_bundle
from cop_gateway.delivery.credential_files import read_file
from cop_gateway.delivery.credentials import Credentials, CredentialSource
from cop_gateway.delivery.marti import Marti, RefusedError
from cop_gateway.delivery.signing import (
    EnrolmentError,
    name_entries,
    signed_certificates,
    signing_request,
    stored,
)

__all__ = ["ENROLMENT_PORT", "Enrolment", "EnrolmentError"]

_log = structlog.get_logger(__name__)

ENROLMENT_PORT = 8446
_RENEW_AT = 1 / 3
# A renewal can wait, and a server that said no locks users out: neither is asked at every
# reconnection.
_PATIENCE_SECONDS = 300.0


class Enrolment:
    """Credentials that a server gives to a user with a password."""

    def __init__(
        self,
        *,
        host: str,
        user: str,
        password: str,
        client_uid: str,
        folder: Path,
        ca: CredentialSource,
        port: int = ENROLMENT_PORT,
        version: str = "1",
        verify_hostname: bool = True,
        server_name: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Nothing is asked yet.

        `ca` says whom to believe on that port. `folder` keeps the key and certificates, in a file
        of their own per server and user. `client_uid` and `version` are told to the server.
        """
        self._marti = Marti(
            host=host,
            port=port,
            user=user,
            password=password,
            ca=ca,
            verify_hostname=verify_hostname,
            server_name=server_name or host,
            clock=clock,
        )
        self._signing_path = "/Marti/api/tls/signClient/v2?" + urlencode(
            {"clientUid": client_uid, "version": version}
        )
        owner = hashlib.sha256(f"{host}\n{port}\n{user}".encode()).hexdigest()[:16]
        self._path = folder / f"enrolled-{owner}.pem"
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: bytes | None = None
        self._refusal: RefusedError | None = None
        self._asked_at: datetime | None = None

    def current(self) -> Credentials:
        """The certificate that we have, or a new one; blocks for the server when it needs one.

        It is renewed once less than a third of its life is left; until that works, the old one
        stays. Raises CredentialsError.
        """
        with self._lock:
            now = self._clock()
            kept = self._load()
            if kept is None or _life_left(kept, now) <= 0:
                if self._refusal is not None and self._just_asked(now):
                    raise self._refusal
                return self._enrol(now)
            if _life_left(kept, now) > _RENEW_AT or self._just_asked(now):
                return kept
            try:
                return self._enrol(now)
            except CredentialsError as error:
                _log.warning("enrolment_renewal_failed", error=str(error))
                return kept

    def _load(self) -> Credentials | None:
        """What was got before; an unusable file is only a reason to ask again."""
        if self._kept is None and not self._path.exists():
            return None
        try:
            self._kept = self._kept or read_file(self._path)
            return self._credentials(self._kept)
        except CredentialsError as error:
            _log.warning("enrolment_file_unusable", error=str(error))
            self._kept = None
            return None

    def _credentials(self, pem: bytes) -> Credentials:
        """Whom the server told us to believe counts, and whom we believed when we asked."""
        client = read_bundle(pem, name=str(self._path))
        believed = (*client.certificates[1:], *self._marti.ca.current().authorities)
        return Credentials.of(client=client, ca=Bundle(name="the CA", certificates=believed))

    def _just_asked(self, now: datetime) -> bool:
        if self._asked_at is None:
            return False
        return 0 <= (now - self._asked_at).total_seconds() < _PATIENCE_SECONDS

    def _enrol(self, now: datetime) -> Credentials:
        self._asked_at, self._refusal = now, None
        try:
            configuration = self._marti.ask("GET", "/Marti/api/tls/config")
            entries = name_entries(configuration) if configuration is not None else ()
            request = signing_request(self._marti.user, entries)
            answer = self._marti.ask("POST", self._signing_path, request.body)
        except RefusedError as error:
            self._refusal = error
            raise
        certificate, authorities = signed_certificates(answer or b"", request.key)
        pem = stored(request.key, certificate, authorities)
        credentials = self._credentials(pem)
        if _life_left(credentials, now) <= 0:
            raise EnrolmentError(f"{self._marti.target} gave us a certificate that has expired")
        self._kept = pem
        _log.info("enrolled", server=self._marti.target, subject=credentials.subject)
        try:
            _write(self._path, pem)
        except OSError as error:
            # It serves until the next start; then it has to be asked for again.
            _log.error("enrolment_not_kept", file=str(self._path), error=str(error))
        return credentials


def _life_left(credentials: Credentials, now: datetime) -> float:
    """The part of the certificate's life that is still ahead; 0 or less when it has expired."""
    certificate = credentials.certificate
    if certificate is None:
        return 0.0
    end, start = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    return (end - now).total_seconds() / max((end - start).total_seconds(), 1.0)


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, for our eyes only (0600 in a folder of 0700), even if power fails."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".enrolled-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
