"""What is said when a TAK server signs our certificate, with this package's error. Pure.

The words themselves are `sightline.tak.signing`, which `sightline secrets enrol` says too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from cop_gateway.delivery.certificates import CredentialsError
from sightline.tak import signing as tak_signing
from sightline.tak.signing import SigningRequest, stored

__all__ = [
    "EnrolmentError",
    "SigningRequest",
    "name_entries",
    "signed_certificates",
    "signing_request",
    "stored",
]


class EnrolmentError(CredentialsError):
    """The server did not give us a certificate; the message says why."""


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except tak_signing.SigningError as error:
        raise EnrolmentError(str(error)) from error


def name_entries(answer: bytes) -> tuple[tuple[str, str], ...]:
    """As `tak_signing`'s. Raises EnrolmentError."""
    with _told():
        return tak_signing.name_entries(answer)


def signing_request(user: str, entries: tuple[tuple[str, str], ...]) -> SigningRequest:
    """As `tak_signing`'s. Raises EnrolmentError."""
    with _told():
        return tak_signing.signing_request(user, entries)


def signed_certificates(
    answer: bytes, key: rsa.RSAPrivateKey
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """As `tak_signing`'s. Raises EnrolmentError."""
    with _told():
        return tak_signing.signed_certificates(answer, key)
