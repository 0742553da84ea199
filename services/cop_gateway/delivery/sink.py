"""What a sink is: its name, its address and how it acknowledges."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import urlsplit

from cop_gateway.delivery.errors import SinkAddressError


@dataclass(frozen=True, kw_only=True, slots=True)
class Sink:
    """One peer. `acknowledge` is how the cursor moves: on the peer's pong, or on send."""

    name: str
    host: str
    port: int
    acknowledge: Literal["ping", "send"] = "ping"

    @property
    def target(self) -> str:
        """The address, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    @classmethod
    def parse(cls, url: str, *, name: str, acknowledge: Literal["ping", "send"] = "ping") -> Sink:
        """Read tcp://host:port; raises SinkAddressError saying what is wrong with it."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SinkAddressError(f"sink {name}: {url!r}: {error}") from error
        if parts.scheme != "tcp":
            raise SinkAddressError(f"sink {name}: {url!r} must begin with tcp://")
        if not parts.hostname or not port or parts.path not in ("", "/"):
            raise SinkAddressError(f"sink {name}: {url!r} must be tcp://host:port")
        try:
            parts.hostname.encode("idna")
        except UnicodeError as error:
            raise SinkAddressError(f"sink {name}: {url!r}: not a host name") from error
        return cls(name=name, host=parts.hostname, port=port, acknowledge=acknowledge)


class Connection(Protocol):
    """An open way to a sink."""

    async def send(self, data: bytes) -> None:
        """Hand bytes to the peer; returns when it has room for more. Raises OSError."""

    def received(self) -> AsyncIterator[bytes]:
        """The events that the peer sends; ends when it closes."""

    async def close(self) -> None:
        """Let go of it, whatever state it is in."""


class Transport(Protocol):
    """Opens connections of one kind: a new kind of sink is one new adapter."""

    async def open(self, sink: Sink) -> Connection:
        """Connect, or raise OSError."""
