"""The files that access is built from, read at the start and again whenever one of them changes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from access import ROLES, Gate, KeyRing, KeysError, Role, SigningKeys, Tokens
from access.tokens import key_set
from serving.errors import ConfigurationError
from serving.stamp import Stamp, stamp
from telemetry import logs

LOOK_SECONDS = 2.0

log = logs.get("serving.keychain")


class AccessSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may do what: [access]."""

    keys: str | None = None
    """File of API keys (TOML, digests only); `python -m access ID ROLE...` makes an entry."""
    jwks: str | None = None
    """File with the public keys of an identity provider (JWKS), whose tokens are believed."""
    issuer: str | None = None
    """The `iss` that a provider's tokens must have."""
    audience: str = "sightline"
    """The `aud` that every token must have."""
    token_secret: Annotated[str, Meta(min_length=32)] | None = None
    """Signs the tokens of POST /v1/auth/token; named by its file, the same for every replica."""
    signing_keys: str | None = None
    """File with keys of our own (JWKS) that sign those tokens instead, or just believe them where
    the file has public parts alone; `sightline secrets rotate token` makes and changes it."""
    token_seconds: Annotated[int, Meta(ge=60, le=86_400)] = 900
    """How long those are good."""
    anonymous: tuple[Role, ...] = ()
    """What those may do who show nothing; with neither keys nor jwks on loopback: everything."""
    open: bool = False
    """Let everybody do everything, on a public address as well."""
    requests_per_second: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    """For each client (an API key, or an address where none is shown); beyond it 429."""
    burst: Annotated[int, Meta(ge=1, le=1_000_000)] = 2_000
    """How many requests of a client may come at once."""
    failures_per_minute: Annotated[float, Meta(gt=0, le=60_000)] = 10.0
    """Wrong keys and tokens from one address; beyond it 429, and no more log lines."""

    @property
    def configured(self) -> bool:
        """Whether anybody can be told from anybody else."""
        return not (self.keys is None and self.jwks is None and self.signing_keys is None)


LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Keychain:
    """The present gate. A bad file is a ConfigurationError at the start, and only logged later."""

    def __init__(self, settings: AccessSettings, *, host: str) -> None:
        self._settings = settings
        if not settings.configured and not settings.open and host not in LOOPBACK:
            raise ConfigurationError(
                f"access: {host} is reached from other machines, and nothing says who may do what:"
                " set access.keys, access.jwks or access.signing_keys, or access.open = true to let"
                " everybody in"
            )
        named = (settings.keys, settings.jwks, settings.signing_keys)
        self._files = [Path(name) for name in named if name is not None]
        self._stamps = self._stamp()
        try:
            self.gate = self._read()
        except KeysError as error:
            raise ConfigurationError(f"access: {error}") from error

    @property
    def settings(self) -> AccessSettings:
        """What it was made from."""
        return self._settings

    def look(self) -> bool:
        """Read the files again if one has changed; whether the gate is a new one."""
        stamps = self._stamp()
        if stamps == self._stamps:
            return False
        self._stamps = stamps
        try:
            self.gate = self._read()
        except KeysError as error:
            log.warning("access keys not reloaded, the earlier ones stay", reason=str(error))
            return False
        log.info("access keys reloaded", keys=len(self.gate.keys.entries))
        return True

    async def watch(self) -> None:
        """Look every two seconds, until cancelled."""
        while self._files:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.look)

    def _read(self) -> Gate:
        wanted = self._settings
        if wanted.open or not wanted.configured:
            return Gate.open()
        return Gate(
            keys=KeyRing.parse(_text(wanted.keys), name=wanted.keys)
            if wanted.keys
            else KeyRing(entries={}),
            tokens=Tokens(
                secret=wanted.token_secret,
                signing=_signing(wanted.signing_keys),
                keys=key_set(_text(wanted.jwks), name=wanted.jwks) if wanted.jwks else None,
                issuer=wanted.issuer,
                audience=wanted.audience,
                lifetime=timedelta(seconds=wanted.token_seconds),
            ),
            anonymous=frozenset(role for role in ROLES if role in wanted.anonymous),
        )

    def _stamp(self) -> list[Stamp | None]:
        return [stamp(path) for path in self._files]


def _signing(name: str | None) -> SigningKeys | None:
    return None if name is None else SigningKeys.parse(_text(name), name=name)


def _text(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise KeysError(f"{name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KeysError(f"{name}: not UTF-8 text") from error
