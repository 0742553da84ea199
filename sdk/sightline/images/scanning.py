"""Scan an image: for secrets in every layer, and for vulnerabilities."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Protocol, TypeAlias

import msgspec

from sightline.images import layers, published, scanners, store, transfer
from sightline.images.oci import Descriptor
from sightline.images.published import Digest, Published
from sightline.images.store import Source, Variant
from sightline.images.vulnerabilities import Outcome, Severity, Verdict

WINDOW, OVERLAP = 4 << 20, 64 << 10
"""Of a large file so much is looked at at once; a secret may lie across two windows."""


CONFIGURATION = "config"
"""What stands for a path where it is the image's configuration: variables, history."""


class Leak(Protocol):
    """A secret that was found, without the secret."""

    @property
    def rule(self) -> str:
        """What kind of secret."""

    @property
    def line(self) -> int:
        """Counted from 1."""

    @property
    def fingerprint(self) -> str:
        """Tells this secret from others, and says nothing of what it is."""


Finder: TypeAlias = Callable[[str, bytes], Iterable[Leak]]
"""`sightline.secrets.leaks.leaks`: a name and its content."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where a secret lies."""

    path: str
    """In the layer; the configuration is `config`."""
    line: int
    rule: str
    fingerprint: str
    layer: str
    allowed: str | None = None
    """Why it is no leak: what it was allowed by, or which package has published it."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Of one image."""

    image: str
    digest: str
    outcome: Outcome
    """`failed` for a secret or a vulnerability; `not scanned` where nobody looked for those."""
    secrets: tuple[Found, ...]
    files: int
    """So many were looked at, in every layer, also those that a later layer deletes."""
    vulnerabilities: Verdict
    scanned_at: datetime

    @property
    def leaks(self) -> tuple[Found, ...]:
        """Those that nobody has allowed."""
        return tuple(each for each in self.secrets if each.allowed is None)


def scan(
    source: Source,
    image: Descriptor,
    finder: Finder,
    *,
    severity: Severity = "high",
    oldest: timedelta = timedelta(days=7),
    allowed: Sequence[str] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    scanner: Callable[..., Verdict] = scanners.scan,
) -> Report:
    """Raises ImageError where the image cannot be read."""
    moment = now()
    found, files = secrets(source, image, finder, allowed=allowed)
    verdict = scanner(
        functools.partial(_as_folder, source, image),
        severity=severity, now=moment, oldest=oldest,
    )  # fmt: skip
    leaked = any(each.allowed is None for each in found)
    return Report(
        image=source.where,
        digest=image.digest,
        outcome="failed" if leaked else verdict.outcome,
        secrets=found,
        files=files,
        vulnerabilities=verdict,
        scanned_at=moment,
    )


def secrets(
    source: Source, image: Descriptor, finder: Finder, *, allowed: Sequence[str] = ()
) -> tuple[tuple[Found, ...], int]:
    """In every layer of every platform, and in configurations with their history."""
    found: list[tuple[Found, Digest]] = []
    known = Published()
    files = 0
    for layer, path, content in _contents(source, store.variants(source, image)):
        files += path != CONFIGURATION
        digest, kept = Digest(), bytearray()
        for line, leak in _leaks(finder, path, content, digest, kept):
            one = Found(
                path=path, line=line, rule=leak.rule, fingerprint=leak.fingerprint, layer=layer
            )
            found.append((one, digest))
        if kept:
            known.learn(path, bytes(kept))
    judged = {
        msgspec.structs.replace(one, allowed=_allowed(one, digest, known, allowed))
        for one, digest in found
    }
    return tuple(
        sorted(judged, key=lambda each: (each.path, each.line, each.rule, each.layer))
    ), files


def _contents(source: Source, variants: Sequence[Variant]) -> Iterator[tuple[str, str, IO[bytes]]]:
    """A layer that several platforms share is read once."""
    seen: set[str] = set()
    for variant in variants:
        config = variant.manifest.config
        yield config.digest, CONFIGURATION, io.BytesIO(store.document(source, config))
        for layer in variant.manifest.layers:
            if layer.digest in seen:
                continue
            seen.add(layer.digest)
            for file, content in layers.files(source, layer):
                yield layer.digest, file.path, content


def _leaks(
    finder: Finder, path: str, content: IO[bytes], digest: Digest, kept: bytearray
) -> Iterator[tuple[int, Leak]]:
    """Window by window; the digest of all is known at the end, and a list of files is kept."""
    before, rest = 0, b""
    while piece := content.read(WINDOW):
        digest.update(piece)
        if published.lists(path) and len(kept) < published.LARGEST:
            kept += piece
        window = rest + piece
        for leak in finder(path, window):
            yield before + leak.line, leak
        rest = window[-OVERLAP:]
        before += window.count(b"\n", 0, len(window) - len(rest))


def _allowed(found: Found, digest: Digest, known: Published, allowed: Sequence[str]) -> str | None:
    """Why: it is published, or by which RULE:GLOB, GLOB or fingerprint it was allowed."""
    if package := known.by(found.path, digest):
        return f"published in {package}"
    for each in allowed:
        rule, colon, pattern = each.partition(":")
        if each == found.fingerprint:
            return each
        if fnmatch.fnmatchcase(found.path, pattern if colon else each) and (
            not colon or rule in ("*", found.rule)
        ):
            return each
    return None


@contextlib.contextmanager
def _as_folder(source: Source, image: Descriptor) -> Iterator[Path]:
    """A layout with this image alone, as scanners want it."""
    with tempfile.TemporaryDirectory() as folder:
        into, _ = transfer.pull(source, image.digest, Path(folder) / "layout", "scanned")
        into.only(image, "scanned")
        yield into.path
