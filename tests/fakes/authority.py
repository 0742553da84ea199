"""A certificate authority for tests: whatever a TAK server's certificates may look like."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A certificate with its key and what lies between it and its root."""

    certificate: x509.Certificate
    key: Any
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """The certificate and its intermediates."""
        chain = (self.certificate, *self.above)
        return b"".join(each.public_bytes(Encoding.PEM) for each in chain)

    def key_pem(self, password: str | None = None) -> bytes:
        secret = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret)

    def p12(self, password: str = "atakatak", *, cas: tuple[x509.Certificate, ...] = ()) -> bytes:
        return pkcs12.serialize_key_and_certificates(
            b"client", self.key, self.certificate, cas, legacy(password)
        )


class Authority:
    """A root of its own, or an intermediate below `parent`."""

    def __init__(self, name: str = "Test CA", *, parent: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.parent = parent
        issuer = parent or self
        builder = _builder(self.name, issuer.name, self.key.public_key(), -DAY, 3650 * DAY)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = builder.sign(issuer.key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def revocations(self, *revoked: Issued) -> bytes:
        """Its list of them (CRL)."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(now - DAY).next_update(now + DAY)
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - DAY).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def truststore(self, password: str = "atakatak") -> bytes:
        """As TAK servers give it: PKCS#12 without any key."""
        return pkcs12.serialize_key_and_certificates(
            b"ca", None, None, [self.certificate], legacy(password)
        )

    def issue(
        self,
        name: str = "client",
        *,
        hosts: tuple[str, ...] = (),
        begins: timedelta = -DAY,
        ends: timedelta = 365 * DAY,
        key: Any = None,
        public_key: Any = None,
        subject: x509.Name | None = None,
    ) -> Issued:
        """Sign a certificate that is valid from now + `begins` until now + `ends`."""
        key = key or (None if public_key else ec.generate_private_key(ec.SECP256R1()))
        subject = subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, self.name, public_key or key.public_key(), begins, ends)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        above = (self.certificate,) if self.parent else ()
        return Issued(certificate=builder.sign(self.key, hashes.SHA256()), key=key, above=above)


def legacy(password: str) -> Any:
    """SHA-1 and 3DES, as TAK servers and taky encrypt PKCS#12."""
    return (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(10)
        .hmac_hash(hashes.SHA1())
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .build(password.encode())
    )


def server_context(
    folder: Path, issued: Issued, *, clients: Authority | None = None, **settings: Any
) -> ssl.SSLContext:
    """For a TLS server; with `clients` it requires certificates. `settings` are attributes."""
    path = folder / f"server-{issued.certificate.serial_number:x}.pem"
    path.write_bytes(issued.pem + issued.key_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if clients:
        context.load_verify_locations(cadata=clients.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: Any, begins: timedelta, ends: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
