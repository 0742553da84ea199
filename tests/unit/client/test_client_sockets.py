"""The clients on real sockets: connections that are used again, and answers that never end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from fakes.wire import Time
from sightline.client import AsyncClient, Client, DeadlineError
from unit.client.test_client import vector


class Server(ThreadingHTTPServer):
    """Tells models, or begins to and never ends; counts connections and requests.

    Ten seconds of the test's time pass with each answer.
    """

    daemon_threads = True

    def __init__(self, *, endless: bool = False, time: Time | None = None) -> None:
        self.time = time or Time()
        self.connections = 0
        self.asked = 0
        self.endless = endless
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    server: Server

    def do_GET(self) -> None:
        body = vector("model-list.one")
        self.server.time.now += 10.0
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + 1_000_000 * self.server.endless))
        self.end_headers()
        self.wfile.write(body)
        if self.server.endless:
            self.wfile.flush()
            self.server.closing.wait(60)

    def log_message(self, *args: Any) -> None:
        return


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_a_connection_is_used_again() -> None:
    with serving(Server()) as server, Client(server.url) as client:
        for _ in range(5):
            client.models()
        assert server.connections == 1


async def test_a_connection_is_used_again_by_an_event_loop() -> None:
    with serving(Server()) as server:
        async with AsyncClient(server.url) as client:
            for _ in range(5):
                await client.models()
        assert server.connections == 1


def test_threads_share_one_client_and_its_limit_of_connections() -> None:
    with serving(Server()) as server, Client(server.url, connections=2, attempts=1) as client:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.models(), range(200)))
        assert len(answers) == 200
        assert server.connections <= 2


async def test_no_more_connections_are_open_than_allowed() -> None:
    with serving(Server()) as server:
        async with AsyncClient(server.url, connections=2) as client:
            answers = await asyncio.gather(*(client.models() for _ in range(40)))
        assert len(answers) == 40
        assert server.connections <= 2


def test_who_gets_no_connection_is_late() -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(_request: httpx.Request) -> httpx.Response:
        begun.set()
        go.wait(30)
        return httpx.Response(200, content=vector("model-list.one"))

    with (
        Client(
            "http://service",
            connections=1,
            deadline=0.05,
            clock=Time().clock,
            transport=httpx.MockTransport(slow),
        ) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        holding = pool.submit(client.models)
        assert begun.wait(30)
        with pytest.raises(DeadlineError):
            client.models()
        go.set()
        assert holding.result().models


def test_an_answer_that_never_ends_is_left_at_the_deadline() -> None:
    time = Time()
    with (
        serving(Server(endless=True, time=time)) as server,
        Client(server.url, deadline=10.0, clock=time.clock) as client,
        pytest.raises(DeadlineError),
    ):
        client.models()


async def test_an_answer_that_never_ends_is_left_at_the_deadline_by_an_event_loop() -> None:
    with serving(Server(endless=True)) as server:
        async with AsyncClient(server.url, deadline=0.05) as client:
            with pytest.raises(DeadlineError):
                await client.models()


async def test_a_call_that_is_cancelled_gives_its_connection_back() -> None:
    with serving(Server(endless=True)) as server:
        async with AsyncClient(server.url, connections=1) as client:
            asking = asyncio.create_task(client.models())
            while not server.asked:
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            server.endless = False
            assert (await client.models()).models
