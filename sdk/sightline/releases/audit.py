"""Who did what, as a chain: each entry holds the hash of the one before it.

Who changes, drops or inserts an entry must change all that follow, and the head that is kept apart
from them. The hash is SHA-256 over the entry as JSON with sorted keys and without its own `hash`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from sightline.colours.colour import Fact

FIRST = "0" * 64
"""What the first entry follows."""
_ORDERED = msgspec.json.Encoder(order="sorted")


class Entry(Fact, frozen=True, kw_only=True):
    """One thing that somebody did."""

    number: int
    at: datetime
    who: str
    kubernetes_user: str | None = None
    what: str
    """Such as `release begun`, `switch done`, `approved`."""
    release: str | None = None
    detail: dict[str, Any] = msgspec.field(default_factory=dict)
    previous: str
    hash: str = ""


def hashed(entry: Entry) -> str:
    """What `hash` must be."""
    plain = msgspec.to_builtins(entry)
    del plain["hash"]
    return hashlib.sha256(_ORDERED.encode(plain)).hexdigest()


def chained(last: Entry | None, entry: Entry) -> Entry:
    """The entry, made to follow another."""
    numbered = msgspec.structs.replace(
        entry,
        number=1 if last is None else last.number + 1,
        previous=FIRST if last is None else last.hash,
    )
    return msgspec.structs.replace(numbered, hash=hashed(numbered))


def flaws(entries: Sequence[Entry], *, head: str | None) -> tuple[str, ...]:
    """Where the chain does not hold: a sentence each; none where all of it does."""
    found: list[str] = []
    before: Entry | None = None
    for entry in entries:
        number = 1 if before is None else before.number + 1
        if entry.number != number:
            found.append(f"entry {number} is missing: {entry.number} follows")
        elif entry.previous != (FIRST if before is None else before.hash):
            found.append(f"entry {entry.number} does not follow the one before it")
        if entry.hash != hashed(entry):
            found.append(f"entry {entry.number} was changed")
        before = entry
    end = None if before is None else before.hash
    if head is not None and head != end:
        found.append("the newest entries are missing, or the head was changed")
    return tuple(found)


def lines(entries: Iterable[Entry]) -> bytes:
    """For an export: JSON Lines."""
    return b"".join(msgspec.json.encode(each) + b"\n" for each in entries)


def read(data: bytes) -> tuple[Entry, ...]:
    """An export. Raises msgspec.DecodeError."""
    return tuple(msgspec.json.decode(line, type=Entry) for line in data.splitlines() if line)
