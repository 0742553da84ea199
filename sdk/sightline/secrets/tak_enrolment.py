"""A certificate from a TAK server for a user with a password: asked for once, renewed in time.

It lies in a folder as the gateway reads it (`tls.certificate`, `tls.ca`): client.pem has the key,
the certificate and what is above it in one file, so that they can never be mixed up; ca.pem has
whom to trust.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from sightline.secrets.errors import FormatError, SourceError, UnreachableError
from sightline.secrets.folder import Folder
from sightline.steps import Step
from sightline.tak import signing as tak_signing

CLIENT, AUTHORITIES = "client.pem", "ca.pem"
PORT = 8446
_SECONDS = 15.0
_LARGEST = 1024 * 1024


class EnrolStep(Step, frozen=True, kw_only=True, tag="enrol"):
    """A certificate is asked for."""

    server: str
    user: str
    why: str

    @property
    def sentence(self) -> str:
        """As an order."""
        return f"enrol {self.user} with {self.server}: {self.why}"


class Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in the folder."""

    subject: str
    issuer: str
    begins: datetime
    ends: datetime
    fingerprint: str
    certificate: str
    """The file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """Where to enrol, and as whom. Either a password or a token."""

    host: str
    port: int
    user: str
    ca: tuple[x509.Certificate, ...]
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    server_name: str | None = None
    verify_hostname: bool = True

    @property
    def target(self) -> str:
        """For people."""
        return f"https://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def authorities(content: bytes, *, password: str | None, name: str) -> tuple[x509.Certificate, ...]:
    """Whom to trust: of PEM, or of a truststore (PKCS#12) as TAK servers give it."""
    try:
        if b"-----BEGIN " in content:
            return tuple(x509.load_pem_x509_certificates(content))
        store = pkcs12.load_pkcs12(content, password.encode() if password else None)
    except ValueError:
        raise FormatError(
            f"{name}: neither certificates in PEM nor a PKCS#12 that this password opens"
        ) from None
    found = tuple(each.certificate for each in store.additional_certs)
    if not found:
        raise FormatError(f"{name}: there is no CA certificate in it")
    return found


def enrolled(folder: Folder) -> Enrolled | None:
    """What lies there. Raises FormatError where it cannot be read."""
    if not folder.has(CLIENT):
        return None
    path = folder.path / CLIENT
    try:
        certificate = x509.load_pem_x509_certificates(folder.read(CLIENT))[0]
        return _told(certificate, path)
    except ValueError:
        raise FormatError(f"{path}: no certificate in PEM: take it away to enrol again") from None


def due(present: Enrolled | None, *, now: datetime, before: timedelta) -> str | None:
    """Why to enrol now, if at all. One that lives shortly is renewed at its last third."""
    if present is None:
        return "there is no certificate yet"
    if now >= present.ends:
        return f"the certificate ended on {present.ends:%Y-%m-%d}"
    margin = min(before, (present.ends - present.begins) / 3)
    if now + margin >= present.ends:
        return f"the certificate ends on {present.ends:%Y-%m-%d %H:%M} UTC"
    return None


def enrol(
    server: Server,
    folder: Folder,
    *,
    client_uid: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Enrolled:
    """Ask for a certificate with a new key, and keep it. Raises SourceError, FormatError."""
    try:
        request, certificate, above = _signed(server, client_uid)
    except tak_signing.SigningError as error:
        raise FormatError(str(error)) from error
    if now() >= certificate.not_valid_after_utc:
        raise SourceError(f"{server.target} gave a certificate that has ended")
    trusted = tuple(dict.fromkeys((*above, *server.ca)))
    # Whom to trust first: the new certificate may need it.
    folder.write(AUTHORITIES, b"".join(each.public_bytes(Encoding.PEM) for each in trusted))
    folder.write(CLIENT, tak_signing.stored(request.key, certificate, above))
    return _told(certificate, folder.path / CLIENT)


def _signed(
    server: Server, client_uid: str
) -> tuple[tak_signing.SigningRequest, x509.Certificate, tuple[x509.Certificate, ...]]:
    entries = tak_signing.name_entries(_ask(server, "GET", "/Marti/api/tls/config") or b"<none/>")
    request = tak_signing.signing_request(server.user, entries)
    query = urlencode({"clientUid": client_uid, "version": "1"})
    path = f"/Marti/api/tls/signClient/v2?{query}"
    answer = _ask(server, "POST", path, request.body)
    return (request, *tak_signing.signed_certificates(answer or b"", request.key))


def _ask(server: Server, method: str, path: str, body: bytes | None = None) -> bytes | None:
    """The answer's body; None when the server does not know the path of a question (404)."""
    with _connected(server) as connection:
        connection.request(method, path, body, _headers(server, signing=body is not None))
        response = connection.getresponse()
        content = response.read(_LARGEST + 1)
    if response.status in (401, 403):
        raise SourceError(f"{server.target} refused {server.user} or the password")
    if response.status == 404 and body is None:
        return None
    if response.status != 200:
        raise SourceError(f"{server.target} answered {response.status} {response.reason[:80]!r}")
    if len(content) > _LARGEST:
        raise SourceError(f"{server.target} answered more than {_LARGEST} bytes")
    return content


def _headers(server: Server, *, signing: bool) -> dict[str, str]:
    shown = f"Bearer {server.token}"
    if server.token is None:
        pair = f"{server.user}:{server.password or ''}".encode()
        shown = f"Basic {base64.b64encode(pair).decode()}"
    headers = {
        "Authorization": shown,
        # OpenTAKServer answers in JSON to those who ask for exactly this.
        "Accept": "application/json" if signing else "application/xml",
        "Connection": "close",
    }
    return {**headers, "Content-Type": "application/pkcs10"} if signing else headers


@contextlib.contextmanager
def _connected(server: Server) -> Iterator[http.client.HTTPConnection]:
    """TLS by the CA that was given, and by no other: the password goes to nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # An intermediate CA in a truststore is enough, as for ATAK.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = server.verify_hostname
    pem = b"".join(each.public_bytes(Encoding.PEM) for each in server.ca)
    context.load_verify_locations(cadata=pem.decode())
    connection = http.client.HTTPConnection(server.host, server.port, timeout=_SECONDS)
    try:
        with contextlib.closing(connection):
            plain = socket.create_connection((server.host, server.port), _SECONDS)
            connection.sock = plain
            connection.sock = context.wrap_socket(
                plain, server_hostname=server.server_name or server.host
            )
            yield connection
    except ssl.SSLCertVerificationError as error:
        raise SourceError(f"{server.target}: its certificate is not good: {error.verify_message}"
                          ) from error  # fmt: skip
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreachableError(f"{server.target} cannot be asked: {why}") from error


def _told(certificate: x509.Certificate, path: Path) -> Enrolled:
    return Enrolled(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        begins=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        certificate=str(path),
    )
