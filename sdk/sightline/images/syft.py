"""syft, where it is installed: it also looks into programs that no installer tells of."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sightline.commands import CommandError, run
from sightline.images.errors import ToolError
from sightline.images.oci import Platform

SECONDS = 900.0
FORMAT = "cyclonedx-json@1.6"


def program() -> str | None:
    """Where it is."""
    return shutil.which("syft")


def listed(syft: str, layout: Path, name: str, tag: str | None, platform: Platform | None) -> bytes:
    """Of the one image in a layout, as CycloneDX. Raises ToolError."""
    kind = "oci-dir" if layout.is_dir() else "oci-archive"
    command = [
        syft, "scan", f"{kind}:{layout}", "--output", FORMAT, "--source-name", name, "--quiet",
        *(("--source-version", tag) if tag else ()),
        *(("--platform", str(platform)) if platform else ()),
    ]  # fmt: skip
    # It needs no network, and is told to look for none.
    environ = dict(os.environ, SYFT_CHECK_FOR_APP_UPDATE="false")
    try:
        said = run(command, environ=environ, seconds=SECONDS)
    except CommandError as error:
        raise ToolError(str(error)) from error
    if not said.strip():
        raise ToolError("syft said nothing")
    return said
