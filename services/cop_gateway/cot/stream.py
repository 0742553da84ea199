"""Framing of a TAK XML stream: documents follow each other, each ends with </event>.

Sans I/O: bytes go in as they arrive, whole events come out.
"""

from __future__ import annotations

from collections.abc import Iterator

from cop_gateway.cot.errors import FramingError

_OPEN = b"<event"
_CLOSE = b"</event>"
MAX_EVENT_BYTES = 1 << 20


class EventSplitter:
    """Splits a stream into events; whatever stands between them (XML declarations) is dropped."""

    def __init__(self, *, limit: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._limit = limit

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what arrived and yield each event that is now whole.

        Raises FramingError when an event outgrows the limit: the stream is then of no more use.
        """
        self._buffer += data
        while True:
            # The end tag may be split across reads: look again at the bytes just before.
            end = self._buffer.find(_CLOSE, max(0, self._searched - len(_CLOSE) + 1))
            if end < 0:
                break
            end += len(_CLOSE)
            start = self._buffer.find(_OPEN, 0, end)
            event = bytes(self._buffer[max(start, 0) : end])
            del self._buffer[:end]
            self._searched = 0
            if start >= 0:
                yield event
        self._searched = len(self._buffer)
        if len(self._buffer) > self._limit:
            raise FramingError(f"an event of more than {self._limit} bytes")

    def rest(self) -> bytes:
        """What came after the last whole event, when the stream changes its language there."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return rest
