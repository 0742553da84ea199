"""A TAK server that does as it is told: what real ones do on their bad days. It has its own thread.

Deliberately not the product's framing or encoding: another, simple reading of the same stream.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from takproto.proto import TakMessage

_EVENT = re.compile(rb"<event\b.*?</event>", re.DOTALL)


def _attribute(event: bytes, name: bytes) -> str:
    match = re.search(rb"\b" + name + rb'="([^"]*)"', event)
    return match[1].decode() if match else ""


@dataclass
class Behaviour:
    """How the server is today; may be changed while it runs."""

    pongs: bool = True
    breaks_on: Callable[[bytes], bool] = lambda _: False
    """Whether it cuts the connection when it meets this event, as if it had crashed on it."""
    reads: bool = True
    fragment: int | None = None
    """Answers in pieces of so many bytes."""
    offers_protobuf: bool = False
    refuses_protobuf: bool = False
    hears: list[bytes] = field(default_factory=list)


class TakServer:
    """Listens on a port of its own. `events` is everything that was heard whole, in order."""

    def __init__(self, **behaviour: object) -> None:
        self.behaviour = Behaviour(**behaviour)  # type: ignore[arg-type]
        self.connections = 0
        self.binary_connections = 0
        self.events: list[bytes] = []
        self.messages: list[TakMessage] = []
        self._open: set[socket.socket] = set()
        self._closing = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def sightings(self) -> list[str]:
        """uid@time of what is no ping, no presence and no camera, in the order of arrival."""
        return [
            _attribute(event, b"frame") + "/" + _attribute(event, b"detection")
            for event in self.events
            if b" detection=" in event
        ]

    def kinds(self) -> list[str]:
        return [_attribute(event, b"type") for event in self.events]

    def cut(self) -> None:
        """Break every connection."""
        for sock in list(self._open):
            sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._closing = True
        self._server.shutdown(socket.SHUT_RDWR)  # or accept() would go on waiting
        self._server.close()
        self.cut()
        self._thread.join(5)

    def _accept(self) -> None:
        while not self._closing:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self.behaviour.offers_protobuf:
                self._say(sock, _machine("t-x-takp-v", '<TakProtocolSupport version="1"/>'))
            self._read_xml(sock)
        except OSError:
            return
        finally:
            self._open.discard(sock)
            sock.close()

    def _read_xml(self, sock: socket.socket) -> None:
        buffer = b""
        while self.behaviour.reads and (data := sock.recv(65_536)):
            buffer += data
            for match in _EVENT.finditer(buffer):
                event = match[0]
                if self.behaviour.breaks_on(event):
                    return
                self.events.append(event)
                kind = _attribute(event, b"type")
                if kind == "t-x-takp-q":
                    yes = not self.behaviour.refuses_protobuf
                    status = f'<TakResponse status="{str(yes).lower()}"/>'
                    self._say(sock, _machine("t-x-takp-r", status))
                    if yes:
                        self.binary_connections += 1
                        self._read_binary(sock, buffer[match.end() :])
                        return
                elif kind == "t-x-c-t" and self.behaviour.pongs:
                    self._say(sock, _machine("t-x-c-t-r"))
            end = buffer.rfind(b"</event>")
            buffer = buffer[end + 8 :] if end >= 0 else buffer
        while not self.behaviour.reads and not self._closing:
            threading.Event().wait(0.05)

    def _read_binary(self, sock: socket.socket, buffer: bytes) -> None:
        while True:
            while (whole := _message(buffer)) is not None:
                body, buffer = whole
                message = TakMessage()
                message.ParseFromString(body)
                self.messages.append(message)
                if message.cotEvent.type == "t-x-c-t" and self.behaviour.pongs:
                    pong = TakMessage()
                    pong.cotEvent.type, pong.cotEvent.uid = "t-x-c-t-r", "takPong"
                    data = pong.SerializeToString()
                    self._say(sock, b"\xbf" + bytes((len(data),)) + data)
            data = sock.recv(65_536)
            if not data:
                return
            buffer += data

    def _say(self, sock: socket.socket, data: bytes) -> None:
        step = self.behaviour.fragment or len(data)
        for at in range(0, len(data), step):
            sock.sendall(data[at : at + step])


def _message(buffer: bytes) -> tuple[bytes, bytes] | None:
    if not buffer:
        return None
    assert buffer[0] == 0xBF, buffer[:10]
    length = shift = 0
    for at in range(1, len(buffer)):
        length |= (buffer[at] & 0x7F) << shift
        shift += 7
        if buffer[at] < 0x80:
            body = buffer[at + 1 : at + 1 + length]
            return (body, buffer[at + 1 + length :]) if len(body) == length else None
    return None


def _machine(kind: str, control: str = "") -> bytes:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    inner = f"<TakControl>{control}</TakControl>" if control else ""
    return (
        f'<event version="2.0" uid="server" type="{kind}" how="m-g" time="{now}" start="{now}"'
        f' stale="{now}"><point lat="0.0" lon="0.0" hae="0.0" ce="9999999" le="9999999"/>'
        f"<detail>{inner}</detail></event>"
    ).encode()
