"""How a registry says whom it wants to hear from (WWW-Authenticate), and what it is answered."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import msgspec

from sightline.images.errors import RegistryError
from sightline.images.reference import is_loopback

_PARAMETER = re.compile(r'([A-Za-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. A secret: never shown."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login(user={self.user!r}, password=…)"

    @property
    def basic(self) -> str:
        """For the header Authorization."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: `basic`, or a token of somebody."""

    scheme: str
    parameters: Mapping[str, str] = {}


def parse(header: str, *, registry: str) -> Challenge:
    """Raises RegistryError where it is neither."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() not in ("basic", "bearer"):
        raise RegistryError(f"{registry} wants {scheme or 'nothing'!r}; known are Basic and Bearer")
    found = {
        match[1].lower(): re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        for match in _PARAMETER.finditer(rest)
    }
    return Challenge(scheme=scheme.lower(), parameters=found)


def token_url(challenge: Challenge, *, registry: str, scope: str, plain: bool) -> str:
    """Where a token is to be had. Raises RegistryError.

    A password goes there: so only by TLS, or within this machine, or where plain HTTP is allowed.
    """
    realm = challenge.parameters.get("realm", "")
    parts = urlsplit(realm)
    if parts.scheme not in ("https", "http") or not parts.netloc:
        raise RegistryError(f"{registry} names no place to get a token from: realm={realm!r}")
    if parts.scheme == "http" and not (plain or is_loopback(parts.netloc)):
        raise RegistryError(f"{registry} wants a password sent without TLS, to {realm}: refused")
    asked = {"scope": challenge.parameters.get("scope") or scope}
    if service := challenge.parameters.get("service"):
        asked["service"] = service
    return f"{realm}{'&' if parts.query else '?'}{urlencode(asked)}"
