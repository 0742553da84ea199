"""An SBOM by the best means there is: syft where it is installed, else what installers left."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal, TypeAlias

from sightline.images import layout, sbom, syft, transfer
from sightline.images.errors import ToolError
from sightline.images.layout import Layout
from sightline.images.oci import Descriptor, Platform
from sightline.images.store import Source

By: TypeAlias = Literal["auto", "syft", "metadata"]


def listed(
    source: Source,
    image: Descriptor,
    name: str,
    tag: str | None,
    platform: Platform | None,
    *,
    by: By = "auto",
) -> bytes:
    """As CycloneDX 1.6. Raises ImageError."""
    program = None if by == "metadata" else syft.program()
    if program is None:
        if by == "syft":
            raise ToolError("syft is not installed")
        return sbom.written(source, image, name, tag, platform)
    if isinstance(source, Layout) and len(source.index.manifests) == 1:
        return syft.listed(program, source.path, name, tag, platform)
    with tempfile.TemporaryDirectory() as folder:
        into = layout.create(Path(folder) / "layout")
        transfer.push(source, image, into, ("listed",))
        into.only(image, "listed")
        return syft.listed(program, into.path, name, tag, platform)


def of_layout(source: Layout, name: str, tag: str, platform: Platform, *, by: By = "auto") -> bytes:
    """The one image in it."""
    return listed(source, source.image, name, tag, platform, by=by)
