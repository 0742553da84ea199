"""What an image is called: registry/repository:tag@digest."""

from __future__ import annotations

import ipaddress
import re

import msgspec

from sightline.images.errors import MisnamedError

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
LONGEST = 255


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """An image in a registry, by tag, by digest, or both."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    @property
    def name(self) -> str:
        """Without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def wanted(self) -> str:
        """What a registry is asked for: the digest where there is one."""
        return self.digest or self.tag or "latest"


def parse(text: str) -> Reference:
    """Raises MisnamedError. The registry must be named: none is anybody's default here."""
    rest, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise MisnamedError(f"{text!r}: a digest is sha256: and 64 hexadecimal digits")
    registry, slash, path = rest.partition("/")
    if not slash or not (set(".:") & set(registry) or registry == "localhost"):
        raise MisnamedError(
            f"{text!r} names no registry: say REGISTRY/{rest}, such as registry.example:5000/{rest}"
        )
    if _HOST.fullmatch(registry) is None:
        raise MisnamedError(f"{text!r}: {registry!r} is no host, with or without a port")
    repository, colon, tag = path.partition(":")
    if colon:
        checked_tag(tag)
    return Reference(
        registry=registry,
        repository=checked_repository(repository),
        tag=tag or None,
        digest=digest or None,
    )


def checked_tag(tag: str) -> str:
    """The tag; raises MisnamedError."""
    if _TAG.fullmatch(tag) is None:
        raise MisnamedError(f"{tag!r} is no tag: letters, digits and ._-, at most 128")
    return tag


def checked_repository(repository: str) -> str:
    """The repository; raises MisnamedError."""
    if len(repository) > LONGEST or _REPOSITORY.fullmatch(repository) is None:
        raise MisnamedError(
            f"{repository!r} is no repository: small letters, digits and ._- between slashes,"
            f" at most {LONGEST}"
        )
    return repository


def is_digest(text: str) -> bool:
    """Whether it is sha256: and 64 digits; nothing else is used here."""
    return _DIGEST.fullmatch(text) is not None


def kin(digest: str, suffix: str) -> str:
    """The tag at which cosign keeps what belongs to an image: sha256-….sig, .att."""
    return f"{digest.replace(':', '-')}.{suffix}"


def is_loopback(registry: str) -> bool:
    """Whether it is on this machine, where nobody listens in: plain HTTP is allowed there."""
    host = registry
    if registry.startswith("["):
        host = registry[1:].partition("]")[0]
    elif ":" in registry:
        host = registry.rpartition(":")[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
