"""cosign's formats, as values: what is signed of an image, and where the signature lies beside it.

A signature of an image is an image itself, at the tag sha256-….sig of the same repository: each
layer is a payload ("simple signing") that names the image's digest, and the signature of its bytes
is the layer's annotation. A statement about an image (in-toto) lies likewise at sha256-….att, each
layer an envelope (DSSE) that has the signature within.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from sightline.images import oci
from sightline.images.errors import SignatureError
from sightline.images.keys import PrivateKey, PublicKey
from sightline.images.oci import Descriptor, Manifest

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
STATEMENT = "application/vnd.in-toto+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
PREDICATE = "predicateType"
TYPE = "cosign container image signature"


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A payload or an envelope, with what is said of it in the manifest."""

    descriptor: Descriptor
    content: bytes

    @property
    def signature(self) -> bytes:
        """Of a payload. Raises SignatureError."""
        return unpacked(self.descriptor.annotations.get(SIGNATURE, ""), what="a signature")


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be put beside an image: an image of such layers."""

    manifest: bytes
    descriptor: Descriptor
    blobs: tuple[tuple[Descriptor, bytes], ...]


class _Identity(msgspec.Struct, frozen=True, kw_only=True):
    docker_reference: str = msgspec.field(name="docker-reference", default="")


class _Image(msgspec.Struct, frozen=True, kw_only=True):
    docker_manifest_digest: str = msgspec.field(name="docker-manifest-digest")


class _Critical(msgspec.Struct, frozen=True, kw_only=True):
    identity: _Identity
    image: _Image
    type: str


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    critical: _Critical
    optional: dict[str, Any] | None = None


class _Signed(msgspec.Struct, frozen=True, kw_only=True):
    keyid: str = ""
    sig: str


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    payload_type: str
    payload: str
    signatures: tuple[_Signed, ...]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement is about."""

    name: str
    digest: dict[str, str]


class Statement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """in-toto's, version 1."""

    type_: str = msgspec.field(name="_type", default="https://in-toto.io/Statement/v1")
    subject: tuple[Subject, ...]
    predicate_type: str
    predicate: Any

    def is_about(self, digest: str) -> bool:
        """Whether this is one of its subjects."""
        wanted = digest.removeprefix("sha256:")
        return any(each.digest.get("sha256") == wanted for each in self.subject)


def packed(signature: bytes) -> str:
    """As text."""
    return base64.b64encode(signature).decode()


def unpacked(text: str, *, what: str) -> bytes:
    """Raises SignatureError."""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError(f"{what} is not base64") from None


def sign(digest: str, repository: str, key: PrivateKey) -> Layer:
    """A payload that names the image, signed."""
    content = msgspec.json.encode(
        _Payload(
            critical=_Critical(
                identity=_Identity(docker_reference=repository),
                image=_Image(docker_manifest_digest=digest),
                type=TYPE,
            )
        )
    )
    annotations = {SIGNATURE: packed(key.sign(content))}
    return Layer(
        descriptor=oci.described(content, PAYLOAD, annotations=annotations), content=content
    )


def check(layer: Layer, digest: str, key: PublicKey) -> None:
    """Raises SignatureError unless this key signed this image."""
    key.check(layer.content, layer.signature, what=f"the signature of {digest}")
    try:
        payload = msgspec.json.decode(layer.content, type=_Payload)
    except msgspec.DecodeError as error:
        raise SignatureError(f"what was signed is no payload of cosign: {error}") from error
    if payload.critical.type != TYPE:
        raise SignatureError(f"what was signed is a {payload.critical.type!r}, not an image")
    if payload.critical.image.docker_manifest_digest != digest:
        signed = payload.critical.image.docker_manifest_digest
        raise SignatureError(f"the signature is of {signed}, not of {digest}")


def _authenticated(kind: str, body: bytes) -> bytes:
    """What DSSE signs: both with their lengths, so that neither can pass for the other."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(body), body)


def attest(statement: Statement, key: PrivateKey) -> Layer:
    """A statement in its envelope, signed."""
    body = msgspec.json.encode(statement)
    signature = packed(key.sign(_authenticated(STATEMENT, body)))
    content = msgspec.json.encode(
        _Envelope(
            payload_type=STATEMENT,
            payload=base64.b64encode(body).decode(),
            signatures=(_Signed(sig=signature),),
        )
    )
    annotations = {SIGNATURE: "", PREDICATE: statement.predicate_type}
    return Layer(
        descriptor=oci.described(content, ENVELOPE, annotations=annotations), content=content
    )


def checked_statement(layer: Layer, digest: str, key: PublicKey) -> Statement:
    """What is said about this image, signed by this key. Raises SignatureError."""
    try:
        envelope = msgspec.json.decode(layer.content, type=_Envelope)
    except msgspec.DecodeError as error:
        raise SignatureError(f"the attestation of {digest} is no envelope: {error}") from error
    body = unpacked(envelope.payload, what="the attestation's payload")
    if envelope.payload_type != STATEMENT or len(envelope.signatures) != 1:
        raise SignatureError(f"the attestation of {digest} is not one statement with one signature")
    signature = unpacked(envelope.signatures[0].sig, what="the attestation's signature")
    what = f"the attestation of {digest}"
    key.check(_authenticated(STATEMENT, body), signature, what=what)
    try:
        statement = msgspec.json.decode(body, type=Statement)
    except msgspec.DecodeError as error:
        raise SignatureError(f"what was attested is no statement of in-toto: {error}") from error
    if not statement.is_about(digest):
        raise SignatureError(f"the attestation is not about {digest}")
    return statement


def sidecar(layers: Sequence[Layer]) -> Sidecar:
    """An image of these, as cosign makes it: without a time, so that the same is the same."""
    empty = "0001-01-01T00:00:00Z"
    config = msgspec.json.encode(
        {
            "architecture": "",
            "created": empty,
            "history": [{"created": empty} for _ in layers],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [each.descriptor.digest for each in layers]},
            "config": {},
        }
    )
    about = oci.described(config, oci.CONFIG)
    manifest = oci.written(
        Manifest(
            media_type=oci.MANIFEST,
            config=about,
            layers=tuple(each.descriptor for each in layers),
        )
    )
    return Sidecar(
        manifest=manifest,
        descriptor=oci.described(manifest, oci.MANIFEST),
        blobs=((about, config), *((each.descriptor, each.content) for each in layers)),
    )


def without(layers: Sequence[Layer], predicate_type: str) -> list[Layer]:
    """Those that say something else."""
    return [each for each in layers if each.descriptor.annotations.get(PREDICATE) != predicate_type]
