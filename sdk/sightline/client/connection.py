"""How both clients reach a service: its address, what is shown to it, and how patient they are."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from sightline.client.call import Call
from sightline.client.errors import ClientError
from sightline.client.exchange import Exchange, Patience
from sightline.sockets import watchful

T = TypeVar("T")

DEADLINE_SECONDS = 30.0
ATTEMPTS = 4
CONNECTIONS = 32

GONE_SECONDS = 5
"""What was sent is confirmed within this time by a peer that lives."""

KEPT_SECONDS = 30.0
"""Shorter than the services keep a connection, so that they never close one under a request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """One service, and how it is asked."""

    base_url: str
    key: str | None = field(repr=False)
    patience: Patience
    tls: ssl.SSLContext | None
    draw: Callable[[], float] = random.random

    @property
    def _url(self) -> httpx.URL:
        return httpx.URL(self.base_url)

    def __post_init__(self) -> None:
        try:
            url = self._url
        except httpx.InvalidURL as error:
            raise ClientError(f"base_url: {self.base_url!r} is no address: {error}") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ClientError(f"base_url: {self.base_url!r} is not http://HOST or https://HOST")

    def settings(self) -> dict[str, Any]:
        """For a client of httpx's."""
        return {
            "base_url": self.base_url,
            "headers": {} if self.key is None else {"Authorization": f"Bearer {self.key}"},
            # A proxy of the environment would only see what is none of its business.
            "trust_env": False,
        }

    def transport(self, *, connections: int) -> dict[str, Any]:
        """For a transport of httpx's, which has the connections and their limits."""
        return {
            "limits": httpx.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=KEPT_SECONDS,
            ),
            "trust_env": False,
            "verify": self._tls(),
            "socket_options": watchful(GONE_SECONDS),
        }

    def _tls(self) -> ssl.SSLContext | bool:
        if self.tls is not None:
            return self.tls
        # Reading all authorities takes longer than a call, and without TLS nobody asks them.
        return self._url.scheme == "https" and httpx.create_ssl_context(trust_env=False)

    def exchange(self, call: Call[T], *, now: float) -> Exchange[T]:
        """A call that begins now."""
        return Exchange(
            call, address=self.base_url, patience=self.patience, draw=self.draw, now=now
        )
