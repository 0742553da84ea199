"""An API server as it is on its bad days: overloaded, failing, slow, for a share of its requests.

Stands on loopback before the real one, with whose credentials it asks; a kubeconfig leads here.
Upgraded connections (port forwards) are piped through.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import random
import select
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

HOP = {"connection", "transfer-encoding", "keep-alive", "host"}


class FaultyApi(http.server.ThreadingHTTPServer):
    """`faults` counts what was injected, by what it was."""

    daemon_threads = True

    def __init__(self, kubeconfig: Path, folder: Path, *, share: float, seed: int = 1) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.share = share
        self.faults: Counter[str] = Counter()
        self.requests = 0
        self._random = random.Random(seed)
        self._guard = threading.Lock()
        known = yaml.safe_load(kubeconfig.read_text())
        (cluster,), (user,) = known["clusters"], known["users"]
        self.upstream = urlsplit(cluster["cluster"]["server"])
        self.context = ssl.create_default_context(
            cadata=_pem(cluster["cluster"], "certificate-authority").decode()
        )
        pair = folder / "client.pem"
        pair.touch(mode=0o600)
        certificate, key = (_pem(user["user"], f"client-{each}") for each in ("certificate", "key"))
        pair.write_bytes(certificate + key)
        self.context.load_cert_chain(pair)
        self.kubeconfig = folder / "faulty-kubeconfig"
        self.kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "faulty",
                    "contexts": [{"name": "faulty", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [
                        {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}
                    ],
                    "users": [{"name": "u", "user": {}}],
                }
            )
        )  # fmt: skip

    def fault(self) -> str | None:
        """What goes wrong with this request."""
        with self._guard:
            self.requests += 1
            if self._random.random() >= self.share:
                return None
            found = self._random.choice(["429", "500", "503", "slow", "cut"])
            self.faults[found] += 1
            return found

    @contextlib.contextmanager
    def running(self) -> Iterator[FaultyApi]:
        thread = threading.Thread(target=self.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()
            thread.join()


def _pem(section: dict[str, str], name: str) -> bytes:
    if data := section.get(f"{name}-data"):
        return base64.b64decode(data)
    return Path(section[name]).read_bytes()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        server: Any = self.server
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        upgrade = self.headers.get("Upgrade")
        fault = None if upgrade else server.fault()
        if fault == "cut":
            self.close_connection = True
            return
        if fault == "slow":
            time.sleep(2.0)
        elif fault is not None:
            self._answer(int(fault), [("Retry-After", "1")], b'{"message": "a bad day"}')
            return
        if upgrade:
            self._upgrade(server)
        else:
            self._forward(server, body)

    def _forward(self, server: Any, body: bytes) -> None:
        upstream = http.client.HTTPSConnection(
            server.upstream.hostname, server.upstream.port, context=server.context, timeout=300
        )
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        try:
            upstream.request(self.command, self.path, body=body or None, headers=headers)
            answer = upstream.getresponse()
            if "watch=true" in self.path or "follow=true" in self.path:
                self._stream(answer)
                return
            kept = [each for each in answer.getheaders() if each[0].lower() not in HOP]
            self._answer(answer.status, kept, answer.read())
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            upstream.close()

    def _upgrade(self, server: Any) -> None:
        """Byte by byte as it is: what comes right behind the answer's head must not be lost."""
        self.close_connection = True
        place = server.upstream.hostname, server.upstream.port
        head = f"{self.command} {self.path} HTTP/1.1\r\nHost: {place[0]}:{place[1]}\r\n"
        head += "".join(
            f"{name}: {value}\r\n" for name, value in self.headers.items() if name.lower() != "host"
        )
        with (
            contextlib.suppress(OSError),
            socket.create_connection(place, timeout=30) as raw,
            server.context.wrap_socket(raw, server_hostname=place[0]) as upstream,
        ):
            upstream.settimeout(None)
            upstream.sendall(f"{head}\r\n".encode())
            _pipe(self.connection, upstream)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes | None) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "date", "server"):
                self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body is not None:
            self.wfile.write(body)

    def _stream(self, answer: http.client.HTTPResponse) -> None:
        self.close_connection = True
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", "application/json"))
        self.send_header("Connection", "close")
        self.end_headers()
        while part := answer.read1(65536):
            self.wfile.write(part)
            self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one

    def log_message(self, *_: Any) -> None:
        pass


def _pipe(client: socket.socket, upstream: ssl.SSLSocket) -> None:
    """Both ways, until either end closes. One thread: a TLS connection is not for two."""
    while True:
        waiting = [] if upstream.pending() else select.select([client, upstream], [], [])[0]
        if upstream in waiting or not waiting:
            if not (part := upstream.recv(65536)):
                return
            client.sendall(part)
        if client in waiting:
            if not (part := client.recv(65536)):
                return
            upstream.sendall(part)
