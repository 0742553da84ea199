"""A TLS server of CoT, and credentials laid down as an operator does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from cop_gateway.delivery.credential_files import CredentialFiles
from cop_gateway.delivery.errors import DeliveryError
from cop_gateway.delivery.stream import StreamConnection
from cop_gateway.delivery.tls import TlsError, TlsTransport
from fakes.authority import Authority, Issued
from running import wait_for

CA = Authority("TAK CA")
SERVER = CA.issue("takserver", hosts=("127.0.0.1",))
PONG = b'<event version="2.0" uid="takPong" type="t-x-c-t-r"></event>'


class TlsServer:
    """Takes TLS connections, remembers what it reads and whom it saw; pongs each ping.

    With plain sockets: asyncio's own servers drop the alert that says why they refuse.
    """

    def __init__(self, context: ssl.SSLContext | None, *, greeting: bytes = b"") -> None:
        self.context = context
        """For connections to come; None speaks no TLS."""
        self.greeting = greeting
        self.received = b""
        self.clients: list[str] = []
        self.connections: list[ssl.SSLSocket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> TlsServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self.connections:
            connection.close()

    def cut(self) -> None:
        """Break every connection."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def has_seen(self, *names: str) -> None:
        """These and no others have come; the server may be a moment later than the client."""
        wait_for(lambda: len(self.clients) >= len(names), seconds=5, what=f"{names} at the server")
        assert self.clients == list(names)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(60)
        context = self.context
        if context is None:
            with contextlib.suppress(OSError), plain:
                plain.sendall(b"<event/>" * 10)
                plain.recv(65_536)
            return
        with (
            contextlib.suppress(OSError),
            plain,
            context.wrap_socket(plain, server_side=True) as tls,
        ):
            shown = tls.getpeercert() or {}
            self.connections.append(tls)
            self.clients.extend(value for ((_, value),) in shown.get("subject", ()))
            tls.sendall(self.greeting)
            heard, ponged = b"", 0
            while data := tls.recv(65_536):
                self.received += data
                heard += data
                pings = heard.count(b'type="t-x-c-t"')
                tls.sendall(PONG * (pings - ponged))
                ponged = pings


class Folder:
    """Credentials as an operator lays them down."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, client: Issued | None, *, ca: Authority = CA) -> None:
        (self.path / "ca.pem").write_bytes(ca.pem)
        if client:
            (self.path / "client.pem").write_bytes(client.pem + client.key_pem())

    def transport(self, port: int, *, anonymous: bool = False, **options: Any) -> TlsTransport:
        source = CredentialFiles(
            certificate=None if anonymous else self.path / "client.pem", ca=self.path / "ca.pem"
        )
        return TlsTransport(**{"host": "127.0.0.1", "port": port, "source": source, **options})


async def events(connection: StreamConnection, count: int) -> list[bytes]:
    found = []
    async with asyncio.timeout(10):
        async for event in connection.received():
            found.append(event)
            if len(found) == count:
                break
    return found


async def refused(transport: TlsTransport) -> str:
    """The sentence with which opening fails; it is what /v1/sinks shows."""
    with pytest.raises(DeliveryError) as caught:
        await transport.open()
    assert isinstance(caught.value, TlsError)
    return str(caught.value)
