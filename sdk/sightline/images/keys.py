"""Key pairs: ECDSA, as cosign makes them or as PKCS#8 PEM; signatures that openssl checks.

A password comes from a file or the environment (COSIGN_PASSWORD, as cosign has it), never from the
command line, which everybody on a machine can read.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from sightline.images import secretbox
from sightline.images.errors import KeyFileError, SignatureError

PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - a variable's name
_LABELS = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
_COSTS = ((32768, 8, 1), (65536, 8, 1))
"""N, r and p of scrypt as cosign has ever written them; it reads no others."""


class _Parameters(msgspec.Struct, frozen=True, kw_only=True):
    N: int
    r: int
    p: int


class _Derivation(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    params: _Parameters
    salt: bytes


class _Cipher(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    nonce: bytes


class _Locked(msgspec.Struct, frozen=True, kw_only=True):
    kdf: _Derivation
    cipher: _Cipher
    ciphertext: bytes


class PrivateKey:
    """Signs. Never shown."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "PrivateKey(…)"

    @property
    def public(self) -> PublicKey:
        """What checks its signatures."""
        return PublicKey(self._key.public_key())

    def sign(self, content: bytes) -> bytes:
        """DER, of SHA-256. Of the same content it is the same (RFC 6979): bundles are, too."""
        return self._key.sign(content, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def locked(self, password: bytes) -> bytes:
        """As cosign keeps it."""
        plain = self._key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        cost, salt = _COSTS[1], secrets.token_bytes(32)
        nonce = secrets.token_bytes(secretbox.NONCE_BYTES)
        box = _Locked(
            kdf=_Derivation(
                name="scrypt",
                params=_Parameters(N=cost[0], r=cost[1], p=cost[2]),
                salt=salt,
            ),
            cipher=_Cipher(name="nacl/secretbox", nonce=nonce),
            ciphertext=secretbox.seal(plain, key=_derived(password, salt, cost), nonce=nonce),
        )
        return _armoured(_LABELS[0], msgspec.json.encode(box))


class PublicKey:
    """Checks signatures."""

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        self._key = key

    @property
    def pem(self) -> bytes:
        """As cosign and openssl read it."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def check(self, content: bytes, signature: bytes, *, what: str) -> None:
        """Raises SignatureError unless this key signed exactly this."""
        try:
            self._key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise SignatureError(f"{what} was not signed by this key, or was changed") from None


def generated() -> PrivateKey:
    """A new one, P-256, which is what cosign makes."""
    return PrivateKey(ec.generate_private_key(ec.SECP256R1()))


def read_private(content: bytes, password: bytes | None, *, where: str) -> PrivateKey:
    """Raises KeyFileError, in which neither the key nor the password is quoted."""
    label, body = _unarmoured(content)
    if label in _LABELS:
        return _unlocked(body, password, where)
    if "PRIVATE KEY" not in label:
        raise KeyFileError(f"{where} is no private key, neither cosign's nor PKCS#8 in PEM")
    if label != "ENCRYPTED PRIVATE KEY":
        password = None
    elif password is None:
        raise KeyFileError(_needs(where))
    try:
        key = serialization.load_pem_private_key(content, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError(f"{where} cannot be read: damaged, or another password") from None
    return PrivateKey(_elliptic(key, where))


def read_public(content: bytes, *, where: str) -> PublicKey:
    """Raises KeyFileError."""
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFileError(f"{where} is no public key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise KeyFileError(f"{where} is of another kind: ECDSA keys are used here")
    return PublicKey(key)


def private_file(
    path: Path, password_file: Path | None, environ: Mapping[str, str] = os.environ
) -> PrivateKey:
    """Of files. Raises KeyFileError."""
    password = _password(password_file, environ)
    return read_private(_content(path), password, where=str(path))


def make_pair(
    folder: Path, password_file: Path | None, environ: Mapping[str, str] = os.environ
) -> tuple[Path, Path]:
    """cosign.key and cosign.pub, which must not be there yet. Raises KeyFileError."""
    password = _password(password_file, environ)
    if password is None:
        raise KeyFileError(
            f"a private key is kept locked: name a file with its password with --password-file,"
            f" or set {PASSWORD}"
        )
    secret, public = folder / "cosign.key", folder / "cosign.pub"
    made = generated()
    try:
        for path, mode, content in (
            (secret, 0o600, made.locked(password)),
            (public, 0o644, made.public.pem),
        ):
            # Nobody else may read it, not even for the moment between two calls.
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(number, "wb") as out:
                out.write(content)
    except FileExistsError as error:
        raise KeyFileError(f"{error.filename} is there already: it is not replaced") from error
    except OSError as error:
        raise KeyFileError(f"{error.filename} cannot be written: {error.strerror}") from error
    return secret, public


def public_file(path: Path) -> PublicKey:
    """Of a file. Raises KeyFileError."""
    return read_public(_content(path), where=str(path))


def _password(file: Path | None, environ: Mapping[str, str]) -> bytes | None:
    if file is not None:
        return _content(file).rstrip(b"\r\n")
    return environ[PASSWORD].encode() if PASSWORD in environ else None


def _unlocked(body: bytes, password: bytes | None, where: str) -> PrivateKey:
    try:
        box = msgspec.json.decode(body, type=_Locked)
    except msgspec.DecodeError:
        raise KeyFileError(f"{where} is damaged") from None
    cost = (box.kdf.params.N, box.kdf.params.r, box.kdf.params.p)
    if (box.kdf.name, box.cipher.name) != ("scrypt", "nacl/secretbox") or cost not in _COSTS:
        raise KeyFileError(f"{where} is locked in a way that cosign does not know")
    if password is None:
        raise KeyFileError(_needs(where))
    if len(box.cipher.nonce) != secretbox.NONCE_BYTES:
        raise KeyFileError(f"{where} is damaged")
    plain = secretbox.unseal(
        box.ciphertext, key=_derived(password, box.kdf.salt, cost), nonce=box.cipher.nonce
    )
    if plain is None:
        raise KeyFileError(f"{where} cannot be unlocked: another password, or damaged")
    try:
        key = serialization.load_der_private_key(plain, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError(f"{where} is damaged") from None
    return PrivateKey(_elliptic(key, where))


def _needs(where: str) -> str:
    return f"{where} is locked: name the password's file with --password-file, or set {PASSWORD}"


def _elliptic(key: object, where: str) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyFileError(f"{where} is of another kind: ECDSA keys are used here")
    return key


def _derived(password: bytes, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    scrypt = Scrypt(salt=salt, length=secretbox.KEY_BYTES, n=cost[0], r=cost[1], p=cost[2])
    return scrypt.derive(password)


def _armoured(label: str, body: bytes) -> bytes:
    text = base64.b64encode(body).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()


def _unarmoured(content: bytes) -> tuple[str, bytes]:
    lines = content.decode("ascii", errors="replace").split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    if (
        len(lines) < 3
        or not lines[0].startswith("-----BEGIN ")
        or not lines[-1].startswith("-----END ")
    ):
        return "", b""
    label = lines[0].removeprefix("-----BEGIN ").removesuffix("-----")
    try:
        return label, base64.b64decode("".join(lines[1:-1]))
    except binascii.Error:
        return label, b""


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error
