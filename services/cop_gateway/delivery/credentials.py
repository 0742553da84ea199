"""Who we are to a TAK server, and whom we believe: our certificate and the CA of the server."""

from __future__ import annotations

import contextlib
import os
import secrets
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from cop_gateway.delivery.certificates import (
    Bundle,
    CredentialsError,
    is_authority,
    public_bytes,
    read_bundle,
)

__all__ = ["CredentialSource", "Credentials", "CredentialsError"]

# What `cryptography` says when it looks closer at a certificate that it has read.
_UNUSABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)


class CredentialSource(Protocol):
    """Where a transport gets its credentials from, each time that it connects."""

    def current(self) -> Credentials:
        """What is valid now. May read files or ask a server: call it in a thread.

        Raises CredentialsError.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """Checked: the key belongs to the certificate, and there is a CA.

    Without `certificate` we stay anonymous: for enrolment, and for servers that ask for none.
    `chain` are the certificates between ours and the CA, in order.
    """

    authorities: tuple[x509.Certificate, ...]
    certificate: x509.Certificate | None = None
    chain: tuple[x509.Certificate, ...] = ()
    key: PrivateKeyTypes | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, *, client: Bundle | None = None, key: Bundle | None = None, ca: Bundle | None = None
    ) -> Credentials:
        """Put together what the files hold; without `ca`, the CA beside our certificate counts.

        Raises CredentialsError.
        """
        trusted = ca or client
        if trusted is None:
            raise CredentialsError("neither a certificate nor a CA is configured")
        authorities = _authorities(trusted)
        if client is None:
            return cls(authorities=authorities)
        try:
            certificate, chain = _own(client, key or client)
            found = cls(
                authorities=authorities,
                certificate=certificate,
                chain=chain,
                key=(key or client).key,
            )
            _ = found.subject, found.expires_at
        except _UNUSABLE as error:
            raise CredentialsError(f"{client.name} holds an unusable certificate") from error
        return found

    @classmethod
    def from_pem(
        cls,
        *,
        certificate: bytes,
        key: bytes | None = None,
        password: str | None = None,
        ca: bytes | None = None,
    ) -> Credentials:
        """From PEM: our chain, its key (in the same bytes if not given) and the CA."""
        return cls.of(
            client=read_bundle(
                certificate, password=None if key else password, name="the certificate"
            ),
            key=read_bundle(key, password=password, name="the key") if key else None,
            ca=read_bundle(ca, name="the CA") if ca else None,
        )

    @classmethod
    def from_pkcs12(
        cls,
        data: bytes,
        password: str | None,
        *,
        ca: bytes | None = None,
        ca_password: str | None = None,
    ) -> Credentials:
        """From PKCS#12; the CA is in the truststore `ca`, else in the same file."""
        return cls.of(
            client=read_bundle(data, password=password, name="the PKCS#12 file"),
            ca=read_bundle(ca, password=ca_password, name="the truststore") if ca else None,
        )

    @property
    def subject(self) -> str | None:
        """Whom our certificate names, as in RFC 4514."""
        return self.certificate.subject.rfc4514_string() if self.certificate else None

    @property
    def expires_at(self) -> datetime | None:
        """When our certificate ends, in UTC."""
        return self.certificate.not_valid_after_utc if self.certificate else None

    def context(self, *, verify_hostname: bool = True) -> ssl.SSLContext:
        """What a TLS client needs: 1.2 or newer, our certificate, and these CAs alone.

        The server's certificate is always checked against the CAs. TAK servers often have one that
        does not name their host: `verify_hostname` off then accepts any name from that CA. An
        intermediate CA in a truststore is enough, as for Java and so for ATAK. Raises
        CredentialsError.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.check_hostname = verify_hostname
        try:
            context.load_verify_locations(cadata=_pem(self.authorities).decode())
            if self.certificate is not None and self.key is not None:
                _present(context, _pem((self.certificate, *self.chain)), self.key)
        except (ssl.SSLError, ValueError) as error:
            why = getattr(error, "reason", None) or error
            raise CredentialsError(f"OpenSSL refuses {self.subject or 'the CA'}: {why}") from error
        return context


def _authorities(trusted: Bundle) -> tuple[x509.Certificate, ...]:
    try:
        found = tuple(each for each in trusted.certificates if is_authority(each))
    except _UNUSABLE as error:
        raise CredentialsError(f"{trusted.name} holds an unusable certificate") from error
    if not found:
        raise CredentialsError(
            f"{trusted.name} holds no CA certificate to check the server against"
        )
    return found


def _own(client: Bundle, holder: Bundle) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """The certificate that the key belongs to, and what is between it and the CA."""
    if holder.key is None:
        raise CredentialsError(f"{holder.name} holds no private key")
    if not client.certificates:
        raise CredentialsError(f"{client.name} holds no certificate")
    ours = public_bytes(holder.key)
    for certificate in client.certificates:
        if public_bytes(certificate) == ours:
            return certificate, _chain(certificate, client.certificates)
    where = f"of {client.name}" if holder is client else f"in {client.name}"
    raise CredentialsError(f"the key in {holder.name} does not belong to the certificate {where}")


def _chain(
    leaf: x509.Certificate, candidates: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """From the leaf upwards, without the root, which the server must know by itself."""
    by_subject = {each.subject: each for each in candidates if each.subject != each.issuer}
    found: list[x509.Certificate] = []
    issuer = by_subject.pop(leaf.issuer, None) if leaf.issuer != leaf.subject else None
    while issuer is not None:
        found.append(issuer)
        issuer = by_subject.pop(issuer.issuer, None)
    return tuple(found)


def _pem(certificates: tuple[x509.Certificate, ...]) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def _present(context: ssl.SSLContext, chain: bytes, key: PrivateKeyTypes) -> None:
    """`load_cert_chain` reads from a path alone; what lies there is of no use to anybody else.

    The key is encrypted with a password that nobody but this call knows.
    """
    password = secrets.token_urlsafe(24)
    content = chain + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())
    )
    with _path_to(content) as path:
        context.load_cert_chain(path, password=password)


@contextlib.contextmanager
def _path_to(content: bytes) -> Iterator[Path]:
    """A path for as long as the block: in memory where the system can, else a file of our own."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("credentials")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            yield Path(f"/proc/self/fd/{descriptor}")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "credentials.pem"
        path.touch(mode=0o600)
        path.write_bytes(content)
        yield path
