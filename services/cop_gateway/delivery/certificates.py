"""Certificates and keys out of the files that TAK servers hand out: PEM and PKCS#12. Pure.

TAK Server's scripts make PKCS#12 with RC2-40 and 3DES (RFC 7292 appendix C), taky with 3DES, newer
OpenSSL and Java with PBES2. `cryptography` reads them all where its OpenSSL has the legacy
provider.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)

from cop_gateway.delivery.errors import DeliveryError
from telemetry.redaction import SECRETS

_KEY = re.compile(rb"-----BEGIN ((?:RSA |EC |DSA |ENCRYPTED )?PRIVATE KEY-----)")
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_JAVA_KEYSTORES = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")
# pbeWithSHAAnd…RC4 and …RC2-CBC are 1.2.840.113549.1.12.1.{1,2,5,6} (RFC 7292 appendix C).
_OLD_ENCRYPTION = re.compile(rb"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01[\x01\x02\x05\x06]")


class CredentialsError(DeliveryError):
    """A certificate, a key or a package that cannot be used; the message names the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What one file holds, in its own order. `name` is the file, for people."""

    name: str
    certificates: tuple[x509.Certificate, ...] = ()
    key: PrivateKeyTypes | None = field(default=None, repr=False)


def read_bundle(data: bytes, *, password: str | None = None, name: str) -> Bundle:
    """Read PEM, PKCS#12 or a single DER certificate; which of them, the bytes say.

    Raises CredentialsError naming the file and what is wrong, never the password.
    """
    SECRETS.register(password)
    if data.startswith(_JAVA_KEYSTORES):
        raise CredentialsError(
            f"{name} is a Java keystore (JKS): give the .p12 or .pem that belongs to it"
        )
    if b"-----BEGIN " in data:
        return Bundle(
            name=name,
            certificates=_pem_certificates(data, name),
            key=_pem_key(data, password, name),
        )
    return _pkcs12(data, password, name)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may vouch for others: basicConstraints say so, or it has signed itself.

    Source: RFC 5280 section 4.2.1.9; version 1 roots have no constraints.
    """
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return certificate.issuer == certificate.subject
    return constraints.value.ca


def public_bytes(owner: x509.Certificate | PrivateKeyTypes) -> bytes:
    """The public key, in the one form in which two of them can be compared."""
    return owner.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _pem_certificates(data: bytes, name: str) -> tuple[x509.Certificate, ...]:
    if _CERTIFICATE not in data:
        return ()
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except ValueError as error:
        raise CredentialsError(f"{name} holds a certificate that cannot be read") from error


def _pem_key(data: bytes, password: str | None, name: str) -> PrivateKeyTypes | None:
    found = _KEY.search(data)
    if found is None:
        return None
    end = data.find(b"-----END " + found[1], found.end())
    if end < 0:
        raise CredentialsError(f"{name} holds a key that cannot be read: its end is missing")
    block = data[found.start() : end] + b"-----END " + found[1] + b"\n"
    encrypted = b"ENCRYPTED" in block
    if encrypted and not password:
        raise CredentialsError(f"{name} holds an encrypted key, and there is no password for it")
    try:
        return load_pem_private_key(block, (password or "").encode() if encrypted else None)
    except (ValueError, TypeError) as error:
        what = "the password is wrong, or the key is damaged" if encrypted else "it is damaged"
        raise CredentialsError(f"{name} holds a key that cannot be read: {what}") from error
    except UnsupportedAlgorithm as error:
        raise CredentialsError(f"{name} holds a key of a kind that cannot be used") from error


def _pkcs12(data: bytes, password: str | None, name: str) -> Bundle:
    try:
        content = pkcs12.load_pkcs12(data, password.encode() if password else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if "deserialize" in str(error):
            return _der(data, name)
        why = "the password is wrong or missing, or the file is damaged"
        if _OLD_ENCRYPTION.search(data):
            why += (
                "; it has an old encryption (RC2 or RC4), which this OpenSSL may not offer:"
                " `openssl pkcs12 -legacy` converts it"
            )
        raise CredentialsError(f"{name} cannot be opened: {why}") from error
    own = [content.cert.certificate] if content.cert else []
    others = [each.certificate for each in content.additional_certs]
    return Bundle(name=name, certificates=(*own, *others), key=content.key)


def _der(data: bytes, name: str) -> Bundle:
    try:
        return Bundle(name=name, certificates=(x509.load_der_x509_certificate(data),))
    except ValueError as error:
        raise CredentialsError(f"{name} is neither PEM nor PKCS#12") from error
