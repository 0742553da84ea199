"""The archive that a bundle is: written alike for the same files, and read as if by an enemy."""

from __future__ import annotations

import contextlib
import gzip
import subprocess
import tarfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, cast

from sightline.images import zstd
from sightline.images.bundles.manifest import SIGNATURE, SUMS, checked_path
from sightline.images.errors import DamageError, ImageError, RefusedError, ToolError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_WITHOUT = "name the bundle .tar or .tar.gz instead"
BUFFER = 1 << 20
BROKEN = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)
"""How it shows that an archive is not whole."""


def checked_name(target: Path) -> None:
    """Its end says how it is packed. Raises RefusedError."""
    if not target.name.endswith((".tar", ".tar.gz", ".tar.zst")):
        raise RefusedError(f"{target.name}: a bundle is named .tar, .tar.gz or .tar.zst")
    if target.suffix == ".zst":
        zstd.program(why=_WITHOUT)


def write(folder: Path, target: Path, top: str, *, time: int) -> None:
    """Every file below `folder`, below `top`; appears whole or not at all. Raises ImageError.

    The checksums and their signature come first: then a reader can check each file as it comes.
    """
    paths = sorted(
        (each.relative_to(folder) for each in folder.rglob("*") if each.is_file()),
        key=lambda each: (str(each) not in (SUMS, SIGNATURE), str(each)),
    )
    partial = target.with_name(f".{target.name}.partial")
    try:
        with (
            _packing(partial, target.suffix) as out,
            tarfile.open(fileobj=out, mode="w|", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for path in paths:
                file = folder / path
                entry = tarfile.TarInfo(f"{top}/{checked_path(path.as_posix())}")
                entry.size, entry.mtime = file.stat().st_size, time
                entry.mode = 0o755 if path.suffix == ".sh" else 0o644
                with file.open("rb") as content:
                    tar.addfile(entry, content)
        partial.replace(target)
    except OSError as error:
        raise ImageError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def read(source: Path) -> Generator[tuple[str, int, IO[bytes]]]:
    """Path, size and content of each file, in order; the folder above all is left out.

    Raises RefusedError for whatever is no plain file within that folder, and DamageError where the
    archive ends too early or is none.
    """
    top, seen, last = "", set[str](), "its beginning"
    try:
        with _unpacking(source) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
            for entry in tar:
                folder, _, path = entry.name.partition("/")
                last = path or entry.name
                if entry.isdir() and not path.strip("/"):
                    continue
                if not entry.isreg():
                    raise RefusedError(f"{source}: {entry.name} is no plain file: refused")
                checked_path(entry.name)
                if not path or folder != (top or folder):
                    raise RefusedError(f"{source}: {entry.name} lies beside the bundle: refused")
                top = folder
                if path in seen:
                    raise RefusedError(f"{source}: {path} is in it twice: refused")
                seen.add(path)
                content = tar.extractfile(entry)
                assert content is not None
                yield path, entry.size, cast(IO[bytes], _Content(content, source, path))
            # Of what is packed, the sum at its end is only checked there.
            while plain.read(BUFFER):
                pass
    except BROKEN as error:
        raise DamageError(f"{source} is cut off or damaged at {last}: {error}") from error
    except OSError as error:
        raise ImageError(f"{source} cannot be read: {error.strerror or error}") from error


class _Content:
    """Of one file. What is wrong with the archive shows while this is read, too."""

    def __init__(self, content: IO[bytes], source: Path, path: str) -> None:
        self._content, self._source, self._path = content, source, path

    def read(self, size: int = -1) -> bytes:
        """As of a file."""
        try:
            return self._content.read(size)
        except BROKEN as error:
            raise DamageError(
                f"{self._source} is cut off or damaged at {self._path}: {error}"
            ) from error


@contextlib.contextmanager
def _packing(target: Path, suffix: str) -> Iterator[IO[bytes]]:
    with target.open("wb") as out:
        if suffix == ".gz":
            with gzip.GzipFile(
                fileobj=out, mode="wb", mtime=0, filename="", compresslevel=6
            ) as packed:
                yield cast(IO[bytes], packed)
        elif suffix == ".zst":
            process = subprocess.Popen(  # noqa: S603
                [zstd.program(why=_WITHOUT), "--quiet", "--single-thread", "-6"],
                stdin=subprocess.PIPE,
                stdout=out,
            )
            assert process.stdin is not None
            try:
                with process.stdin as packed:
                    yield packed
            finally:
                if process.wait():
                    raise ToolError(f"zstd ended with {process.returncode}")
        else:
            yield out


@contextlib.contextmanager
def _unpacking(source: Path) -> Iterator[IO[bytes]]:
    with source.open("rb", buffering=0) as packed:
        head = packed.read(4)
        packed.seek(0)
        if head.startswith(GZIP):
            with gzip.GzipFile(fileobj=packed) as plain:
                yield cast(IO[bytes], plain)
        elif head == ZSTD:
            with zstd.unpacked(packed, why=_WITHOUT) as plain:
                yield plain
        else:
            yield packed
