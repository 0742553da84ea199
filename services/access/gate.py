"""Who asks, by what they show: an API key or a token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from access.errors import NotAllowedError, NotKnownError
from access.keys import Holder, KeyRing, is_key
from access.roles import ROLES, Role, allows
from access.tokens import Tokens

ANONYMOUS = "anonymous"


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Somebody who is known."""

    id: str
    roles: frozenset[Role]

    def must(self, role: Role) -> None:
        """Raise NotAllowedError when they do not have the role."""
        if not allows(self.roles, role):
            held = ", ".join(sorted(self.roles)) or "none"
            raise NotAllowedError(f"{self.id} has not the role {role} (roles: {held})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """A value: reloading keys makes a new one."""

    keys: KeyRing
    tokens: Tokens
    anonymous: frozenset[Role] = frozenset()
    """What those may do who show nothing."""

    @classmethod
    def open(cls) -> Gate:
        """Everybody may do everything: for one machine, behind loopback."""
        return cls(keys=KeyRing(entries={}), tokens=Tokens(), anonymous=frozenset(ROLES))

    def principal(self, shown: str | None, *, now: datetime) -> Principal:
        """Who that is. Raises NotKnownError."""
        if shown is None:
            if not self.anonymous:
                raise NotKnownError("an API key or a token is needed")
            return Principal(id=ANONYMOUS, roles=self.anonymous)
        holder = self.holder(shown, now=now)
        return Principal(id=holder.id, roles=holder.roles | self.anonymous)

    def holder(self, shown: str, *, now: datetime) -> Holder:
        """The holder of a key or token. Raises NotKnownError."""
        if is_key(shown):
            return self.keys.holder(shown, now=now)
        return self.tokens.holder(shown, now=now)
