"""A port that leads to another one, for servers that come late."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def leading(port: int, *, to: int) -> Iterator[None]:
    """From here to there, what listens at one port is what listens at the other."""
    with socket.create_server(("127.0.0.1", port)) as server:
        threading.Thread(target=_lead, args=(server, to), daemon=True).start()
        yield


def _lead(server: socket.socket, to: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            here, _ = server.accept()
            there = socket.create_connection(("127.0.0.1", to))
            for source, target in ((here, there), (there, here)):
                threading.Thread(target=_carry, args=(source, target), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
