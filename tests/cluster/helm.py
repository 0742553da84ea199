"""Which helm: what `make tools` fetched, or one on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess

from engine import ROOT
from running import required

TOOLS = ROOT / ".cache" / "tools" / "bin"


def program(version: int) -> str:
    """A helm of this major version."""
    places = os.pathsep.join((str(TOOLS), os.environ["PATH"]))
    candidates = [shutil.which(name, path=places) for name in (f"helm{version}", "helm")]
    right = [each for each in candidates if each and _says(each).startswith(f"v{version}.")]
    if not right:
        required(f"helm {version} is neither in {TOOLS} nor on the PATH")
    return right[0]


def _says(helm: str) -> str:
    command = [helm, "version", "--short"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
