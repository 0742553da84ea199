"""The cluster's certificates: one authority, and who it says that a caller is."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """Signs for `folder`, where keys and certificates are NAME.key and NAME.crt."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test-cluster")])
        now = dt.datetime.now(dt.UTC)
        self._valid = now - dt.timedelta(minutes=5), now + dt.timedelta(days=30)
        identity = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = (
            self._blank(self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(identity, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self._issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity)
        self._write("ca", self._key, certificate)
        self._write("service-accounts", ec.generate_private_key(ec.SECP256R1()), None)

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    def sign(
        self, name: str, user: str, *groups: str, addresses: Sequence[str] = ()
    ) -> tuple[Path, Path]:
        """Certificate and key for a client, or for a server at `addresses`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = (
            self._blank(x509.Name(subject), key)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(self._issuer, critical=False)
        )
        if addresses:
            names = x509.SubjectAlternativeName([_name(each) for each in addresses])
            builder = builder.add_extension(names, critical=False)
        return self._write(name, key, builder.sign(self._key, hashes.SHA256()))

    def kubeconfig(self, path: Path, server: str, user: str, *groups: str) -> Path:
        """All in one file; it is as secret as a key."""
        certificate, key = self.sign(path.stem, user, *groups)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": _base64(self.certificate),
                    },
                }
            ],
            "users": [
                {
                    "name": user,
                    "user": {
                        "client-certificate-data": _base64(certificate),
                        "client-key-data": _base64(key),
                    },
                }
            ],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=1))
        return path

    def _blank(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._valid[0])
            .not_valid_after(self._valid[1])
        )

    def _write(
        self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate | None
    ) -> tuple[Path, Path]:
        pem = serialization.Encoding.PEM
        path = self.folder / f"{name}.key"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )
        public = self.folder / f"{name}.crt"
        if certificate is not None:
            public.write_bytes(certificate.public_bytes(pem))
        return public, path


def _name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
