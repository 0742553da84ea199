"""List newer versions of the images that compose.yaml pins.

Asks each image's registry (OCI distribution API) for its tags. One line an image: its name, the
pinned tag, the newest tag of the same form, and the digest to pin with it. Exit code 0: all are the
newest and their digests are what the registry has; 1: there is something to do; 2: a registry could
not be asked. Nothing is changed: what runs in production is changed by a person.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

COMPOSE = Path(__file__).parents[2] / "compose.yaml"

ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.v2",
    )
)
SECONDS = 30.0

_PINNED = re.compile(
    r"^  (?P<name>[a-z-]+): &[a-z-]+ (?P<registry>[^/\s]+)/(?P<repository>[^:\s]+)"
    r":(?P<tag>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})$",
    re.MULTILINE,
)
_VERSION = re.compile(r"(?P<before>v?)(?P<numbers>\d+(\.\d+)*)(?P<after>(-[a-z][a-z0-9.-]*)?)")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r"<([^>]+)>;\s*rel=\"?next")


class RegistryError(Exception):
    """A registry did not answer as one."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image as it is pinned."""

    name: str
    registry: str
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


class Registry:
    """One registry, as anybody may read it."""

    def __init__(self, host: str, *, scheme: str = "https") -> None:
        # Docker Hub answers under another name than its images carry.
        self._base = f"{scheme}://{'registry-1.docker.io' if host == 'docker.io' else host}"
        self._tokens: dict[str, str] = {}

    def tags(self, repository: str) -> list[str]:
        """All of them, page by page."""
        found: list[str] = []
        path: str | None = f"/v2/{repository}/tags/list?n=1000"
        while path is not None:
            headers, body = self._get(path, repository)
            found += json.loads(body).get("tags") or []
            following = _NEXT.search(headers.get("Link", ""))
            path = following[1] if following else None
        return found

    def digest(self, repository: str, tag: str) -> str:
        """Of what the tag means now, on all platforms."""
        headers, _ = self._get(f"/v2/{repository}/manifests/{tag}", repository, method="HEAD")
        return headers.get("Docker-Content-Digest", "")

    def _get(
        self, path: str, repository: str, *, method: str = "GET"
    ) -> tuple[dict[str, str], bytes]:
        request = urllib.request.Request(
            urllib.parse.urljoin(self._base, path), headers={"Accept": ACCEPT}, method=method
        )
        if token := self._tokens.get(repository):
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            if error.code != 401 or repository in self._tokens:
                raise RegistryError(f"{self._base}{path}: status {error.code}") from error
            self._tokens[repository] = self._token(error.headers.get("WWW-Authenticate", ""))
        except OSError as error:
            raise RegistryError(f"{self._base}: {error}") from error
        return self._get(path, repository, method=method)

    def _token(self, challenge: str) -> str:
        said = dict(_CHALLENGE.findall(challenge))
        if "realm" not in said:
            raise RegistryError(
                f"{self._base}: wants credentials that are not asked for: {challenge}"
            )
        query = urllib.parse.urlencode({k: v for k, v in said.items() if k in ("service", "scope")})
        try:
            with urllib.request.urlopen(f"{said['realm']}?{query}", timeout=SECONDS) as answer:
                told = json.loads(answer.read())
        except (OSError, ValueError) as error:
            raise RegistryError(f"{said['realm']}: {error}") from error
        return str(told.get("token") or told.get("access_token") or "")


def compare(image: Image, registry: Registry) -> tuple[str, bool]:
    """A line about it, and whether it is up to date."""
    tag = newest(image.tag, registry.tags(image.repository))
    digest = registry.digest(image.repository, tag)
    current = (image.tag, image.digest) == (tag, digest)
    what = "newest" if current else f"{tag}@{digest}"
    return f"{image.name:14} {image.tag:22} {what}", current


def main(scheme: str = "https") -> int:
    """Compare all; gives the exit code."""
    code = 0
    for image in pinned(COMPOSE.read_text(encoding="utf-8")):
        try:
            line, current = compare(image, Registry(image.registry, scheme=scheme))
        except RegistryError as error:
            print(f"{image.name:14} {image.tag:22} {error}", file=sys.stderr)
            code = 2
        else:
            print(line)
            code = max(code, 0 if current else 1)
    return code


if __name__ == "__main__":
    sys.exit(main())
