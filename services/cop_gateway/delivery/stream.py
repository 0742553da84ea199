"""CoT over a stream of bytes, TCP or TLS: XML, or protocol buffers where they are offered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from cop_gateway.cot import EventSplitter, FramingError, negotiation, protobuf
from cop_gateway.cot.errors import EventError
from cop_gateway.delivery.errors import SinkLostError, UnsendableError

_READ_BYTES = 1 << 16
_CLOSE_SECONDS = 1.0
_MOST_UNANSWERED = 2
_ANSWER_SECONDS = 60.0
"""How long the server may take to answer a request for another protocol."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Upgrade:
    """Whether servers' offers to speak protocol buffers are taken; outlives a connection.

    A server that offers and then does not answer would hold up every connection: after the second
    one in a row that ends so, XML it is.
    """

    def __init__(self, *, wanted: bool = True, identity: str = "sightline") -> None:
        self._wanted = wanted
        self.identity = identity
        """What we are called when we ask."""
        self._unanswered = 0

    @property
    def wanted(self) -> bool:
        """Whether to take the next offer."""
        return self._wanted and self._unanswered < _MOST_UNANSWERED

    def ended(self, *, answered: bool) -> None:
        """A request was answered, or its connection ended before."""
        self._unanswered = 0 if answered else self._unanswered + 1


class StreamConnection:
    """An open stream: XML, unless the server offers something else and `upgrade` takes it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        upgrade: Upgrade | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._upgrade = upgrade or Upgrade(wanted=False)
        self._clock = clock
        self._binary = False
        self._may_send = asyncio.Event()
        self._may_send.set()

    async def send(self, events: Sequence[str]) -> None:
        """Write, and wait until the peer has taken enough of it."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._may_send.wait()
        except TimeoutError as error:
            raise SinkLostError("no answer to the request for another protocol") from error
        await self._write(self._encode(events))

    async def received(self) -> AsyncIterator[bytes]:
        """Whole events as they come in."""
        try:
            async for event in self._events():
                yield event
        except FramingError as error:
            raise SinkLostError(f"the peer does not speak CoT: {error}") from error

    async def close(self) -> None:
        """Close; a peer that is gone already is no news.

        One that reads no more would keep the socket, and what is still to be written, for ever.
        """
        if not self._may_send.is_set():
            self._upgrade.ended(answered=False)
        self._writer.close()
        limit = asyncio.timeout(_CLOSE_SECONDS)
        with contextlib.suppress(OSError):
            async with limit:
                await self._writer.wait_closed()
        # What broke by itself is closed already, and Python 3.11.2 cannot abort that with TLS.
        if limit.expired():
            self._writer.transport.abort()

    async def _events(self) -> AsyncIterator[bytes]:
        splitter = EventSplitter()
        while data := await self._reader.read(_READ_BYTES):
            for event in splitter.feed(data):
                if self._upgrade.wanted and await self._negotiated(event):
                    async for other in self._binary_events(splitter.rest()):
                        yield other
                    return
                yield event

    async def _binary_events(self, data: bytes) -> AsyncIterator[bytes]:
        splitter = protobuf.MessageSplitter()
        while True:
            for message in splitter.feed(data):
                if (event := _readable(message)) is not None:
                    yield event.encode()
            data = await self._reader.read(_READ_BYTES)
            if not data:
                return

    async def _negotiated(self, event: bytes) -> bool:
        """Whether protocol buffers follow from here on."""
        said = negotiation.word(event, protobuf.VERSION)
        if said == "offer" and self._may_send.is_set():
            self._may_send.clear()
            question = negotiation.request(self._upgrade.identity, self._clock(), protobuf.VERSION)
            await self._write(question.encode())
        elif said in ("yes", "no") and not self._may_send.is_set():
            self._binary = said == "yes"
            self._may_send.set()
            self._upgrade.ended(answered=True)
            return self._binary
        return False

    def _encode(self, events: Sequence[str]) -> bytes:
        if not self._binary:
            return "".join(events).encode()
        parts = []
        for index, event in enumerate(events):
            try:
                parts.append(protobuf.stream_frame(protobuf.encode(event)))
            except EventError as error:
                raise UnsendableError(str(error), index=index) from error
        return b"".join(parts)

    async def _write(self, data: bytes) -> None:
        if self._writer.is_closing():
            # uvloop says RuntimeError to a write on a transport that has closed by itself.
            raise SinkLostError("the connection is closed")
        self._writer.write(data)
        await self._writer.drain()


def _readable(message: bytes) -> str | None:
    """Its event, if it has one. What cannot be read is passed over: strangers' events come, too."""
    try:
        return protobuf.decode(message)
    except FramingError:
        return None
