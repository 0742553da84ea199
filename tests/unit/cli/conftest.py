"""The command line in a process of its own, and a service that answers as it is told to."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

SECONDS = 60.0

# Modules that are None cannot be imported: as in an environment without their packages.
_PROGRAM = """
import sys
for name in {absent!r}:
    sys.modules[name] = None
sys.argv[0] = "sightline"
from sightline.cli.main import main
main()
"""


class Ended:
    """What a command said, and its exit code."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out, self.err = done.stdout, done.stderr

    @property
    def complaint(self) -> str:
        """The one sentence on stderr that says what is wrong."""
        (sentence,) = self.complaints
        return sentence

    @property
    def complaints(self) -> list[str]:
        """All of them."""
        return [each for each in self.err.splitlines() if each.startswith("sightline: ")]


def sightline(*arguments: str, absent: tuple[str, ...] = ()) -> Ended:
    """Run a command to its end, without the named modules."""
    return Ended(
        subprocess.run(
            [sys.executable, "-c", _PROGRAM.format(absent=absent), *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    )


@pytest.fixture(name="sightline")
def command() -> Callable[..., Ended]:
    return sightline


class Service:
    """Answers each request by `reply(method, path, query and body)` → status and JSON."""

    def __init__(self, reply: Callable[[str, str, bytes], tuple[int, Any]]) -> None:
        service = self
        self.asked: list[tuple[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(b"")

            def do_POST(self) -> None:
                self.answer(self.rfile.read(int(self.headers["Content-Length"])))

            def answer(self, body: bytes) -> None:
                service.asked.append((self.command, self.path))
                status, value = reply(self.command, self.path, body)
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """Start services that end with the test."""
    services: list[Service] = []

    def start(reply: Callable[[str, str, bytes], tuple[int, Any]]) -> Service:
        services.append(Service(reply))
        return services[-1]

    yield start
    for service in services:
        service.close()
