"""Framing of a TAK XML stream: documents follow each other, each ends with </event>.

Sans I/O: bytes go in as they arrive, whole events come out.
"""

from __future__ import annotations

from collections.abc import Iterator

_OPEN = b"<event"
_CLOSE = b"</event>"
MAX_EVENT_BYTES = 1 << 20


class EventSplitter:
    """Splits a stream into events; whatever stands between them (XML declarations) is dropped.

    So is an event beyond `limit`: servers hand on what strangers send, and the next one is good
    again. No more than `limit` is kept, whatever comes.
    """

    def __init__(self, *, limit: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._limit = limit
        self._inside = False
        """Whether the buffer begins within an event."""
        self._skipping = False
        """Whether that event is too long already."""
        self._searched = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what arrived and yield each event that is now whole."""
        self._buffer += data
        while self._inside or self._enter():
            # The end tag may be split across reads: look again at the bytes just before.
            end = self._buffer.find(_CLOSE, max(0, self._searched - len(_CLOSE) + 1))
            if end < 0:
                self._wait()
                return
            end += len(_CLOSE)
            whole = not self._skipping and end <= self._limit
            event = bytes(self._buffer[:end]) if whole else b""
            del self._buffer[:end]
            self._inside = self._skipping = False
            self._searched = 0
            if whole:
                yield event

    def rest(self) -> bytes:
        """What came after the event just yielded, when the stream changes its language there."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _enter(self) -> bool:
        """Go to the beginning of the next event, if it is there."""
        start = self._buffer.find(_OPEN)
        if start < 0:
            # All but what may be the beginning of a tag.
            start = max(0, len(self._buffer) - len(_OPEN) + 1)
        else:
            self._inside = True
        del self._buffer[:start]
        return self._inside

    def _wait(self) -> None:
        """The event goes on in what is still to come."""
        if self._skipping or len(self._buffer) > self._limit:
            self._skipping = True
            del self._buffer[: -len(_CLOSE) + 1]
        self._searched = len(self._buffer)
