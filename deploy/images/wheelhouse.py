"""Fetch the wheels that images are made of, into a folder.

For building where no index can be reached: take FOLDER there, and build with
`--build-context wheelhouse=FOLDER`. By default for Python 3.13 (the base image's) on amd64 and
arm64; each wheel is checked by the hash that requirements/*.txt pins.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fill import SOURCES

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
IMAGES = ("build", "detection", "cop-gateway", "cli", "tak")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC = ("2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_31", "_2_34")
"""Of manylinux: all that Debian 12 can run."""


def fetch(folder: Path, *, image: str, machine: str, python: str) -> int:
    """One image's wheels; gives pip's exit code."""
    listed = (REQUIREMENTS / f"{image}.txt").read_text(encoding="utf-8")
    wheels, sources = divided(listed)
    platforms = [f"manylinux{glibc}_{MACHINES[machine]}" for glibc in GLIBC]
    code = download(
        folder, wheels, "--only-binary", ":all:", "--implementation", "cp",
        "--python-version", python,
        *(part for platform in platforms for part in ("--platform", platform)),
    )  # fmt: skip
    return code or (download(folder, sources, "--no-binary", ":all:") if sources else 0)


def divided(listed: str) -> tuple[str, str]:
    """What there are wheels of, and what is published as source alone."""
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", listed)
    sources = [entry for entry in entries if entry.split("==")[0] in SOURCES]
    return "".join(entry for entry in entries if entry not in sources), "".join(sources)


def download(folder: Path, requirements: str, *options: str) -> int:
    """Have pip do it; gives its exit code."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirements)
        file.flush()
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--require-hashes", "--no-deps", "--dest", str(folder), *options,
            "--requirement", file.name,
        ]  # fmt: skip
        return subprocess.run(command, check=False).returncode


def main() -> int:
    """Exit codes: 0 all are there, 1 some are not to be had."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.13", help="of the base image (3.13)")
    parser.add_argument("--machine", action="append", choices=MACHINES, dest="machines")
    parser.add_argument("--image", action="append", choices=IMAGES, dest="images")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    failed = [
        f"{image} on {machine}"
        for image in asked.images or IMAGES
        for machine in asked.machines or MACHINES
        if fetch(asked.folder, image=image, machine=machine, python=asked.python)
    ]
    if failed:
        print(f"not all wheels are to be had: {', '.join(failed)}", file=sys.stderr)
        return 1
    found = [path for path in asked.folder.iterdir() if path.suffix in (".whl", ".gz")]
    size = sum(path.stat().st_size for path in found) / 1e6
    print(f"{len(found)} files, {size:.0f} MB in {asked.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
