"""The login by which the gateway enters PostgreSQL, and how another one takes its place.

PostgreSQL knows one password of a user. So that nobody is locked out between the change and the
last pod's restart, the tables' owner gets two users that log in for it, OWNER_a and OWNER_b, in
turn: members of the owner, whose session begins as the owner (`options=-c role=OWNER` in the
address). The earlier one logs in until it is ended, which is refused while it has sessions.
"""

from __future__ import annotations

import re
import secrets
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import msgspec

from sightline.secrets.errors import FormatError, RefusedError
from sightline.steps import Step

_ROLE = re.compile(r"-c\s*role=(?P<role>\S+)")
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,60}", re.ASCII)


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """What an address says of who comes in. Its text form leaves the address out."""

    url: str
    user: str
    owner: str
    """Whose tables they are: the user, unless the session begins as another role."""

    def __repr__(self) -> str:
        return f"<Login {self.user} for {self.owner}>"


class LoginStep(Step, frozen=True, kw_only=True, tag="login"):
    """Something is done to a user of the database."""

    user: str
    does: Literal["make", "end", "reset"]
    owner: str

    @property
    def sentence(self) -> str:
        """As an order."""
        return {
            "make": f"let {self.user} log in for {self.owner} with a new password",
            "end": f"let {self.user} log in no longer",
            "reset": f"give {self.user} another password, which no service has",
        }[self.does]


def read(url: str, *, name: str) -> Login:
    """Read a PostgreSQL address. Raises FormatError that quotes nothing of it."""
    parts = _parts(url, name)
    user = unquote(parts.username or "")
    options = dict(parse_qsl(parts.query)).get("options", "")
    role = _ROLE.search(options)
    owner = role["role"] if role else user
    for each in (user, owner):
        if not _NAME.fullmatch(each):
            raise FormatError(f"{name}: its user is no name of a-z, 0-9, _ and -, 61 at most")
    return Login(url=url, user=user, owner=owner)


def following(login: Login, *, name: str) -> Login:
    """The login that takes the place of this one, with a password of its own."""
    one, other = (f"{login.owner}_{each}" for each in "ab")
    user = other if login.user == one else one
    parts = _parts(login.url, name)
    query = dict(parse_qsl(parts.query))
    options = _ROLE.sub("", query.get("options", "")).strip()
    query["options"] = f"{options} -c role={login.owner}".strip()
    url = _entering(parts, user, secrets.token_urlsafe(32), parts.hostname, parts.port)
    # libpq takes + for a plus.
    return Login(
        url=urlunsplit(url._replace(query=urlencode(query, quote_via=quote))),
        user=user,
        owner=login.owner,
    )


def ending(earlier: Login, present: Login) -> LoginStep:
    """What ends the earlier login. Raises RefusedError where it is the present one."""
    if earlier.user == present.user:
        raise RefusedError(f"{earlier.user} is the present login: nothing was rotated before")
    # The owner may be the only one who can do everything: it keeps a password, that nobody has.
    does: Literal["end", "reset"] = "reset" if earlier.user == earlier.owner else "end"
    return LoginStep(user=earlier.user, does=does, owner=earlier.owner)


def through(url: str, place: str | None, *, name: str) -> str:
    """The same address, reached elsewhere: HOST:PORT, as of a port-forward."""
    if place is None:
        return url
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit():
        raise FormatError("--through: HOST:PORT is expected")
    parts = _parts(url, name)
    password = unquote(parts.password or "")
    return urlunsplit(_entering(parts, unquote(parts.username or ""), password, host, int(port)))


def password(url: str, *, name: str) -> str:
    """The password in an address."""
    return unquote(_parts(url, name).password or "")


def with_password(url: str, word: str, *, name: str) -> str:
    """The same address with another password."""
    parts = _parts(url, name)
    user = unquote(parts.username or "")
    return urlunsplit(_entering(parts, user, word, parts.hostname, parts.port))


def _parts(url: str, name: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        raise FormatError(f"{name}: no address of PostgreSQL") from None
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
        raise FormatError(f"{name}: no address such as postgresql://user:password@host/name")
    if "," in parts.netloc:
        raise FormatError(f"{name}: several hosts: rotate by hand")
    return parts


def _entering(
    parts: SplitResult, user: str, word: str, host: str | None, port: int | None
) -> SplitResult:
    where = f"[{host}]" if host and ":" in host else host or ""
    entrance = quote(user, safe="") + (f":{quote(word, safe='')}" if word else "")
    return parts._replace(netloc=f"{entrance}@{where}" + (f":{port}" if port else ""))
