"""Request bodies: whole, never larger than stated, never for longer; and clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request

from serving import bodies
from serving.bodies import gone, read_body
from serving.problems import HttpProblem

LIMIT = 100


class Client:
    """Sends its chunks, then ends, leaves or keeps the connection open and silent."""

    def __init__(self, chunks: Iterable[bytes] = (), *, then: str = "ends", **headers: str) -> None:
        chunks = list(chunks)
        self._messages = [
            {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
        ]
        if then == "ends":
            self._messages.append({"type": "http.request", "body": b"", "more_body": False})
        if then != "waits":
            self._messages.append({"type": "http.disconnect"})
        self.request = Request(
            {
                "type": "http",
                "method": "POST",
                "path": "/",
                "headers": [
                    (name.replace("_", "-").encode(), value.encode())
                    for name, value in headers.items()
                ],
            },
            self._receive,
        )

    async def _receive(self):
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)

    @property
    def unread(self) -> int:
        return sum(len(message.get("body", b"")) for message in self._messages)


async def refused(client: Client, **options) -> HttpProblem:
    with pytest.raises(HttpProblem) as caught:
        await read_body(client.request, limit=LIMIT, **options)
    return caught.value


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_whatever_the_chunks_the_body_is_whole_or_refused(chunks):
    whole = b"".join(chunks)

    async def read():
        return await read_body(Client(chunks).request, limit=LIMIT)

    if len(whole) <= LIMIT:
        assert asyncio.run(read()) == whole
    else:
        with pytest.raises(HttpProblem) as caught:
            asyncio.run(read())
        assert caught.value.status == 413


async def test_a_body_of_exactly_the_limit_is_taken():
    client = Client([b"x" * LIMIT], content_length=str(LIMIT))
    assert await read_body(client.request, limit=LIMIT) == b"x" * LIMIT


async def test_a_body_that_says_it_is_too_long_is_refused_by_its_word():
    client = Client([b"x"] * 5, content_length=str(LIMIT + 1))
    problem = await refused(client, field="image")
    assert problem.status == 413
    assert problem.field == "image"
    assert str(LIMIT) in (problem.limit or "")
    assert problem.detail.startswith("image: ")
    assert str(LIMIT + 1) in problem.detail


async def test_what_is_too_long_is_read_to_its_end_so_that_the_client_reads_the_answer():
    """Most clients look for an answer only once everything is sent."""
    for headers in ({}, {"content_length": "1000"}):
        client = Client([b"x" * 50] * 20, **headers)
        assert (await refused(client)).status == 413
        assert client.unread == 0


async def test_a_client_that_waits_to_be_asked_is_answered_without_its_body():
    client = Client([b"x"], then="waits", content_length="1000", expect="100-continue")
    async with asyncio.timeout(5):
        assert (await refused(client)).status == 413
    assert client.unread == 1


async def test_an_endless_body_is_given_up(monkeypatch):
    monkeypatch.setattr(bodies, "DISCARD_BYTES", 1_000)
    client = Client([b"x" * 50] * 1_000)
    assert (await refused(client)).status == 413
    assert client.unread > 0


async def test_a_body_that_stops_coming_after_it_was_too_long_is_given_up(monkeypatch):
    monkeypatch.setattr(bodies, "DISCARD_SECONDS", 0.05)
    client = Client([b"x" * 200], then="waits")
    async with asyncio.timeout(5):
        assert (await refused(client)).status == 413


async def test_a_body_that_does_not_arrive_in_time_is_408_and_the_connection_closed():
    client = Client([b"x"], then="waits")
    async with asyncio.timeout(5):
        problem = await refused(client, seconds=0.05, field="frame")
    assert problem.status == 408
    assert problem.field == "frame"
    assert "0.05" in problem.detail
    assert "0.05" in (problem.limit or "")
    # The rest of the body would otherwise be read as the next request.
    assert problem.headers == {"Connection": "close"}


@pytest.mark.parametrize("chunks", [[], [b"x"], [b"x" * 60, b"x" * 60]])
async def test_a_client_that_leaves_half_way_is_no_answer_at_all(chunks):
    with pytest.raises(ClientDisconnect):
        await read_body(Client(chunks, then="leaves").request, limit=LIMIT)


@pytest.mark.parametrize("text", ["-1", "ten", "1e3", "", "٣", "1 2", "+5"])
async def test_a_length_that_is_no_number_of_bytes_is_refused(text):
    client = Client([b"x"], content_length="0")
    client.request.scope["headers"] = [(b"content-length", text.encode("utf-8"))]
    problem = await refused(client)
    assert problem.status == 400
    assert problem.field == "Content-Length"


async def test_gone_returns_when_the_client_leaves_and_not_before():
    stays, leaves = Client([b"x"], then="waits"), Client([b"x"])
    assert await read_body(leaves.request, limit=LIMIT) == b"x"
    async with asyncio.timeout(5):
        await gone(leaves.request)
    waiting = asyncio.create_task(gone(stays.request))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
