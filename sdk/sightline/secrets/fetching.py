"""Secrets fetched into a folder: as files, or as Secrets for Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from sightline.journal import Journal
from sightline.secrets import manifests, vault_cache
from sightline.secrets.errors import FormatError, SecretsError, UnreachableError
from sightline.secrets.folder import Folder
from sightline.secrets.manifests import Secret
from sightline.steps import Step


class ReadStep(Step, frozen=True, kw_only=True, tag="read"):
    """Values are read."""

    path: str
    source: str

    @property
    def sentence(self) -> str:
        """As an order."""
        return f"read {self.path} from {self.source}"


class WriteStep(Step, frozen=True, kw_only=True, tag="write"):
    """Values are written."""

    path: str
    folder: str
    form: str

    @property
    def sentence(self) -> str:
        """As an order."""
        return f"write {self.path} into {self.folder} as {self.form}, mode 0600"


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What was done; no values."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    versions: dict[str, int]
    """By path; empty where the cache stood in."""
    cached_at: datetime | None = None
    """When what stood in was read."""
    reason: str | None = None
    """Why it had to."""


class _Read(Protocol):
    @property
    def version(self) -> int: ...
    @property
    def data(self) -> Mapping[str, bytes]: ...


class Source(Protocol):
    """Where values come from."""

    address: str

    def read(self, path: str) -> _Read:
        """The values at a path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cache:
    """Where to fall back."""

    path: Path
    recipients: Sequence[str] = ()
    identity: Path | None = None
    longest: timedelta = timedelta(days=7)


def plan(paths: Sequence[str], *, source: str, folder: Path, as_secrets: bool) -> list[Step]:
    """The steps."""
    form = "a Secret" if as_secrets else "files"
    return [
        *(ReadStep(path=path, source=source) for path in paths),
        *(WriteStep(path=path, folder=str(folder), form=form) for path in paths),
    ]


def files(found: Mapping[str, Mapping[str, bytes]], *, namespace: str | None) -> dict[str, bytes]:
    """What to write, by name. With a namespace a Secret for each path, else a file for each key.

    Raises FormatError where two paths would write the same file.
    """
    made: dict[str, bytes] = {}
    for path, data in found.items():
        name = path.rpartition("/")[2]
        if namespace is not None:
            secret = Secret(name=name, namespace=namespace, data=data)
            own = {f"{name}.yaml": manifests.written([secret.manifest()]).encode()}
        else:
            own = dict(data)
        if both := made.keys() & own.keys():
            raise FormatError(f"{path}: {min(both)} comes of another path, too: fetch them apart")
        made |= own
    return made


def fetch(
    source: Source,
    paths: Sequence[str],
    folder: Folder,
    *,
    namespace: str | None,
    cache: Cache | None,
    now: datetime,
    journal: Journal,
) -> Fetched:
    """Read all, then write what changed. Raises UnreachableError, SourceError, RefusedError.

    Nothing is written unless everything was read. Where the source does not answer, what was read
    last stands in, if there is a cache: then `cached_at` says of when it is.
    """
    found: dict[str, Mapping[str, bytes]] = {}
    versions: dict[str, int] = {}
    stood_in: vault_cache.Cached | None = None
    reason: str | None = None
    try:
        for path in paths:
            with journal.step(ReadStep(path=path, source=source.address)):
                read = source.read(path)
            found[path], versions[path] = read.data, read.version
    except UnreachableError as error:
        stood_in, found, versions = _stand_in(source, cache, error, now), {}, {}
        reason = str(error)
        found = {path: stood_in.data(path) for path in paths}
    else:
        if cache is not None:
            vault_cache.keep(
                cache.path,
                vault_cache.made(source.address, found, now=now),
                recipients=cache.recipients,
            )
    written, unchanged = [], []
    for name, content in files(found, namespace=namespace).items():
        if folder.has(name) and folder.read(name) == content:
            unchanged.append(name)
            continue
        folder.write(name, content)
        written.append(name)
    return Fetched(
        written=tuple(written),
        unchanged=tuple(unchanged),
        versions=versions,
        cached_at=stood_in.at.astimezone(UTC) if stood_in else None,
        reason=reason,
    )


def _stand_in(
    source: Source,
    cache: Cache | None,
    error: UnreachableError,
    now: datetime,
) -> vault_cache.Cached:
    if cache is None:
        raise error
    try:
        return vault_cache.found(
            cache.path, address=source.address, now=now, longest=cache.longest,
            identity=cache.identity,
        )  # fmt: skip
    except SecretsError as why:
        raise UnreachableError(f"{error}; and nothing stands in: {why}") from why
