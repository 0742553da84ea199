"""CoT in datagrams: to one host, or by multicast to every client on the network (mesh SA).

Nobody acknowledges a datagram: the cursor moves on send. Source for the framing and the control
message at least once a minute: protocol.txt (see cot/negotiation.py).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from cop_gateway.cot import protobuf
from cop_gateway.cot.errors import EventError
from cop_gateway.delivery.errors import SinkLostError, UnsendableError
from cop_gateway.delivery.tcp import authority

MOST_BYTES = 65_507
"""What a UDP datagram over IPv4 can carry."""
_CONTROL_SECONDS = 50.0

Encoding = Literal["xml", "protobuf"]


class MeshTransport:
    """Opens a socket; `interface` is the address of the network to send from, for multicast."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        encoding: Encoding = "protobuf",
        ttl: int = 1,
        interface: str | None = None,
        identity: str = "sightline",
    ) -> None:
        self._host = host
        self._port = port
        self._encoding: Encoding = encoding
        self._ttl = ttl
        self._interface = interface
        self._identity = identity

    @property
    def target(self) -> str:
        """The address, for people."""
        return f"udp://{authority(self._host, self._port)}"

    @property
    def expires_at(self) -> None:
        """There is no certificate."""
        return

    async def open(self) -> MeshConnection:
        """Make the socket. Raises OSError for a name or an interface that is not there."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            self._prepare(sock, family, str(address[0]))
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return MeshConnection(sock, encoding=self._encoding, identity=self._identity)

    def _prepare(self, sock: socket.socket, family: int, host: str) -> None:
        if not ipaddress.ip_address(host.partition("%")[0]).is_multicast:
            return
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, self._ttl)
            if self._interface is not None:
                index = socket.if_nametoindex(self._interface)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            return
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self._ttl)
        if self._interface is not None:
            packed = socket.inet_aton(self._interface)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, packed)


class MeshConnection:
    """A socket to one address. Nothing is read from it: mesh clients answer nobody."""

    def __init__(self, sock: socket.socket, *, encoding: Encoding, identity: str) -> None:
        self._sock = sock
        self._encoding: Encoding = encoding
        self._identity = identity
        self._closed = asyncio.Event()
        self._next_control = 0.0

    async def send(self, events: Sequence[str]) -> None:
        """A datagram each. All are encoded before the first is sent."""
        datagrams = [self._encode(event, index) for index, event in enumerate(events)]
        loop = asyncio.get_running_loop()
        if self._encoding == "protobuf" and loop.time() >= self._next_control:
            self._next_control = loop.time() + _CONTROL_SECONDS
            datagrams.insert(0, protobuf.mesh_frame(protobuf.control(self._identity)))
        for datagram in datagrams:
            if self._closed.is_set():
                raise SinkLostError("the socket is closed")
            try:
                await loop.sock_sendall(self._sock, datagram)
            except ConnectionRefusedError:
                # An earlier datagram found nobody listening there: a datagram promises no more.
                await loop.sock_sendall(self._sock, datagram)

    async def received(self) -> AsyncIterator[bytes]:
        """Nothing, until it is closed."""
        await self._closed.wait()
        nothing: tuple[bytes, ...] = ()
        for event in nothing:
            yield event

    async def close(self) -> None:
        """Let go of the socket."""
        self._closed.set()
        self._sock.close()

    def _encode(self, event: str, index: int) -> bytes:
        try:
            data = (
                event.encode()
                if self._encoding == "xml"
                else protobuf.mesh_frame(protobuf.encode(event))
            )
        except EventError as error:
            raise UnsendableError(str(error), index=index) from error
        if len(data) > MOST_BYTES:
            raise UnsendableError(
                f"{len(data)} bytes do not fit into a datagram (limit {MOST_BYTES})", index=index
            )
        return data
