"""Small images in layouts, made by hand: layers of files, for one platform or several."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from sightline.images import layout, oci
from sightline.images.layout import Folder
from sightline.images.oci import Descriptor, Index, Manifest, Platform

AMD64 = Platform(os="linux", architecture="amd64")
ARM64 = Platform(os="linux", architecture="arm64")

PYTHON = {
    "opt/sightline/lib/python3.11/site-packages/msgspec-0.21.0.dist-info/METADATA": (
        b"Metadata-Version: 2.4\nName: msgspec\nVersion: 0.21.0\nLicense-Expression: BSD-3-Clause\n"
        b"\nName: not-a-header\n"
    ),
    "opt/sightline/lib/python3.11/site-packages/Nu_mpy.egg-info/PKG-INFO": (
        b"Metadata-Version: 1.1\nName: Nu_mpy\nVersion: 2.0\nLicense: BSD\n"
    ),
}
DEBIAN = {
    "etc/os-release": b'ID=debian\nVERSION_ID="12"\n',
    "var/lib/dpkg/status": (
        b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n"
        b"Version: 2.36-9+deb12u1\n"
        b"Description: GNU C Library\n Version: of the description\n\n"
        b"Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1.0\n\n"
        b"Package: tzdata\nStatus: install ok installed\nArchitecture: all\nVersion: 1:2024a-0\n"
    ),
}


def tar(files: Mapping[str, bytes]) -> bytes:
    """An archive of them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def put(target: Folder, content: bytes, media_type: str) -> Descriptor:
    """A blob of it."""
    descriptor = oci.described(content, media_type)
    target.put_blob(descriptor, io.BytesIO(content))
    return descriptor


def one(
    target: Folder,
    layers: Sequence[Mapping[str, bytes]],
    *,
    platform: Platform = AMD64,
    environment: Sequence[str] = (),
    packed: bool = True,
) -> tuple[Descriptor, bytes]:
    """An image for one platform, not named yet."""
    plain = [tar(each) for each in layers]
    described = [
        put(target, gzip.compress(each, mtime=0), f"{oci.LAYER}+gzip")
        if packed
        else put(target, each, oci.LAYER)
        for each in plain
    ]
    config = msgspec.json.encode(
        {
            "architecture": platform.architecture,
            "os": platform.os,
            "created": "2026-01-02T03:04:05Z",
            "config": {"Env": list(environment)},
            "rootfs": {"type": "layers", "diff_ids": [oci.digest(each) for each in plain]},
        }
    )
    manifest = oci.written(
        Manifest(
            media_type=oci.MANIFEST,
            config=put(target, config, oci.CONFIG),
            layers=tuple(described),
        )
    )
    return oci.described(manifest, oci.MANIFEST, platform=platform), manifest


def image(
    path: Path,
    *layers: Mapping[str, bytes],
    name: str = "sightline-cli:1.0",
    platforms: Sequence[Platform] = (AMD64,),
    environment: Sequence[str] = (),
    packed: bool = True,
) -> Folder:
    """A layout with one image in it."""
    target = layout.create(path)
    made = [
        one(
            target,
            layers or (DEBIAN, PYTHON),
            platform=each,
            environment=environment,
            packed=packed,
        )
        for each in platforms
    ]
    if len(made) == 1:
        descriptor, content = made[0]
        target.put_manifest(msgspec.structs.replace(descriptor, platform=None), content, name)
        return target
    for descriptor, content in made:
        target.put_manifest(descriptor, content, None)
    index = oci.written(Index(media_type=oci.INDEX, manifests=tuple(each for each, _ in made)))
    target.put_manifest(oci.described(index, oci.INDEX), index, name)
    return target
