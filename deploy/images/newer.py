"""List newer versions of the images that compose.yaml pins.

Asks each image's registry for its tags, by skopeo, which knows a site's mirrors and credentials as
its other tools do. One line an image: its name, the pinned tag, and the newest tag of the same form
with the digest to pin, or that it is the newest. Exit code 0: there is nothing to do; 1: there is;
2: a registry could not be asked. Nothing is changed: a person changes what runs in production.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

COMPOSE = Path(__file__).parents[2] / "compose.yaml"
SECONDS = 120.0

_PINNED = re.compile(
    r"^  (?P<name>[a-z-]+): &[a-z-]+ (?P<repository>[^\s@]+)"
    r":(?P<tag>[^@\s:/]+)@(?P<digest>sha256:[0-9a-f]{64})$",
    re.MULTILINE,
)
_VERSION = re.compile(r"(?P<before>v?)(?P<numbers>\d+(\.\d+)*)(?P<after>(-[a-z][a-z0-9.-]*)?)")


class RegistryError(Exception):
    """A registry could not be asked."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image as it is pinned."""

    name: str
    repository: str
    tag: str
    digest: str


def pinned(text: str) -> list[Image]:
    """Those that compose.yaml states under x-images."""
    return [Image(**match.groupdict()) for match in _PINNED.finditer(text)]


def newest(tag: str, tags: Iterable[str]) -> str:
    """Of the tags of the same form (as many numbers, the same words) the one of the largest."""
    form = _VERSION.fullmatch(tag)
    if form is None:
        return tag
    rivals = [
        match
        for each in {tag, *tags}
        if (match := _VERSION.fullmatch(each))
        and (match["before"], match["after"]) == (form["before"], form["after"])
        and match["numbers"].count(".") == form["numbers"].count(".")
    ]
    return max(rivals, key=lambda match: [int(n) for n in match["numbers"].split(".")])[0]


def skopeo(*arguments: str) -> bytes:
    """What it says on stdout. Raises RegistryError with what it says on stderr."""
    if shutil.which("skopeo") is None:
        raise RegistryError("skopeo is not installed")
    done = subprocess.run(["skopeo", *arguments], capture_output=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise RegistryError(done.stderr.decode(errors="replace").strip().splitlines()[-1])
    return done.stdout


def compare(image: Image, *options: str) -> tuple[str, bool]:
    """A line about it, and whether it is up to date; `options` are skopeo's."""
    listed = json.loads(skopeo("list-tags", *options, f"docker://{image.repository}"))
    tag = newest(image.tag, listed["Tags"])
    # The manifest as it is: of an image for several platforms, their list.
    raw = skopeo("inspect", *options, "--raw", f"docker://{image.repository}:{tag}")
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    current = (image.tag, image.digest) == (tag, digest)
    what = "newest" if current else f"{tag}@{digest}"
    return f"{image.name:14} {image.tag:22} {what}", current


def main() -> int:
    """Compare all; gives the exit code."""
    code = 0
    for image in pinned(COMPOSE.read_text(encoding="utf-8")):
        try:
            line, current = compare(image)
        except RegistryError as error:
            print(f"{image.name:14} {image.tag:22} {error}", file=sys.stderr)
            code = 2
        else:
            print(line)
            code = max(code, 0 if current else 1)
    return code


if __name__ == "__main__":
    sys.exit(main())
