"""Files that somebody has published: a wheel's RECORD and Debian's md5sums say what they were.

A file that is still exactly that is no leak of ours, whatever it looks like: examples in the
documentation of botocore, keys in tests. Of our own wheel nothing counts as published.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from collections.abc import Iterator

OURS = "sightline"
_RECORD = re.compile(r"(?P<site>(?:.*/)?(?:site|dist)-packages)/(?P<name>[^/]+)\.dist-info/RECORD")
_SUMS = re.compile(r"var/lib/dpkg/info/(?P<name>[^/:]+)(?::[^/]+)?\.md5sums")
LARGEST = 8 << 20


def lists(path: str) -> bool:
    """Whether a file tells of others."""
    return _RECORD.fullmatch(path) is not None or _SUMS.fullmatch(path) is not None


class Digest:
    """Of a file, in all ways that lists have."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)  # Debian's; against accidents, as here.

    def update(self, piece: bytes) -> None:
        """More of it."""
        self._sha256.update(piece)
        self._md5.update(piece)

    @property
    def forms(self) -> tuple[str, str]:
        """As a RECORD and as md5sums have it."""
        wheel = base64.urlsafe_b64encode(self._sha256.digest()).rstrip(b"=").decode()
        return f"sha256={wheel}", self._md5.hexdigest()


class Published:
    """What the lists of an image tell."""

    def __init__(self) -> None:
        self._by: dict[tuple[str, str], str] = {}

    def learn(self, path: str, content: bytes) -> None:
        """One list."""
        text = content.decode("utf-8", errors="replace")
        if match := _RECORD.fullmatch(path):
            name = match["name"]
            if re.split(r"-\d", name, maxsplit=1)[0].lower() != OURS:
                for file, digest in _recorded(text):
                    self._by[f"{match['site']}/{file}", digest] = name
        elif match := _SUMS.fullmatch(path):
            for line in text.splitlines():
                digest, _, file = line.partition("  ")
                self._by[file.strip(), digest] = match["name"]

    def by(self, path: str, digest: Digest | None) -> str | None:
        """The package that has this file, unchanged."""
        forms = () if digest is None else digest.forms
        return next((name for each in forms if (name := self._by.get((path, each)))), None)


def _recorded(text: str) -> Iterator[tuple[str, str]]:
    for row in csv.reader(io.StringIO(text)):
        if len(row) == 3 and row[1] and ".." not in row[0].split("/"):
            yield row[0], row[1]
