"""An answer that begins while its request is still being read."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class DuplexResponse(Response):
    """Sends what its parts give, and leaves the request to them.

    Starlette's own streaming response listens for the client to go away, and would take the
    request's body for itself meanwhile.
    """

    def __init__(self, parts: AsyncIterator[bytes], *, media_type: str) -> None:
        super().__init__(media_type=media_type)
        # The length is not known before the end.
        del self.headers["content-length"]
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        async for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
