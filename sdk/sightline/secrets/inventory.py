"""What is in a folder of secrets: what each is, since when, until when. Never a value."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509

from sightline.secrets import api_keys, marks, resealing, rotation, sealing, token_keys
from sightline.secrets.folder import Folder, read

Kind = Literal[
    "api key", "replaced api key", "token key", "token secret", "database", "certificate",
    "sealed secret", "sealing certificate", "other",
]  # fmt: skip
_KNOWN: dict[str, tuple[Kind, str]] = {
    "token-secret": ("token secret", "signs tokens where no key does"),
    rotation.URL: ("database", "the login that services have"),
    rotation.EARLIER_URL: ("database", "an earlier login: rotate database --finish"),
    rotation.OWNER_PASSWORD: ("database", "of the tables' owner"),
    marks.KEY_NAME: ("other", "tells equal values from changed ones"),
    "holders.toml": ("other", "who has an API key; no secret"),
}
_HIDDEN = ("-key.earlier", ".part")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    name: str
    kind: Kind
    since: datetime | None = None
    ends: datetime | None = None
    note: str = ""

    def days_left(self, now: datetime) -> int | None:
        """Whole days until its end; negative after it."""
        return None if self.ends is None else (self.ends - now).days


def entries(folder: Folder, *, now: datetime) -> Iterator[Entry]:
    """All that is in a folder as entrust.py's, in the order of their names."""
    holders = {f"{holder}-key": holder for holder in api_keys.holders(folder)}
    for name in folder.names():
        path = folder.path / name
        if name.endswith(_HIDDEN):
            continue
        if name in holders:
            yield Entry(name=name, kind="api key", since=_changed(path))
            for digest, ends in sorted(api_keys.earlier(folder, holders[name]).items()):
                yield Entry(
                    name=f"{name} (digest {digest[:8]}…)",
                    kind="replaced api key",
                    ends=ends,
                    note="ended" if ends <= now else "still opens",
                )
        elif name == token_keys.NAME:
            keys = token_keys.parse(folder.text(name), name=str(path))
            for key in token_keys.told(keys, now):
                yield Entry(
                    name=f"{name} ({key.kid[:8]}…)",
                    kind="token key",
                    since=key.begins,
                    ends=key.ends,
                    note=key.state,
                )
        else:
            kind, note = _KNOWN.get(name, ("other", ""))
            yield Entry(name=name, kind=kind, since=_changed(path), note=note)
    yield from certificates(folder.path / "tak")


def certificates(folder: Path) -> Iterator[Entry]:
    """The certificates in PEM of a folder, and when they end."""
    for path in sorted(folder.glob("*.pem")):
        try:
            found = x509.load_pem_x509_certificates(read(path))[0]
        except ValueError:
            continue
        yield Entry(
            name=f"{folder.name}/{path.name}",
            kind="certificate",
            since=found.not_valid_before_utc,
            ends=found.not_valid_after_utc,
            note=found.subject.rfc4514_string(),
        )


def sealed(path: Path) -> Iterator[Entry]:
    """The sealed Secrets of a file."""
    for each in resealing.sealed_in(resealing.read_objects(path), name=str(path)):
        using = each.annotations.get(marks.SEALED_WITH, "")
        yield Entry(
            name=f"{path.name}: {each.namespace or '*'}/{each.name}",
            kind="sealed secret",
            since=_changed(path),
            note=f"{len(each.data)} values, {each.scope}"
            + (f", certificate {using[:16]}" if using else ""),
        )


def sealing_certificate(path: Path) -> Entry:
    """The certificate to seal with."""
    found = sealing.certificate(read(path), name=str(path))
    return Entry(
        name=path.name,
        kind="sealing certificate",
        since=found.begins,
        ends=found.ends,
        note=found.fingerprint[:16],
    )


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
