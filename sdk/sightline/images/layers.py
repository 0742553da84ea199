"""What is in the layers of an image: read as a stream, nothing is ever unpacked.

So no path and no link in an archive can lead anywhere. Each layer's digest is checked at its end.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, cast

import msgspec

from sightline.images import zstd
from sightline.images.errors import DamageError
from sightline.images.oci import Descriptor
from sightline.images.store import CHUNK, Source, Stream, Variant

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a layer."""

    path: str
    """From the root, without a slash before it."""
    size: int


def files(source: Source, layer: Descriptor) -> Iterator[tuple[File, IO[bytes]]]:
    """Each with its content, which must be read before the next. Raises DamageError."""
    with source.blob(layer) as blob:
        stream = Stream(blob, layer, where=source.where)
        try:
            with _unpacked(stream) as plain:
                with tarfile.open(fileobj=plain, mode="r|") as tar:
                    for member in tar:
                        content = tar.extractfile(member) if member.isreg() else None
                        if content is not None:
                            yield File(path=_path(member.name), size=member.size), content
                while plain.read(CHUNK):
                    pass
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DamageError(f"{source.where}: the layer {layer.digest}: {error}") from error
        # To its end, where it is known whether it was the right one.
        while stream.read(CHUNK):
            pass


def merged(
    source: Source, variant: Variant, wanted: Callable[[str], bool], *, largest: int = 16 << 20
) -> dict[str, bytes]:
    """Those files that a container of it would see, by path; `wanted` is asked for each path."""
    found: dict[str, bytes] = {}
    for layer in variant.manifest.layers:
        new: dict[str, bytes] = {}
        for file, content in files(source, layer):
            folder, _, name = file.path.rpartition("/")
            if name == OPAQUE:
                _forget(found, folder)
            elif name.startswith(WHITEOUT):
                gone = f"{folder}/{name.removeprefix(WHITEOUT)}".lstrip("/")
                found.pop(gone, None)
                _forget(found, gone)
            elif wanted(file.path):
                if file.size > largest:
                    raise DamageError(f"{source.where}: {file.path} has {file.size} bytes")
                new[file.path] = content.read()
            else:
                found.pop(file.path, None)
        # What a layer removes is of the layers below it, wherever it stands in the archive.
        found |= new
    return found


def _forget(found: dict[str, bytes], folder: str) -> None:
    for path in [each for each in found if each.startswith(f"{folder}/" if folder else "")]:
        del found[path]


def _path(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


@contextlib.contextmanager
def _unpacked(stream: Stream) -> Iterator[IO[bytes]]:
    buffered = io.BufferedReader(stream, CHUNK)
    head = buffered.peek(4)[:4]
    if head.startswith(_GZIP):
        with gzip.GzipFile(fileobj=buffered) as plain:
            yield cast(IO[bytes], plain)
    elif head == _ZSTD:
        # Through a file of its own: a pipe would have to be filled and read at once.
        with tempfile.TemporaryFile() as file:
            shutil.copyfileobj(buffered, file, CHUNK)
            file.seek(0)
            with zstd.unpacked(file, why="a layer is packed with it") as plain:
                yield plain
    else:
        yield cast(IO[bytes], buffered)
