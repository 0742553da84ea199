"""Vault's KV version 2 as a source of secrets, through hvac: logged in, renewed, read.

Vault that does not answer, is sealed or overloaded is an UnreachableError, for which a cache may
stand in; one that says no is a SourceError, for which nothing does.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hvac
import requests
from hvac import exceptions as hvac_errors

from sightline.secrets import vault_session
from sightline.secrets.errors import FormatError, SourceError, UnreachableError
from sightline.secrets.folder import read as read_file
from sightline.secrets.vault_session import Lease

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_SECONDS = 15
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}", re.ASCII)
_DOWN = (
    hvac_errors.VaultDown,
    hvac_errors.VaultNotInitialized,
    hvac_errors.BadGateway,
    hvac_errors.InternalServerError,
    hvac_errors.RateLimitExceeded,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenToken:
    """A token that somebody got already."""

    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class AppRole:
    """Two halves of a login, each in a file, read anew at each login."""

    role_id: Path
    secret_id: Path
    mount: str = "approle"


@dataclass(frozen=True, kw_only=True, slots=True)
class KubernetesRole:
    """A pod's account."""

    role: str
    token: Path = SERVICE_ACCOUNT
    mount: str = "kubernetes"


Entrance = GivenToken | AppRole | KubernetesRole


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """The values at a path, and which version they are. Its text form leaves the values out."""

    path: str
    version: int
    created: str
    data: Mapping[str, bytes] = field(repr=False)


class Vault:
    """One server, one entrance."""

    def __init__(
        self,
        *,
        address: str,
        entrance: Entrance,
        mount: str = "secret",
        namespace: str | None = None,
        ca: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked yet. `ca` is a file in PEM; without it the system's count."""
        self.address, self.mount = address, mount
        self._entrance = entrance
        self._clock = clock
        self._lease: Lease | None = None
        self._client = hvac.Client(
            url=address, verify=str(ca) if ca else True, timeout=_SECONDS, namespace=namespace
        )
        # Not one from the environment or somebody's home, unless it was asked for.
        self._client.token = entrance.token if isinstance(entrance, GivenToken) else None

    def read(self, path: str, *, version: int | None = None) -> Read:
        """The values at a path. Raises UnreachableError, SourceError, FormatError."""
        self.ready()
        with self._told(f"{self.mount}/{path}"):
            answer = self._client.secrets.kv.v2.read_secret_version(
                path=path, version=version, mount_point=self.mount, raise_on_deleted_version=True
            )
        try:
            data, metadata = answer["data"]["data"], answer["data"]["metadata"]
            values = {key: _bytes(value) for key, value in data.items()}
            found = Read(
                path=path,
                version=int(metadata["version"]),
                created=str(metadata["created_time"]),
                data=values,
            )
        except (KeyError, TypeError, AttributeError, ValueError):
            raise FormatError(
                f"{self.address}: {self.mount}/{path} is no secret of KV version 2"
            ) from None
        for key in values:
            if not _KEY.fullmatch(key):
                raise FormatError(
                    f"{self.mount}/{path}: a key is no name of a file: A-Z, a-z, 0-9, _, . and -"
                )
        return found

    def ready(self) -> None:
        """Have a token that will hold a while. Raises UnreachableError or SourceError."""
        given = isinstance(self._entrance, GivenToken)
        move = vault_session.move(self._lease, self._clock(), given=given)
        if move == "renew":
            try:
                with self._told("renewing the token"):
                    answer = self._client.auth.token.renew_self()
            except UnreachableError:
                raise
            except SourceError:
                move = "keep" if given else "log in"
            else:
                self._hold(answer["auth"])
        if move == "log in":
            self._log_in()
        if move == "over":
            raise SourceError(f"{self.address}: the token that was given has ended")

    def _log_in(self) -> None:
        with self._told("logging in"):
            match self._entrance:
                case GivenToken():
                    told = self._client.auth.token.lookup_self()["data"]
                    self._lease = self._leased(told.get("ttl"), told.get("renewable"))
                    return
                case AppRole(role_id=role, secret_id=secret, mount=mount):
                    answer = self._client.auth.approle.login(
                        role_id=_line(role), secret_id=_line(secret), mount_point=mount
                    )
                case KubernetesRole(role=name, token=token, mount=mount):
                    answer = self._client.auth.kubernetes.login(
                        role=name, jwt=_line(token), mount_point=mount
                    )
        self._hold(answer["auth"])

    def _hold(self, auth: Mapping[str, Any]) -> None:
        self._client.token = auth["client_token"]
        self._lease = self._leased(auth.get("lease_duration"), auth.get("renewable"))

    def _leased(self, seconds: Any, renewable: Any) -> Lease:
        return Lease(since=self._clock(), seconds=float(seconds or 0), renewable=renewable is True)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Hvac's and requests' errors as ours; neither's words hold a token or a value."""
        try:
            yield
        except _DOWN as error:
            raise UnreachableError(f"{self.address}: {what}: {_words(error)}") from None
        except hvac_errors.Forbidden as error:
            raise SourceError(
                f"{self.address}: {what}: forbidden: the policy or the token does not allow it"
            ) from error
        except hvac_errors.InvalidPath as error:
            raise SourceError(
                f"{self.address}: {what}: there is nothing, or this version was deleted"
            ) from error
        except hvac_errors.VaultError as error:
            raise SourceError(f"{self.address}: {what}: {_words(error)}") from error
        except requests.exceptions.SSLError:
            raise SourceError(
                f"{self.address}: its certificate is not good: name its CA with --ca"
            ) from None
        except requests.exceptions.RequestException as error:
            raise UnreachableError(
                f"{self.address}: {what}: it does not answer ({type(error).__name__})"
            ) from None


def _words(error: hvac_errors.VaultError) -> str:
    return "; ".join(str(each) for each in error.errors or ()) or type(error).__name__


def _bytes(value: Any) -> bytes:
    """Text as it is; whatever else JSON has, as JSON."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def _line(path: Path) -> str:
    return read_file(path).decode(errors="replace").strip()
