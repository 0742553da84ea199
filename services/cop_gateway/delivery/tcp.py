"""CoT XML over a plain TCP stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from cop_gateway.cot import EventSplitter, FramingError
from cop_gateway.delivery.errors import SinkLostError
from cop_gateway.delivery.sink import Sink

_READ_BYTES = 1 << 16
_CONNECT_SECONDS = 10.0


class TcpTransport:
    """Opens TCP connections."""

    async def open(self, sink: Sink) -> TcpConnection:
        """Connect within ten seconds, or raise OSError (TimeoutError is one)."""
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(sink.host, sink.port)
        return TcpConnection(reader, writer)


class TcpConnection:
    """An open stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Write and wait until the peer has taken enough of it."""
        if self._writer.is_closing():
            # uvloop says RuntimeError to a write on a transport that has closed by itself.
            raise SinkLostError("the connection is closed")
        self._writer.write(data)
        await self._writer.drain()

    async def received(self) -> AsyncIterator[bytes]:
        """Whole events as they come in."""
        splitter = EventSplitter()
        while data := await self._reader.read(_READ_BYTES):
            try:
                for event in splitter.feed(data):
                    yield event
            except FramingError as error:
                raise SinkLostError(f"the peer does not speak CoT: {error}") from error

    async def close(self) -> None:
        """Close; a peer that is gone already is no news."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
