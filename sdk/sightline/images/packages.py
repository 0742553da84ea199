"""What is installed in an image, by what installers leave: Debian's dpkg, Python's dist-info."""

from __future__ import annotations

import email.parser
import re
from collections.abc import Iterator, Mapping
from email.message import Message

import msgspec

DPKG = "var/lib/dpkg/status"
_DPKG_PARTS = "var/lib/dpkg/status.d/"
_RELEASES = ("etc/os-release", "usr/lib/os-release")
_METADATA = re.compile(
    r"(?:.*/)?(?:site|dist)-packages/[^/]+(?:\.dist-info/METADATA|\.egg-info/PKG-INFO)"
)
LONGEST_LICENCE = 100


class Package(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One of them."""

    kind: str
    """`pypi` or `deb`."""
    name: str
    version: str
    architecture: str | None = None
    licence: str | None = None
    path: str
    """Where it is told of."""


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """What an image's base is, by its os-release."""

    id: str
    version: str


def wanted(path: str) -> bool:
    """Whether a file tells of packages."""
    return (
        path == DPKG
        or path in _RELEASES
        or (path.startswith(_DPKG_PARTS) and not path.endswith(".md5sums"))
        or _METADATA.fullmatch(path) is not None
    )


def found(files: Mapping[str, bytes]) -> tuple[Package, ...]:
    """All that these files tell of, in order."""
    packages: set[Package] = set()
    for path, content in files.items():
        text = content.decode("utf-8", errors="replace")
        if path.startswith("var/lib/dpkg/"):
            packages |= set(_debian(text, path))
        elif path not in _RELEASES and (package := _python(text, path)) is not None:
            packages.add(package)
    return tuple(sorted(packages, key=lambda each: (each.kind, each.name, each.version, each.path)))


def distribution(files: Mapping[str, bytes]) -> Distribution | None:
    """None where it does not say."""
    for path in _RELEASES:
        if path not in files:
            continue
        lines = files[path].decode("utf-8", errors="replace").splitlines()
        told = dict(line.partition("=")[::2] for line in lines if "=" in line)
        name, version = (told.get(key, "").strip("\"'") for key in ("ID", "VERSION_ID"))
        if name:
            return Distribution(id=name, version=version)
    return None


def _debian(text: str, path: str) -> Iterator[Package]:
    for paragraph in re.split(r"\n\s*\n", text):
        told = {
            key: value.strip()
            for line in paragraph.splitlines()
            if line[:1].strip() and (parts := line.partition(":"))[1]
            for key, value in [(parts[0], parts[2])]
        }
        installed = told.get("Status", "install ok installed").endswith(" installed")
        if installed and told.get("Package") and told.get("Version"):
            yield Package(
                kind="deb",
                name=told["Package"],
                version=told["Version"],
                architecture=told.get("Architecture"),
                path=path,
            )


def _python(text: str, path: str) -> Package | None:
    told = email.parser.HeaderParser().parsestr(text)
    name, version = told.get("Name"), told.get("Version")
    if not name or not version:
        return None
    return Package(
        kind="pypi",
        name=str(name).strip(),
        version=str(version).strip(),
        licence=_licence(told),
        path=path,
    )


def _licence(told: Message) -> str | None:
    """An expression, or a few words; whole texts of licences are left out."""
    for field in ("License-Expression", "License"):
        value = str(told.get(field) or "").strip()
        if value and value != "UNKNOWN" and "\n" not in value and len(value) <= LONGEST_LICENCE:
            return value
    return None
