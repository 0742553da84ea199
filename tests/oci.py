"""An OCI image layout (image-spec 1.1) with one layer, from the tar of a root file system."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_OCI = "application/vnd.oci.image"


def layout(
    root: Path,
    folder: Path,
    *,
    architecture: str = "amd64",
    entrypoint: Sequence[str] = (),
    name: str | None = None,
) -> str:
    """Write the layout; gives the manifest's digest. The same tar gives the same digest."""
    blobs = folder / "blobs/sha256"
    shutil.rmtree(folder, ignore_errors=True)
    blobs.mkdir(parents=True)
    packed = folder / "layer"
    diff = hashlib.sha256()
    with (
        root.open("rb") as plain,
        packed.open("wb") as out,
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0, filename="", compresslevel=1) as squeezed,
    ):
        while chunk := plain.read(1 << 20):
            diff.update(chunk)
            squeezed.write(chunk)
    layer = hashlib.sha256(packed.read_bytes()).hexdigest()
    size = packed.stat().st_size
    packed.rename(blobs / layer)

    def blob(value: Any, kind: str) -> dict[str, Any]:
        text = json.dumps(value, sort_keys=True).encode()
        digest = hashlib.sha256(text).hexdigest()
        (blobs / digest).write_bytes(text)
        return {"mediaType": f"{_OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(text)}

    config = blob(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
                **({"Entrypoint": list(entrypoint)} if entrypoint else {}),
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff.hexdigest()}"]},
        },
        "config.v1+json",
    )
    manifest = blob(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": config,
            "layers": [
                {
                    "mediaType": f"{_OCI}.layer.v1.tar+gzip",
                    "digest": f"sha256:{layer}",
                    "size": size,
                }
            ],
        },
        "manifest.v1+json",
    )
    digest = str(manifest["digest"])
    if name is not None:
        manifest["annotations"] = {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        }
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    return digest
