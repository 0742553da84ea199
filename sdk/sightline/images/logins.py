"""Who we are at a registry: from docker's own configuration, and the programs that it names."""

from __future__ import annotations

import base64
import binascii
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from sightline.images.challenge import Login
from sightline.images.errors import RegistryError

SECONDS = 30.0


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    auth: str = ""
    username: str = ""
    password: str = ""


class _Settings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    auths: dict[str, _Entry] = {}
    cred_helpers: dict[str, str] = {}
    creds_store: str = ""


class _Told(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    username: str
    secret: str


def settings_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where docker keeps it."""
    folder = environ.get("DOCKER_CONFIG")
    return Path(folder) if folder else Path.home() / ".docker"


def login(registry: str, folder: Path | None = None) -> Login | None:
    """Of `docker login`; None where there was none. Raises RegistryError."""
    file = (folder or settings_file()) / "config.json"
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RegistryError(f"{file} cannot be read: {error.strerror}") from error
    try:
        settings = msgspec.json.decode(content, type=_Settings)
    except msgspec.DecodeError:
        # What is wrong might quote a password.
        raise RegistryError(f"{file} is not what `docker login` writes") from None
    helper = settings.cred_helpers.get(registry) or settings.creds_store
    if helper:
        return _helped(helper, registry)
    for name in (registry, f"https://{registry}", f"http://{registry}"):
        if entry := settings.auths.get(name):
            return _written(entry, file, name)
    return None


def _written(entry: _Entry, file: Path, name: str) -> Login | None:
    if entry.auth:
        try:
            user, colon, password = (
                base64.b64decode(entry.auth, validate=True).decode().partition(":")
            )
        except (binascii.Error, UnicodeDecodeError):
            colon = ""
        if not colon:
            raise RegistryError(f"{file}: auths.{name}.auth is not base64 of USER:PASSWORD")
        return Login(user=user, password=password)
    return Login(user=entry.username, password=entry.password) if entry.username else None


def _helped(helper: str, registry: str) -> Login | None:
    program = shutil.which(f"docker-credential-{helper}")
    if program is None:
        raise RegistryError(f"docker's configuration names docker-credential-{helper}: not found")
    try:
        done = subprocess.run(  # noqa: S603 - docker's own way
            [program, "get"],
            input=registry.encode(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RegistryError(f"docker-credential-{helper} did not answer in {SECONDS:g} s") from None
    if done.returncode:
        # It says "credentials not found" on stdout where there are none.
        if b"not found" in done.stdout:
            return None
        raise RegistryError(f"docker-credential-{helper} ended with {done.returncode}")
    try:
        told = msgspec.json.decode(done.stdout, type=_Told)
    except msgspec.DecodeError:
        raise RegistryError(f"docker-credential-{helper} answered something else") from None
    return Login(user=told.username, password=told.secret)
