"""Take images into a container engine: docker's, by an archive that every version of it reads."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import PurePath
from typing import IO

import msgspec

from sightline.commands import CommandError, run
from sightline.images import store
from sightline.images.errors import ToolError
from sightline.images.oci import Descriptor, Platform
from sightline.images.store import Source, Stream

SECONDS = 600.0
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Of an archive as `docker save` writes it."""

    config: str
    repo_tags: tuple[str, ...]
    layers: tuple[str, ...]


def blob_path(digest: str) -> str:
    """Where a blob lies in a layout."""
    return f"blobs/{digest.replace(':', '/')}"


def entry(
    source: Source, image: Descriptor, platform: Platform | None, names: tuple[str, ...]
) -> Entry:
    """An image for one platform, its files named as in a layout."""
    found = store.variant(source, image, platform)
    return Entry(
        config=blob_path(found.manifest.config.digest),
        repo_tags=names,
        layers=tuple(blob_path(each.digest) for each in found.manifest.layers),
    )


def own_platform(docker: str = "docker") -> Platform:
    """What docker's engine runs. Raises ToolError."""
    told = _run([docker, "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"]).strip()
    os, _, machine = told.partition("/")
    return Platform(os=os, architecture=_MACHINES.get(machine, machine))


def load(
    source: Source, image: Descriptor, names: tuple[str, ...], *, docker: str = "docker"
) -> None:
    """Into docker's engine, under these names. Raises ToolError."""
    platform = own_platform(docker)
    found = store.variant(source, image, platform)
    told = entry(source, image, platform, names)
    feed([docker, "load", "--quiet"], lambda out: _archive(source, found, told, out))


def feed(command: list[str], write: Callable[[IO[bytes]], None]) -> None:
    """Run a program that takes what is written. Raises ToolError with its last words."""
    try:
        process = subprocess.Popen(  # noqa: S603 - docker, ctr
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise ToolError(f"{command[0]} cannot be started: {error.strerror}") from error
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        # One that ended breaks the pipe, and says why.
        with contextlib.suppress(BrokenPipeError), process.stdin as out:
            write(out)
        said = process.stderr.read()
        process.wait(SECONDS)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode:
        what = " ".join(command[:2])
        raise ToolError(f"{what}: {' '.join(said.decode(errors='replace').split())}")


def _archive(source: Source, found: store.Variant, told: Entry, out: IO[bytes]) -> None:
    with tarfile.open(fileobj=out, mode="w|") as tar:
        for each in (found.manifest.config, *found.manifest.layers):
            with source.blob(each) as content:
                _add(
                    tar,
                    blob_path(each.digest),
                    each.size,
                    Stream(content, each, where=source.where),
                )
        listed = msgspec.json.encode([told])
        _add(tar, "manifest.json", len(listed), io.BytesIO(listed))


def _add(tar: tarfile.TarFile, name: str, size: int, content: object) -> None:
    told = tarfile.TarInfo(str(PurePath(name)))
    told.size, told.mode = size, 0o644
    tar.addfile(told, content)  # type: ignore[arg-type]


def _run(command: list[str]) -> str:
    try:
        return run(command, environ=os.environ, seconds=SECONDS).decode(errors="replace")
    except CommandError as error:
        raise ToolError(f"{command[1]}: {error}") from error
