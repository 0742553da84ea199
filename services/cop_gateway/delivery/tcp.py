"""CoT over a plain TCP stream."""

from __future__ import annotations

import asyncio

from cop_gateway.delivery.errors import SinkLostError
from cop_gateway.delivery.stream import StreamConnection, Upgrade

CONNECT_SECONDS = 10.0


class TcpTransport:
    """Opens TCP connections; with `upgrade`, protocol buffers are spoken where they are offered."""

    def __init__(
        self, host: str, port: int, *, upgrade: bool = False, identity: str = "sightline"
    ) -> None:
        self._host = host
        self._port = port
        self._upgrade = Upgrade(wanted=upgrade, identity=identity)

    @property
    def target(self) -> str:
        """The address, for people."""
        return f"tcp://{authority(self._host, self._port)}"

    @property
    def expires_at(self) -> None:
        """There is no certificate."""
        return

    async def open(self) -> StreamConnection:
        """Connect within ten seconds, or raise OSError or SinkLostError."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(self._host, self._port)
        except TimeoutError as error:
            raise SinkLostError(f"no TCP connection within {CONNECT_SECONDS:g} s") from error
        return StreamConnection(reader, writer, upgrade=self._upgrade)


def authority(host: str, port: int) -> str:
    """host:port, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
