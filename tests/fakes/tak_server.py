"""A TAK server that does as it is told: what real ones do on their bad days. It has its own thread.

Deliberately not the product's framing or encoding: another, simple reading of the same stream.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Sequence

from takproto.proto import TakMessage

from fakes.bad_days import Behaviour, Life, attribute, framed, is_machine, machine, unframed

_EVENT = re.compile(rb"<event\b.*?</event>", re.DOTALL)
_STRANGER = machine("a-f-G-U-C", uid="stranger")
_QUIET_SECONDS = 0.005
_SLOW_SECONDS = 0.05
_RST = struct.pack("ii", 1, 0)


class _OverError(Exception):
    """The connection ends here."""


class TakServer:
    """Listens on a port of its own. `events` is everything that was heard whole, in order.

    Each of `days` is how it behaves on one connection, in their order; then, `behaviour` counts.
    """

    def __init__(self, *, days: Sequence[Behaviour] = (), **behaviour: object) -> None:
        self.behaviour = Behaviour(**behaviour)  # type: ignore[arg-type]
        self.connections = 0
        self.binary_connections = 0
        self.events: list[bytes] = []
        self.messages: list[TakMessage] = []
        self.lives: list[Life] = []
        self.closing = threading.Event()
        self._days = deque(days)
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def days_left(self) -> int:
        return len(self._days)

    def sightings(self) -> list[str]:
        """uid@time of what is no ping, no presence and no camera, in the order of arrival."""
        return [
            attribute(event, b"frame") + "/" + attribute(event, b"detection")
            for event in self.events
            if b" detection=" in event
        ]

    def kinds(self) -> list[str]:
        return [attribute(event, b"type") for event in self.events]

    def say(self, data: bytes) -> None:
        """To everyone, asked or not."""
        for sock in list(self._open):
            sock.sendall(data)

    def cut(self) -> None:
        """Break every connection."""
        for sock in list(self._open):
            with contextlib.suppress(OSError):  # it ends just now by itself
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown(socket.SHUT_RDWR)  # or accept() would go on waiting
        self._server.close()
        self.cut()
        self._thread.join(5)

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(sock)
            life = Life(behaviour=self._days.popleft() if self._days else self.behaviour)
            self.lives.append(life)
            threading.Thread(target=self._serve, args=(sock, life), daemon=True).start()

    def _serve(self, sock: socket.socket, life: Life) -> None:
        try:
            _Connection(self, sock, life).serve()
        except (OSError, _OverError):
            return
        finally:
            self._open.discard(sock)
            if life.behaviour.resets:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            sock.close()


class _Connection:
    def __init__(self, server: TakServer, sock: socket.socket, life: Life) -> None:
        self._server, self._sock, self._life = server, sock, life
        self._binary = False
        self._buffer = b""
        self._due: list[bytes] = []
        """Pongs that are held back to come together."""
        self._second_half = b""
        if life.behaviour.receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, life.behaviour.receive_bytes)

    def serve(self) -> None:
        self._stop_when_told()
        self._send(self._life.behaviour.greeting)
        if self._life.behaviour.offers_protobuf:
            self._send(machine("t-x-takp-v", '<TakProtocolSupport version="1"/>'))
        if swallows := self._life.behaviour.swallows:
            time.sleep(_SLOW_SECONDS)
        while data := self._receive():
            self._buffer += data
            if swallows and (first := _EVENT.search(self._buffer)):
                self._buffer, swallows = first[0], False
                self._send(_STRANGER)
            whole = False
            while (event := self._next()) is not None:
                whole = True
                self._hear(event)
                self._stop_when_told()
            if whole and self._life.behaviour.loses and not self._binary:
                self._buffer = b""
            if self._life.behaviour.amid and self._buffer and self._is_at_its_end:
                raise _OverError

    def _receive(self) -> bytes:
        if self._due and not select.select([self._sock], [], [], _QUIET_SECONDS)[0]:
            self._flush()
        return self._sock.recv(self._life.behaviour.bite)

    @property
    def _is_at_its_end(self) -> bool:
        ends_after = self._life.behaviour.ends_after
        return ends_after is not None and len(self._life.heard) >= ends_after

    def _stop_when_told(self) -> None:
        behaviour = self._life.behaviour
        if behaviour.stalls_after is not None and len(self._life.heard) >= behaviour.stalls_after:
            self._server.closing.wait()
        if self._is_at_its_end and not behaviour.amid:
            self._flush()
            raise _OverError

    def _next(self) -> bytes | TakMessage | None:
        """The next whole event, unless the connection ends in the middle of that very one."""
        if self._binary:
            found = unframed(self._buffer)
            if found is None:
                return None
            event, rest = found
            kind, uid = event.cotEvent.type, event.cotEvent.uid
            seen = f'uid="{uid}"'.encode()
        else:
            match = _EVENT.search(self._buffer)
            if match is None:
                return None
            event, rest = match[0], self._buffer[match.end() :]
            kind, uid = attribute(event, b"type"), attribute(event, b"uid")
            seen = event
        if self._life.behaviour.breaks_on(seen):
            raise _OverError
        if self._is_at_its_end and not is_machine(kind, uid):
            self._flush()
            raise _OverError
        self._buffer = rest
        return event

    def _hear(self, event: bytes | TakMessage) -> None:
        if isinstance(event, bytes):
            self._server.events.append(event)
            kind, uid = attribute(event, b"type"), attribute(event, b"uid")
        else:
            self._server.messages.append(event)
            kind, uid = event.cotEvent.type, event.cotEvent.uid
        if not is_machine(kind, uid):
            self._life.heard.append(uid)
        elif kind == "t-x-takp-q" and not self._life.behaviour.never_answers_request:
            self._change_protocol()
        elif kind == "t-x-c-t":
            self._pong(event)

    def _change_protocol(self) -> None:
        yes = not self._life.behaviour.refuses_protobuf
        self._flush()
        if self._life.behaviour.asks_amid:
            self._send(machine("t-x-c-t"))
        second, self._second_half = self._second_half, b""
        self._send(second + machine("t-x-takp-r", f'<TakResponse status="{str(yes).lower()}"/>'))
        if yes:
            self._server.binary_connections += 1
            self._binary = True

    def _pong(self, ping: bytes | TakMessage) -> None:
        behaviour, life = self._life.behaviour, self._life
        most = behaviour.pongs_at_most
        if not behaviour.pongs or (most is not None and life.pongs >= most):
            return
        if behaviour.late:
            time.sleep(behaviour.late)
        # Before it is said: whoever acts on it finds it here.
        life.pongs, life.answered = life.pongs + 1, len(life.heard)
        self._due.append(self._answer_to(ping))
        if len(self._due) >= behaviour.together:
            self._flush()

    def _answer_to(self, ping: bytes | TakMessage) -> bytes:
        behaviour = self._life.behaviour
        if isinstance(ping, bytes):
            pong = ping if behaviour.echoes else machine("t-x-c-t-r", uid=behaviour.pong_uid)
            before, stranger = behaviour.junk, _STRANGER
        else:
            answer = TakMessage()
            answer.CopyFrom(ping)
            if not behaviour.echoes:
                answer.cotEvent.type, answer.cotEvent.uid = "t-x-c-t-r", behaviour.pong_uid or ""
            other = TakMessage()
            other.cotEvent.type, other.cotEvent.uid = "a-f-G-U-C", "stranger"
            pong, before, stranger = framed(answer), b"", framed(other)
        if not behaviour.chatter:
            return before + pong
        second, half = self._second_half, len(stranger) // 2
        self._second_half = stranger[half:]
        return second + before + pong + stranger[:half]

    def _flush(self) -> None:
        data, self._due = b"".join(self._due), []
        if data:
            self._send(data)

    def _send(self, data: bytes) -> None:
        step = self._life.behaviour.fragment or max(1, len(data))
        if step < len(data):
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), step):
            self._sock.sendall(data[at : at + step])
