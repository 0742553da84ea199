"""What a container engine hears of a service."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from running import free_port
from serving import healthcheck


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        status, text = {"/ready": (503, "draining"), "/health": (200, "ok")}[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture(name="port")
def server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield str(server.server_address[1])
    server.shutdown()
    server.server_close()


def test_a_service_that_is_not_ready_is_unhealthy_and_says_why(port, capsys):
    assert healthcheck.main(["PORT"], {"PORT": port}) == 1
    assert capsys.readouterr().err == "503 draining\n"


def test_another_path_may_be_asked(port, capsys):
    assert healthcheck.main(["PORT", "/health"], {"PORT": port}) == 0
    assert capsys.readouterr().err == ""


def test_nobody_there_is_unhealthy(capsys):
    assert healthcheck.main(["PORT"], {"PORT": str(free_port())}) == 1
    assert "/ready: ConnectionRefusedError" in capsys.readouterr().err
