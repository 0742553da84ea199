"""Keys: NaCl's box, cosign's and PKCS#8 files, signatures that openssl checks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.authority import Authority
from sightline.images import keys, secretbox
from sightline.images.errors import KeyFileError, SignatureError

# "Cryptography in NaCl" (Bernstein), section 10: key, nonce, message and box of its example.
FIRST_KEY = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
NONCE = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
MESSAGE = bytes.fromhex(
    "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c"
    "61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f"
    "21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705"
)
BOX = bytes.fromhex(
    "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1"
    "186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164"
    "548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599"
    "b1f654cb45a74e355a5"
)


def test_the_box_is_nacls():
    assert secretbox.seal(MESSAGE, key=FIRST_KEY, nonce=NONCE) == BOX
    assert secretbox.unseal(BOX, key=FIRST_KEY, nonce=NONCE) == MESSAGE


@settings(max_examples=25)
@given(st.binary(max_size=300), st.data())
def test_a_box_opens_whole_and_unchanged_only(content, data):
    box = secretbox.seal(content, key=FIRST_KEY, nonce=NONCE)
    assert secretbox.unseal(box, key=FIRST_KEY, nonce=NONCE) == content
    at = data.draw(st.integers(0, len(box) - 1))
    changed = bytearray(box)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    assert secretbox.unseal(bytes(changed), key=FIRST_KEY, nonce=NONCE) is None
    assert secretbox.unseal(box[:at], key=FIRST_KEY, nonce=NONCE) is None


@pytest.fixture(scope="module")
def locked(key) -> bytes:
    return key.locked(b"open sesame")


def test_a_locked_key_is_the_same_again_with_its_password(key, locked):
    assert keys.read_private(locked, b"open sesame", where="key").public.pem == key.public.pem
    assert b"ENCRYPTED SIGSTORE PRIVATE KEY" in locked


@pytest.mark.parametrize("password", [b"open sesamo", None])
def test_another_password_does_not_open_it_and_is_not_quoted(locked, password):
    with pytest.raises(KeyFileError) as refused:
        keys.read_private(locked, password, where="the key")
    assert "the key" in str(refused.value)
    assert "sesam" not in str(refused.value)


@pytest.mark.parametrize("cut", [60, 600])
def test_a_damaged_key_is_refused(locked, cut):
    with pytest.raises(KeyFileError):
        keys.read_private(locked[:-cut], b"open sesame", where="key")
    with pytest.raises(KeyFileError):
        keys.read_private(locked[: len(locked) // 2] + b"AAAA" + locked[len(locked) // 2 + 4 :],
                          b"open sesame", where="key")  # fmt: skip


@pytest.mark.parametrize("password", [None, "pw"])
def test_a_key_in_pkcs8_is_read(tmp_path, password):
    issued = Authority()
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    pem = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "password").write_text(f"{password}\n")
    given = tmp_path / "password" if password else None
    made = keys.private_file(tmp_path / "key.pem", given, {})
    keys.PublicKey(issued.key.public_key()).check(b"x", made.sign(b"x"), what="x")
    if password:
        with pytest.raises(KeyFileError, match="--password-file"):
            keys.private_file(tmp_path / "key.pem", None, {})
        with pytest.raises(KeyFileError):
            keys.private_file(tmp_path / "key.pem", None, {keys.PASSWORD: "another"})


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN X-----\nAA\n-----END X-----\n"])
def test_what_is_no_key_is_refused(content):
    with pytest.raises(KeyFileError):
        keys.read_private(content, b"", where="key")
    with pytest.raises(KeyFileError):
        keys.read_public(content, where="key")


def test_a_key_of_another_kind_is_refused_by_name(tmp_path):
    made = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, check=True
    )
    with pytest.raises(KeyFileError, match="another kind"):
        keys.read_private(made.stdout, None, where="key")


def test_openssl_agrees_on_what_was_signed(tmp_path, key):
    content, signature, public = tmp_path / "content", tmp_path / "der", tmp_path / "cosign.pub"
    content.write_bytes(b"what is signed")
    signature.write_bytes(key.sign(b"what is signed"))
    public.write_bytes(key.public.pem)
    asked = ("openssl", "dgst", "-sha256", "-verify", public, "-signature", signature, content)
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 0
    content.write_bytes(b"what is signee")
    assert subprocess.run(asked, capture_output=True, check=False).returncode != 0


def test_the_same_is_signed_alike_twice_and_by_nobody_else(key, other_key):
    assert key.sign(b"x") == key.sign(b"x")
    key.public.check(b"x", key.sign(b"x"), what="x")
    for content, signature in ((b"y", key.sign(b"x")), (b"x", other_key.sign(b"x")), (b"x", b"")):
        with pytest.raises(SignatureError):
            key.public.check(content, signature, what="x")


def test_a_pair_is_made_once_and_its_private_half_is_its_owners_alone(tmp_path: Path):
    environ = {keys.PASSWORD: "pw"}
    secret, public = keys.make_pair(tmp_path, None, environ)
    assert secret.stat().st_mode & 0o077 == 0
    assert keys.private_file(secret, None, environ).public.pem == public.read_bytes()
    with pytest.raises(KeyFileError, match="not replaced"):
        keys.make_pair(tmp_path, None, environ)
    with pytest.raises(KeyFileError, match="password"):
        keys.make_pair(tmp_path, None, {})


def test_nothing_that_is_shown_of_a_key_is_secret(key):
    assert "PrivateKey(…)" in f"{key!r} {key}"
