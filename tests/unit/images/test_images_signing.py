"""Signatures of images: cosign's format, openssl's check, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import subprocess

import msgspec
import pytest

from fakes import container_images
from sightline.images import layout, oci, provenance, sbom, signatures, signing
from sightline.images.errors import AbsentError, SignatureError
from sightline.images.reference import kin
from sightline.images.signatures import Layer, Statement, Subject

NAME = "registry.example/sightline-cli"


@pytest.fixture
def signed(tmp_path, key):
    place = container_images.image(tmp_path / "layout")
    signing.sign(place, place.image, NAME, key)
    return place


def statement(digest: str, kind: str = provenance.PREDICATE) -> Statement:
    subject = Subject(name=NAME, digest={"sha256": digest.removeprefix("sha256:")})
    return Statement(subject=(subject,), predicate_type=kind, predicate={"x": 1})


def replaced(place, suffix: str, layers: list[Layer]) -> None:
    """Somebody puts other layers in a sidecar's place."""
    made = signatures.sidecar(layers)
    for descriptor, content in made.blobs:
        place.put_blob(descriptor, io.BytesIO(content))
    place.put_manifest(made.descriptor, made.manifest, kin(place.image.digest, suffix))


def layers(place, suffix: str) -> list[Layer]:
    return signing.layers(place, kin(place.image.digest, suffix))


def test_it_lies_where_cosign_looks_and_says_what_cosign_reads(signed):
    digest = signed.image.digest
    found = signed.find("sha256-" + digest.removeprefix("sha256:") + ".sig")
    manifest = json.loads((signed.path / "blobs" / found.digest.replace(":", "/")).read_bytes())
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
    payload = json.loads((signed.path / "blobs" / layer["digest"].replace(":", "/")).read_bytes())
    assert payload["critical"]["image"]["docker-manifest-digest"] == digest
    assert payload["critical"]["identity"]["docker-reference"] == NAME
    assert payload["critical"]["type"] == "cosign container image signature"


def test_openssl_alone_checks_it(signed, key, other_key, tmp_path):
    """As docs/reference/images.md says."""
    (layer,) = layers(signed, "sig")
    (tmp_path / "payload.json").write_bytes(layer.content)
    (tmp_path / "signature").write_text(layer.descriptor.annotations[signatures.SIGNATURE])
    (tmp_path / "cosign.pub").write_bytes(key.public.pem)
    (tmp_path / "other.pub").write_bytes(other_key.public.pem)
    unpack = ("openssl", "base64", "-d", "-A", "-in", "signature", "-out", "signature.der")
    subprocess.run(unpack, cwd=tmp_path, check=True)

    def verified(public: str) -> bool:
        asked = ("openssl", "dgst", "-sha256", "-verify", public, "-signature", "signature.der",
                 "payload.json")  # fmt: skip
        return subprocess.run(asked, cwd=tmp_path, capture_output=True, check=False).returncode == 0

    assert verified("cosign.pub")
    assert not verified("other.pub")
    (tmp_path / "payload.json").write_bytes(layer.content.replace(b"sha256:", b"sha256;"))
    assert not verified("cosign.pub")


def test_it_is_verified_by_its_key_and_no_other(signed, key, other_key):
    assert signing.verify(signed, signed.image, key.public).digest == signed.image.digest
    with pytest.raises(SignatureError, match="not signed by this key"):
        signing.verify(signed, signed.image, other_key.public)


def test_an_image_without_a_signature_is_refused(tmp_path, key):
    place = container_images.image(tmp_path / "layout")
    with pytest.raises(SignatureError, match="is not signed"):
        signing.verify(place, place.image, key.public)


def test_a_signature_of_another_image_is_refused(signed, key, tmp_path):
    other = container_images.image(tmp_path / "other", {"a": b"other"})
    made = signatures.sign(other.image.digest, NAME, key)
    replaced(signed, "sig", [made])
    with pytest.raises(SignatureError, match=other.image.digest):
        signing.verify(signed, signed.image, key.public)


