"""The controller's private keys kept elsewhere, encrypted to age recipients. Pure but for age.

Whoever loses them can open nothing that lies in Git. They are Secrets with a label in the
controller's namespace, a new one every 30 days, and the old ones are needed for as long as anything
is sealed with them: all are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pyrage
from cryptography.hazmat.primitives.asymmetric import rsa

from sightline.secrets import manifests, sealing
from sightline.secrets.errors import FormatError, RefusedError
from sightline.secrets.manifests import Object
from sightline.steps import Step

LABEL = "sealedsecrets.bitnami.com/sealed-secrets-key"
NAMESPACE = "kube-system"
KEY, CERTIFICATE = "tls.key", "tls.crt"
_MAGIC = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")


class EscrowedKey(msgspec.Struct, frozen=True, kw_only=True):
    """What may be told of a key."""

    name: str
    fingerprint: str
    """Of its certificate."""
    begins: datetime
    ends: datetime
    state: str
    """The label's value: active, or compromised."""


class EscrowStep(Step, frozen=True, kw_only=True, tag="escrow"):
    """A key is taken into the file."""

    name: str
    fingerprint: str

    @property
    def sentence(self) -> str:
        """As an order."""
        return f"take the key {self.name} (certificate {self.fingerprint[:16]})"


def keys(secrets: Sequence[Mapping[str, Any]]) -> tuple[list[EscrowedKey], Object]:
    """The keys among Secrets, each checked, and one object that holds them all for kubectl.

    Raises RefusedError where there is none, FormatError where a key is not its certificate's.
    """
    told: list[EscrowedKey] = []
    kept: list[Object] = []
    for each in secrets:
        metadata = each.get("metadata") or {}
        if LABEL not in (metadata.get("labels") or {}):
            continue
        secret = manifests.secret(each, name="the controller's keys")
        key, certificate = _pair(secret)
        if key.public_key().public_numbers() != certificate.key.public_numbers():
            raise FormatError(f"Secret {secret.name}: {KEY} does not belong to {CERTIFICATE}")
        told.append(
            EscrowedKey(
                name=secret.name,
                fingerprint=certificate.fingerprint,
                begins=certificate.begins,
                ends=certificate.ends,
                state=secret.labels[LABEL],
            )
        )
        kept.append(secret.manifest())
    if not told:
        raise RefusedError(
            f"no Secret with the label {LABEL}: is this the controller's namespace, and may we read"
            " its Secrets?"
        )
    told.sort(key=lambda each: each.begins)
    return told, manifests.listed(kept)


def closed(plain: Object, recipients: Sequence[str]) -> bytes:
    """The file. Raises RefusedError without a recipient, FormatError for one that is none."""
    if not recipients:
        raise RefusedError("an age recipient is needed: whoever is to open it once")
    made = [_recipient(each) for each in recipients]
    encrypted: bytes = pyrage.encrypt(msgspec.json.encode(plain), made, armored=True)
    return encrypted


def opened(content: bytes, identities: str, *, name: str) -> Object:
    """What is in the file. Raises FormatError, or RefusedError where no identity opens it."""
    if not content.startswith(_MAGIC):
        raise FormatError(f"{name}: not encrypted with age: no file of this command")
    lines = [line.strip() for line in identities.splitlines()]
    given = [line for line in lines if line.startswith("AGE-SECRET-KEY-")]
    try:
        plain = pyrage.decrypt(content, list(map(pyrage.x25519.Identity.from_str, given)))
    except (pyrage.DecryptError, pyrage.IdentityError):
        raise RefusedError(f"{name}: this identity does not open it, or it was changed") from None
    try:
        found: Object = msgspec.json.decode(plain, type=dict[str, Any])
    except msgspec.DecodeError:
        raise FormatError(f"{name}: what is in it is no list of Secrets") from None
    return found


def pems(plain: Object) -> dict[str, bytes]:
    """Each key as a file, for `verify --key`: by name."""
    found = [manifests.secret(each, name="the escrow") for each in plain.get("items", ())]
    return {f"{each.name}.key": each.data[KEY] for each in found if KEY in each.data}


def _pair(secret: manifests.Secret) -> tuple[rsa.RSAPrivateKey, sealing.Certificate]:
    for part in (KEY, CERTIFICATE):
        if part not in secret.data:
            raise FormatError(f"Secret {secret.name}: {part} is missing: this is no sealing key")
    where = f"Secret {secret.name}"
    return (
        sealing.private_key(secret.data[KEY], name=f"{where}: {KEY}"),
        sealing.certificate(secret.data[CERTIFICATE], name=f"{where}: {CERTIFICATE}"),
    )


def _recipient(text: str) -> pyrage.x25519.Recipient | pyrage.ssh.Recipient:
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise FormatError(f"{text[:12]}… is no age recipient: age1… or an ssh key") from error
