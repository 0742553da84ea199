"""API keys in a folder, and how a new one takes the place of another.

A holder's key is in ID-key; ID-key.earlier says which keys it replaced and until when those still
open, as digests: deploy/helm/entrust.py puts both into the services' files of keys.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from sightline.secrets.errors import FormatError, RefusedError
from sightline.secrets.folder import Folder
from sightline.steps import Step

OVERLAP = timedelta(days=7)
_SUFFIX, _EARLIER = "-key", "-key.earlier"
_KEY = re.compile(r"sl_([a-z0-9][a-z0-9-]{0,63})_[A-Za-z0-9_-]{43}", re.ASCII)


class ReplaceKeyStep(Step, frozen=True, kw_only=True, tag="replace-key"):
    """A holder gets a new key."""

    holder: str
    ends: datetime | None
    """When the earlier one does; None is at once."""

    @property
    def sentence(self) -> str:
        """As an order."""
        until = f"until {self.ends:%Y-%m-%d %H:%M} UTC" if self.ends else "no longer"
        return f"make a new API key for {self.holder}; the earlier one opens {until}"


class ForgetKeysStep(Step, frozen=True, kw_only=True, tag="forget-keys"):
    """Keys that were replaced are forgotten."""

    holder: str
    count: int

    @property
    def sentence(self) -> str:
        """As an order."""
        return f"forget {self.count} earlier API key{'s' * (self.count != 1)} of {self.holder}"


def holders(folder: Folder) -> list[str]:
    """Who has a key here."""
    return [
        name.removesuffix(_SUFFIX)
        for name in folder.names()
        if name.endswith(_SUFFIX) and _KEY.fullmatch(folder.text(name))
    ]


def earlier(folder: Folder, holder: str) -> dict[str, datetime]:
    """The digests of keys that were replaced, and when they end. Raises FormatError."""
    name = holder + _EARLIER
    if not folder.has(name):
        return {}
    try:
        listed = json.loads(folder.text(name))
        found = {str(digest): datetime.fromisoformat(ends) for digest, ends in listed.items()}
    except (ValueError, TypeError, AttributeError):
        raise FormatError(f"{folder.path / name}: times by digest are expected") from None
    if any(ends.tzinfo is None for ends in found.values()):
        raise FormatError(f"{folder.path / name}: a time has no time zone: add +00:00")
    return found


def rotate(
    folder: Folder, chosen: Iterable[str], *, now: datetime, overlap: timedelta
) -> tuple[list[ReplaceKeyStep], dict[str, bytes]]:
    """New keys for these holders: steps, and the files to write. Raises RefusedError, FormatError.

    `overlap` of zero ends the earlier keys at once, also those of before.
    """
    there = holders(folder)
    steps: list[ReplaceKeyStep] = []
    files: dict[str, bytes] = {}
    for holder in dict.fromkeys(chosen) or there:
        if holder not in there:
            raise RefusedError(
                f"{holder} has no key in {folder.path}: {', '.join(there) or 'nobody'}"
            )
        old = folder.text(holder + _SUFFIX)
        ends = (now + overlap).replace(microsecond=0) if overlap else None
        kept: Mapping[str, datetime] = {}
        if ends is not None:
            still = {key: end for key, end in earlier(folder, holder).items() if end > now}
            kept = {**still, hashlib.sha256(old.encode()).hexdigest(): ends}
        fresh = f"sl_{holder}_{secrets.token_urlsafe(32)}"
        # The digests first: a crash between the two then locks nobody out.
        files[holder + _EARLIER] = _written(kept)
        files[holder + _SUFFIX] = fresh.encode()
        steps.append(ReplaceKeyStep(holder=holder, ends=ends))
    return steps, files


def finish(folder: Folder, *, now: datetime) -> tuple[list[ForgetKeysStep], dict[str, bytes]]:
    """Forget replaced keys that have ended; those that have not stay."""
    steps: list[ForgetKeysStep] = []
    files: dict[str, bytes] = {}
    for holder in holders(folder):
        found = earlier(folder, holder)
        left = {digest: ends for digest, ends in found.items() if ends > now}
        if len(left) != len(found):
            steps.append(ForgetKeysStep(holder=holder, count=len(found) - len(left)))
            files[holder + _EARLIER] = _written(left)
    return steps, files


def _written(kept: Mapping[str, datetime]) -> bytes:
    times = {digest: ends.astimezone(UTC).isoformat() for digest, ends in sorted(kept.items())}
    return json.dumps(times, indent=1).encode() + b"\n"
