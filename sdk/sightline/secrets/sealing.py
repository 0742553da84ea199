"""Secrets sealed for a controller's certificate, in the format of Sealed Secrets. Pure.

A value becomes base64 of: the length of the next part (two bytes, big-endian); a session key of 32
bytes under RSA-OAEP (SHA-256, and for MGF1 as well) with the scope's label; the value under
AES-256-GCM with that key, a nonce of zeros (each key is used once) and nothing besides. The label
is what keeps a sealed value where it belongs: NAMESPACE/NAME, NAMESPACE, or nothing.

Source: github.com/bitnami-labs/sealed-secrets, pkg/crypto and pkg/apis/sealedsecrets/v1alpha1.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sightline.secrets.errors import FormatError, RefusedError
from sightline.secrets.manifests import Object, Secret

API, KIND = "bitnami.com/v1alpha1", "SealedSecret"
DOMAIN = "sealedsecrets.bitnami.com"
_SESSION_KEY, _NONCE, _TAG = 32, bytes(12), 16


class Scope(StrEnum):
    """Where a sealed value may be opened."""

    STRICT = "strict"
    """Under this name in this namespace."""
    NAMESPACE = "namespace-wide"
    """Under any name in this namespace."""
    CLUSTER = "cluster-wide"
    """Anywhere."""

    def label(self, namespace: str | None, name: str) -> bytes:
        """What a value is bound to."""
        if self is Scope.CLUSTER:
            return b""
        if not namespace:
            raise FormatError(
                f"{name}: metadata.namespace is missing: scope {self} is bound to a namespace"
            )
        return (namespace if self is Scope.NAMESPACE else f"{namespace}/{name}").encode()

    @property
    def annotations(self) -> dict[str, str]:
        """How an object says its scope."""
        return {} if self is Scope.STRICT else {f"{DOMAIN}/{self}": "true"}

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> Scope:
        """What an object's annotations say; the widest counts, as for the controller."""
        for scope in (cls.CLUSTER, cls.NAMESPACE):
            if annotations.get(f"{DOMAIN}/{scope}") == "true":
                return scope
        return cls.STRICT


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """A controller's certificate: with it one seals, and only the controller opens."""

    key: rsa.RSAPublicKey
    fingerprint: str
    """SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` has it, in small letters
    without colons."""
    begins: datetime
    ends: datetime

    def must_be_valid(self, now: datetime) -> None:
        """Raises RefusedError: nobody renews what is sealed with an old certificate."""
        if now >= self.ends:
            raise RefusedError(
                f"the certificate {self.fingerprint[:16]} ended on {self.ends:%Y-%m-%d}: fetch the"
                " present one from the controller (kubeseal --fetch-cert, or its /v1/cert.pem)"
            )
        if now < self.begins:
            raise RefusedError(
                f"the certificate {self.fingerprint[:16]} begins on {self.begins:%Y-%m-%d %H:%M}"
                " UTC: this machine's clock may be wrong"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedSecret:
    """What lies in Git. Values are base64."""

    name: str
    namespace: str | None
    scope: Scope
    data: Mapping[str, str]
    template: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> bytes:
        """What its values are bound to."""
        return self.scope.label(self.namespace, self.name)

    def manifest(self) -> Object:
        """As Kubernetes takes it."""
        metadata: Object = {"name": self.name}
        if self.namespace:
            metadata["namespace"] = self.namespace
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        return {
            "apiVersion": API,
            "kind": KIND,
            "metadata": metadata,
            "spec": {
                "encryptedData": {key: self.data[key] for key in sorted(self.data)},
                "template": dict(self.template),
            },
        }


def certificate(pem: bytes, *, name: str) -> Certificate:
    """Read a PEM certificate (the first, as kubeseal does). Raises FormatError."""
    try:
        read = x509.load_pem_x509_certificates(pem)[0]
    except ValueError as error:
        raise FormatError(f"{name}: no certificate in PEM") from error
    key = read.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise FormatError(f"{name}: the certificate's key is not RSA: this is no sealing key")
    return Certificate(
        key=key,
        fingerprint=read.fingerprint(hashes.SHA256()).hex(),
        begins=read.not_valid_before_utc,
        ends=read.not_valid_after_utc,
    )


def private_key(pem: bytes, *, name: str) -> rsa.RSAPrivateKey:
    """Read a controller's private key. Raises FormatError."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise FormatError(f"{name}: no private key in PEM without a passphrase") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise FormatError(f"{name}: the key is not RSA: this is no sealing key")
    return key


def seal_value(key: rsa.RSAPublicKey, label: bytes, value: bytes) -> str:
    """Seal a value; twice the same is not the same text."""
    session = secrets.token_bytes(_SESSION_KEY)
    wrapped = key.encrypt(session, _padding(label))
    content = AESGCM(session).encrypt(_NONCE, value, None)
    return base64.b64encode(len(wrapped).to_bytes(2) + wrapped + content).decode()


def parts(sealed: str) -> tuple[bytes, bytes]:
    """The wrapped session key and the content of a sealed value. Raises FormatError."""
    try:
        raw = base64.b64decode("".join(sealed.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise FormatError("it is not base64") from error
    length = int.from_bytes(raw[:2])
    wrapped, content = raw[2 : 2 + length], raw[2 + length :]
    if len(raw) < 2 or len(wrapped) < length or length == 0:
        raise FormatError("it is cut off: the session key is not whole")
    if len(content) < _TAG:
        raise FormatError("it is cut off: no value with its tag of 16 bytes")
    return wrapped, content


def unseal_value(keys: Sequence[rsa.RSAPrivateKey], label: bytes, sealed: str) -> bytes:
    """Open a value with whichever key fits. Raises FormatError; RefusedError when none does."""
    wrapped, content = parts(sealed)
    for key in keys:
        try:
            session = key.decrypt(wrapped, _padding(label))
            return AESGCM(session).decrypt(_NONCE, content, None)
        except (ValueError, InvalidTag):
            continue
    raise RefusedError(
        "no key opens it: it was sealed for another controller, name, namespace or scope, or was"
        " changed"
    )


def seal(
    secret: Secret,
    to: Certificate,
    scope: Scope,
    *,
    also: Mapping[str, str] | None = None,
    kept: Mapping[str, str] | None = None,
) -> SealedSecret:
    """Seal a whole Secret. `also` are annotations of ours; values in `kept` are sealed already."""
    if not secret.data:
        raise RefusedError(f"Secret {secret.name} has no values: there is nothing to seal")
    own = {
        key: value
        for key, value in secret.annotations.items()
        if key not in {f"{DOMAIN}/{each}" for each in Scope}
    }
    metadata: Object = {"name": secret.name}
    if secret.namespace:
        metadata["namespace"] = secret.namespace
    if secret.labels:
        metadata["labels"] = dict(secret.labels)
    if annotations := own | scope.annotations:
        metadata["annotations"] = annotations
    template: Object = {"metadata": metadata, "type": secret.type}
    if secret.immutable is not None:
        template["immutable"] = secret.immutable
    label = scope.label(secret.namespace, secret.name)
    return SealedSecret(
        name=secret.name,
        namespace=secret.namespace,
        scope=scope,
        data={
            key: (kept or {}).get(key) or seal_value(to.key, label, value)
            for key, value in secret.data.items()
        },
        template=template,
        annotations={**scope.annotations, **(also or {})},
    )


def unseal(sealed: SealedSecret, keys: Sequence[rsa.RSAPrivateKey]) -> Secret:
    """Open all values. Raises FormatError or RefusedError that names the first that does not."""
    data: dict[str, bytes] = {}
    for key, value in sealed.data.items():
        try:
            data[key] = unseal_value(keys, sealed.label, value)
        except (FormatError, RefusedError) as error:
            raise type(error)(f"{sealed.name}: encryptedData.{key}: {error}") from error
    metadata = sealed.template.get("metadata") or {}
    return Secret(
        name=sealed.name,
        namespace=sealed.namespace,
        data=data,
        type=sealed.template.get("type") or "Opaque",
        labels=metadata.get("labels") or {},
        annotations={
            key: value
            for key, value in (metadata.get("annotations") or {}).items()
            if not key.startswith(f"{DOMAIN}/")
        },
        immutable=sealed.template.get("immutable"),
    )


def sealed_secret(value: Mapping[str, Any], *, name: str) -> SealedSecret:
    """Read a SealedSecret. Raises FormatError that names the file and the field."""
    metadata, spec = value.get("metadata") or {}, value.get("spec") or {}
    called = metadata.get("name")
    if not isinstance(called, str) or not called:
        raise FormatError(f"{name}: metadata.name is missing of a SealedSecret")
    data = spec.get("encryptedData")
    if (
        not isinstance(data, dict)
        or not data
        or not all(isinstance(each, str) for each in data.values())
    ):
        raise FormatError(
            f"{name}: {called}: spec.encryptedData: sealed values by name are missing"
        )
    annotations = metadata.get("annotations") or {}
    return SealedSecret(
        name=called,
        namespace=metadata.get("namespace") or None,
        scope=Scope.of(annotations),
        data=data,
        template=spec.get("template") or {},
        annotations=annotations,
    )


def is_sealed(value: Mapping[str, Any]) -> bool:
    """Whether this is a SealedSecret."""
    return value.get("apiVersion") == API and value.get("kind") == KIND


def _padding(label: bytes) -> padding.OAEP:
    return padding.OAEP(
        mgf=padding.MGF1(algorithm=hashes.SHA256()), algorithm=hashes.SHA256(), label=label
    )
