"""A statement about something that has a digest: in-toto's form, version 1."""

from __future__ import annotations

from typing import Any

import msgspec


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement is about."""

    name: str
    digest: dict[str, str]


class Statement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """in-toto's, version 1."""

    type_: str = msgspec.field(name="_type", default="https://in-toto.io/Statement/v1")
    subject: tuple[Subject, ...]
    predicate_type: str
    predicate: Any

    def is_about(self, digest: str) -> bool:
        """Whether this is one of its subjects."""
        wanted = digest.removeprefix("sha256:")
        return any(each.digest.get("sha256") == wanted for each in self.subject)
