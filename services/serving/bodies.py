"""Request bodies, read whole but never larger nor for longer than stated."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from starlette.requests import ClientDisconnect, Request

from serving.problems import HttpProblem

READ_SECONDS = 60.0

DISCARD_SECONDS = 10.0
DISCARD_BYTES = 1 << 28
"""How long and how much of a body that is too long is still taken, and dropped, before it is
refused: most clients read no answer before they have sent everything, and see a broken connection
where there was a sentence."""


async def read_body(
    request: Request, *, limit: int, field: str = "body", seconds: float = READ_SECONDS
) -> bytes:
    """The whole body: at most `limit` bytes, within `seconds`; 413 or 408 otherwise.

    No more than `limit` bytes are ever held. Raises ClientDisconnect when the client goes away.
    """
    stated = _stated_length(request)
    if stated is not None and stated > limit:
        await _discard(request)
        raise _too_large(limit, field, f"is {stated} bytes long")
    chunks: list[bytes] = []
    total = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                total += len(chunk)
                if total > limit:
                    break
                chunks.append(chunk)
    except TimeoutError:
        raise HttpProblem(
            status=408,
            type="request-timeout",
            detail=f"{field}: did not arrive within {seconds:g} seconds",
            field=field,
            limit=f"{seconds:g} s",
            # What is still on its way must not be taken for the next request.
            headers={"Connection": "close"},
        ) from None
    if total > limit:
        chunks.clear()
        await _discard(request)
        raise _too_large(limit, field, "is too long")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def gone(request: Request) -> None:
    """Return once the client has gone away; await it only after the body was read."""
    try:
        while (await request.receive())["type"] != "http.disconnect":
            continue
    except ClientDisconnect:
        return


@contextlib.asynccontextmanager
async def unless_gone(request: Request) -> AsyncGenerator[None]:
    """End the block with ClientDisconnect when the client goes away; the body must be read."""
    task = asyncio.current_task()
    if task is None:
        raise AssertionError("a request is answered in a task")
    left, inside = False, True

    def leave(leaving: asyncio.Future[None]) -> None:
        nonlocal left
        if inside and not leaving.cancelled():
            left = True
            task.cancel()

    leaving = asyncio.ensure_future(gone(request))
    leaving.add_done_callback(leave)
    before = task.cancelling()
    try:
        yield
    except asyncio.CancelledError:
        # As asyncio.timeout has it: somebody else may have cancelled us as well.
        if left and task.uncancel() <= before:
            raise ClientDisconnect from None
        raise
    finally:
        inside = False
        leaving.cancel()


async def _discard(request: Request) -> None:
    """Drop what is still coming, within bounds."""
    if request.headers.get("expect", "").lower() == "100-continue":
        return  # this client waits to be asked, and is not
    dropped = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while dropped <= DISCARD_BYTES:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                dropped += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _stated_length(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    # isdigit alone would let other scripts' digits through.
    if not (text.isascii() and text.isdigit()):
        raise HttpProblem(
            status=400,
            type="bad-request",
            detail=f"Content-Length: {text[:40]!r} is not a number of bytes",
            field="Content-Length",
        )
    return int(text)


def _too_large(limit: int, field: str, what: str) -> HttpProblem:
    return HttpProblem(
        status=413,
        type="payload-too-large",
        detail=f"{field}: {what}; at most {limit} bytes are taken",
        field=field,
        limit=f"{limit} bytes",
    )
