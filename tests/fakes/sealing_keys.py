"""A controller's key and certificate, as Sealed Secrets makes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass(frozen=True, kw_only=True)
class SealingKey:
    """What the controller has in a Secret of its own."""

    key: rsa.RSAPrivateKey
    certificate: bytes

    @property
    def private(self) -> bytes:
        return self.key.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        )


def sealing_key(
    *,
    begins: timedelta = timedelta(days=-1),
    lasts: timedelta = timedelta(days=3650),
    bits: int = 2048,
) -> SealingKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    start = datetime.now(UTC) + begins
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + lasts)
        .sign(key, hashes.SHA256())
    )
    return SealingKey(key=key, certificate=made.public_bytes(Encoding.PEM))
