"""Sign an image where it is, a layout or a registry, and check what was signed. Files, too."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import msgspec

from sightline.images import signatures, store
from sightline.images.errors import AbsentError, DamageError, ImageError, SignatureError
from sightline.images.keys import PrivateKey, PublicKey
from sightline.images.oci import Descriptor, Index
from sightline.images.reference import kin
from sightline.images.signatures import Layer, Statement
from sightline.images.store import Source, Target


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is signed by the key that was named."""

    image: str
    digest: str
    statements: tuple[str, ...]
    """What kinds of statements about it are signed by the same key."""
    foreign: int
    """Statements that lie there and are not: nothing of them is believed."""


def prefixed(name: str, prefix: str) -> str:
    """In a layout of several images names are NAME:TAG; in a repository the tag alone."""
    return f"{prefix}:{name}" if prefix else name


def sign(
    target: Target, image: Descriptor, repository: str, key: PrivateKey, *, prefix: str = ""
) -> str:
    """Put a signature beside it; others' signatures stay. Gives the signature's digest."""
    made = signatures.sign(image.digest, repository, key)
    name = prefixed(kin(image.digest, "sig"), prefix)
    kept = [each for each in layers(target, name) if each != made]
    return _put(target, name, [*kept, made])


def attest(
    target: Target, image: Descriptor, statement: Statement, key: PrivateKey, *, prefix: str = ""
) -> str:
    """Put a statement beside it, in place of one of the same kind. Gives its digest."""
    name = prefixed(kin(image.digest, "att"), prefix)
    kept = signatures.without(layers(target, name), statement.predicate_type)
    return _put(target, name, [*kept, signatures.attest(statement, key)])


def attest_beside(target: Target, image: Descriptor, layout: Path, key: PrivateKey) -> bool:
    """The provenance that a build left beside the layout; false where there is none."""
    place = layout.with_name(f"{layout.name}.provenance.json")
    try:
        statement = msgspec.json.decode(place.read_bytes(), type=Statement)
    except FileNotFoundError:
        return False
    except (OSError, msgspec.DecodeError) as error:
        raise ImageError(f"{place} is no provenance: {error}") from error
    if not statement.is_about(image.digest):
        raise SignatureError(f"{place} is about another image than {layout} has: build it again")
    attest(target, image, statement, key)
    return True


def verify(source: Source, image: Descriptor, key: PublicKey, *, prefix: str = "") -> Verified:
    """Raises SignatureError unless one of its signatures is by this key, of this digest."""
    what = f"{source.where}@{image.digest}"
    found = layers(source, prefixed(kin(image.digest, "sig"), prefix))
    if not found:
        raise SignatureError(f"{what} is not signed")
    refused: list[SignatureError] = []
    for each in found:
        try:
            signatures.check(each, image.digest, key)
        except SignatureError as error:
            refused.append(error)
    if len(refused) == len(found):
        raise SignatureError(f"{what}: {refused[0]}")
    said, foreign = statements(source, image, key, prefix=prefix)
    return Verified(
        image=source.where,
        digest=image.digest,
        statements=tuple(each.predicate_type for each in said),
        foreign=foreign,
    )


def statements(
    source: Source, image: Descriptor, key: PublicKey, *, prefix: str = ""
) -> tuple[tuple[Statement, ...], int]:
    """What the key's owner says about it, and how many others are not by that key."""
    said: list[Statement] = []
    found = layers(source, prefixed(kin(image.digest, "att"), prefix))
    for each in found:
        with contextlib.suppress(SignatureError):
            said.append(signatures.checked_statement(each, image.digest, key))
    return tuple(said), len(found) - len(said)


def layers(source: Source, name: str) -> list[Layer]:
    """Of a sidecar; none where there is none."""
    try:
        wanted = source.find(name)
    except AbsentError:
        return []
    manifest, _ = store.image(source, wanted)
    if isinstance(manifest, Index):
        raise DamageError(f"{source.where}: {name} is an index, not signatures")
    return [
        Layer(descriptor=each, content=store.document(source, each)) for each in manifest.layers
    ]


def _put(target: Target, name: str, found: list[Layer]) -> str:
    made = signatures.sidecar(found)
    for descriptor, content in made.blobs:
        target.put_blob(descriptor, io.BytesIO(content))
    target.put_manifest(made.descriptor, made.manifest, name)
    return made.descriptor.digest


def sign_file(path: Path, key: PrivateKey, signature: Path | None = None) -> Path:
    """Its signature in a file beside it, as base64, which is what `cosign sign-blob` writes."""
    place = signature or path.with_name(path.name + ".sig")
    try:
        place.write_text(signatures.packed(key.sign(path.read_bytes())) + "\n", encoding="ascii")
    except OSError as error:
        raise ImageError(f"{error.filename}: {error.strerror}") from error
    return place


def verify_file(path: Path, key: PublicKey, signature: Path | None = None) -> None:
    """Raises SignatureError."""
    place = signature or path.with_name(path.name + ".sig")
    try:
        content, text = path.read_bytes(), place.read_text(encoding="ascii")
    except OSError as error:
        raise ImageError(f"{error.filename}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SignatureError(f"{place} is not base64") from error
    key.check(content, signatures.unpacked(text, what=str(place)), what=str(path))
