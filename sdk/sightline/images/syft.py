"""syft, where it is installed: it also looks into programs that no installer tells of."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

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
        done = subprocess.run(  # noqa: S603
            command, env=environ, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"syft could not be run: {error}") from error
    if done.returncode or not done.stdout.strip():
        said = " ".join(done.stderr.decode(errors="replace").split())[-400:]
        raise ToolError(f"syft ended with {done.returncode}: {said or 'nothing was said'}")
    return done.stdout
