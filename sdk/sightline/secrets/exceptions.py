"""What a search for leaks may pass over: a file of fingerprints, each with the reason.

[[allowed]]
fingerprint = "0123456789abcdef"
reason = "a token of the examples, signed with nothing"
path = "docs/reference/**"      # optional: only there
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec
from msgspec import Meta

from sightline.secrets.errors import FormatError
from sightline.secrets.leaks import Leak

NAME = ".secrets-allowed.toml"
"""In a repository's root: taken unless another one is named."""


class Exemption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One secret that is none, and why."""

    fingerprint: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    reason: Annotated[str, Meta(min_length=10)]
    path: str | None = None
    """A pattern of names; everywhere without it."""

    def covers(self, leak: Leak) -> bool:
        """Whether this leak is meant."""
        # A name from history is path@blob.
        path = leak.name.rpartition("@")[0] or leak.name
        return self.fingerprint == leak.fingerprint and (
            self.path is None or _fits(PurePosixPath(path), self.path)
        )


class Exemptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a file."""

    allowed: tuple[Exemption, ...] = ()

    def covers(self, leak: Leak) -> bool:
        """Whether one of them means this leak."""
        return any(each.covers(leak) for each in self.allowed)

    def unused(self, leaks: Iterable[Leak]) -> list[Exemption]:
        """Those that mean none of these leaks: they can go."""
        found = list(leaks)
        return [each for each in self.allowed if not any(map(each.covers, found))]


def parse(text: str, *, name: str) -> Exemptions:
    """Read a file's text. Raises FormatError that names the file and the field."""
    try:
        return msgspec.convert(tomllib.loads(text), Exemptions)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise FormatError(f"{name}: {error}") from error


def read(path: Path) -> Exemptions:
    """Read a file. Raises FormatError."""
    try:
        return parse(path.read_text(encoding="utf-8"), name=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: {error}") from error


def _fits(path: PurePosixPath, pattern: str) -> bool:
    if pattern.endswith("/**"):
        return path.is_relative_to(pattern.removesuffix("/**"))
    return path.match(pattern)
