"""Check a bundle, without any network: each file as it comes, then what is in them."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from sightline.images import signatures, signing, store
from sightline.images.bundles import archive, manifest
from sightline.images.bundles.manifest import BUNDLE, SIGNATURE, SUMS, Bundle, Packed
from sightline.images.errors import DamageError, SignatureError
from sightline.images.keys import PublicKey
from sightline.images.layout import Folder
from sightline.images.signatures import Statement
from sightline.images.store import CHUNK

LARGEST_SIGNATURE = 4096


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that is whole, and signed by the key that was named."""

    bundle: str
    version: str
    commit: str
    dirty: bool
    images: tuple[Packed, ...]
    chart: str | None
    files: int


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What it was unpacked into."""

    folder: Path
    told: Bundle
    files: int

    @property
    def images(self) -> Folder:
        """The layout of its images."""
        return Folder(self.folder / manifest.IMAGES)

    @property
    def signatures(self) -> Folder:
        """The layout of what belongs to them."""
        return Folder(self.folder / manifest.SIGNATURES)


def verify(bundle: Path, key: PublicKey) -> Checked:
    """Raises ImageError that names the file."""
    with opened(bundle, key) as found:
        return Checked(
            bundle=str(bundle),
            version=found.told.version,
            commit=found.told.commit,
            dirty=found.told.dirty,
            images=found.told.images,
            chart=None if found.told.chart is None else found.told.chart.file,
            files=found.files,
        )


@contextlib.contextmanager
def opened(bundle: Path, key: PublicKey) -> Iterator[Opened]:
    """Unpacked into a folder that is gone afterwards, when all of it was right."""
    with tempfile.TemporaryDirectory(prefix="sightline-bundle-") as folder:
        place = Path(folder)
        files = _unpack(bundle, key, place)
        told = manifest.read((place / BUNDLE).read_bytes())
        found = Opened(folder=place, told=told, files=files)
        for each in told.images:
            _check_image(found, each, key)
        yield found


def _unpack(bundle: Path, key: PublicKey, place: Path) -> int:
    """Each file is checked before the next one is looked at."""
    files = archive.read(bundle)
    with contextlib.closing(files):
        listed = manifest.read_sums(_signed_sums(bundle, key, files))
        missing = dict(listed)
        for path, size, content in files:
            if path not in listed:
                raise DamageError(f"{bundle}: {path} is not in {SUMS}: somebody added it")
            if _written(content, place / path, size) != listed[path]:
                raise DamageError(f"{bundle}: {path} is not what its checksum says")
            del missing[path]
    if missing:
        raise DamageError(f"{bundle}: {min(missing)} is missing ({len(missing)} in all)")
    if BUNDLE not in listed:
        raise DamageError(f"{bundle} has no {BUNDLE}")
    return len(listed)


def _signed_sums(
    bundle: Path, key: PublicKey, files: Iterator[tuple[str, int, IO[bytes]]]
) -> bytes:
    """The first two files, in this order: nothing else is read before."""
    head: dict[str, bytes] = {}
    for name, largest in ((SUMS, manifest.LARGEST_SUMS), (SIGNATURE, LARGEST_SIGNATURE)):
        path, size, content = next(files, ("", 0, None))
        if path != name or content is None:
            raise DamageError(f"{bundle}: {name} is missing where a bundle has it: it is no bundle")
        if size > largest:
            raise DamageError(f"{bundle}: {name} has {size} bytes, and at most {largest} are read")
        head[name] = content.read()
    signature = signatures.unpacked(head[SIGNATURE].decode(errors="replace"), what=SIGNATURE)
    key.check(head[SUMS], signature, what=f"{bundle}: {SUMS}")
    return head[SUMS]


def _written(content: IO[bytes], target: Path, size: int) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with target.open("xb") as out:
        while piece := content.read(CHUNK):
            found.update(piece)
            out.write(piece)
    assert target.stat().st_size == size
    return found.hexdigest()


def _check_image(found: Opened, packed: Packed, key: PublicKey) -> None:
    """It is there with all that it names, signed, and its provenance is about it."""
    image = found.images.find(f"{packed.name}:{packed.tag}")
    if image.digest != packed.digest:
        raise DamageError(f"{packed.name} is {image.digest}, and {BUNDLE} says {packed.digest}")
    for variant in store.variants(found.images, image):
        for each in (variant.manifest.config, *variant.manifest.layers):
            with found.images.blob(each) as content:
                for _ in store.checked(content, each, where=packed.name):
                    pass
    signing.verify(found.signatures, image, key, prefix=packed.name)
    told = found.folder / manifest.PROVENANCE / f"{packed.name}.json"
    try:
        statement = msgspec.json.decode(told.read_bytes(), type=Statement)
    except (OSError, msgspec.DecodeError) as error:
        raise DamageError(f"{manifest.PROVENANCE}/{packed.name}.json: {error}") from error
    if not statement.is_about(packed.digest):
        raise SignatureError(f"the provenance of {packed.name} is about another image")