def test_a_changed_payload_is_refused(signed, key):
    (layer,) = layers(signed, "sig")
    content = layer.content.replace(NAME.encode(), b"registry.example/sightline-clj")
    assert content != layer.content
    descriptor = oci.described(
        content, signatures.PAYLOAD, annotations=layer.descriptor.annotations
    )
    replaced(signed, "sig", [Layer(descriptor=descriptor, content=content)])
    with pytest.raises(SignatureError, match="was changed"):
        signing.verify(signed, signed.image, key.public)


def test_what_was_signed_as_something_else_is_no_signature_of_an_image(signed, key):
    content = msgspec.json.encode(
        {
            "critical": {
                "identity": {"docker-reference": NAME},
                "image": {"docker-manifest-digest": signed.image.digest},
                "type": "atomic container signature",
            }
        }
    )
    annotations = {signatures.SIGNATURE: signatures.packed(key.sign(content))}
    descriptor = oci.described(content, signatures.PAYLOAD, annotations=annotations)
    replaced(signed, "sig", [Layer(descriptor=descriptor, content=content)])
    with pytest.raises(SignatureError, match="atomic"):
        signing.verify(signed, signed.image, key.public)


def test_two_sign_and_either_key_verifies(signed, key, other_key):
    signing.sign(signed, signed.image, NAME, other_key)
    signing.sign(signed, signed.image, NAME, other_key)
    for each in (key, other_key):
        signing.verify(signed, signed.image, each.public)
    assert len(layers(signed, "sig")) == 2


def test_what_is_said_is_believed_of_the_keys_owner_alone(signed, key, other_key):
    image = signed.image
    signing.attest(signed, image, statement(image.digest), key)
    signing.attest(signed, image, statement(image.digest, sbom.PREDICATE), other_key)
    found = signing.verify(signed, image, key.public)
    assert (found.statements, found.foreign) == ((provenance.PREDICATE,), 1)
    signing.attest(signed, image, statement(image.digest), key)
    assert len(layers(signed, "att")) == 2


@pytest.mark.parametrize("change", ["payload", "subject", "type"])
def test_a_statement_that_was_changed_is_not_believed(signed, key, change):
    digest = "sha256:" + "0" * 64 if change == "subject" else signed.image.digest
    made = signatures.attest(statement(digest), key)
    envelope = json.loads(made.content)
    if change == "payload":
        body = base64.b64decode(envelope["payload"]).replace(b'"x":1', b'"x":2')
        envelope["payload"] = base64.b64encode(body).decode()
    if change == "type":
        envelope["payloadType"] = "application/json"
    content = json.dumps(envelope).encode()
    descriptor = oci.described(content, signatures.ENVELOPE)
    replaced(signed, "att", [Layer(descriptor=descriptor, content=content)])
    found = signing.verify(signed, signed.image, key.public)
    assert (found.statements, found.foreign) == ((), 1)


def test_the_same_image_signed_twice_is_the_same_bytes(tmp_path, key):
    first, second = (container_images.image(tmp_path / each) for each in ("a", "b"))
    assert signing.sign(first, first.image, NAME, key) == signing.sign(
        second, second.image, NAME, key
    )


def test_a_layout_is_found_again_with_its_image_beside_its_signatures(signed):
    again = layout.opened(signed.path)
    assert again.image.digest == signed.image.digest
    with pytest.raises(AbsentError, match=r"sightline-cli:1\.0"):
        again.find("sightline-cli:2.0")


def test_a_file_is_signed_and_whatever_is_changed_of_it_refused(tmp_path, key, other_key):
    file = tmp_path / "SHA256SUMS"
    file.write_bytes(b"0  a\n")
    signing.sign_file(file, key)
    signing.verify_file(file, key.public)
    with pytest.raises(SignatureError, match=str(file)):
        signing.verify_file(file, other_key.public)
    file.write_bytes(b"1  a\n")
    with pytest.raises(SignatureError, match=str(file)):
        signing.verify_file(file, key.public)
    (tmp_path / "SHA256SUMS.sig").write_text("not base64 !")
    with pytest.raises(SignatureError, match="base64"):
        signing.verify_file(file, key.public)
