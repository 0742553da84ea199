"""What is refused before a call of the protocol is reached, in the protocol's own shape.

Who may not ask, asks too often, or asks for nothing that is there, gets a problem document like
everybody else; clients of the protocol look for `error`, and show nothing where it is not.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detection.tensors.reply import Failure
from sightline.messages import Problem, decode, encode
from sightline.messages.problem import MEDIA_TYPE

PREFIX = "/v2"

_REPLACED = (b"content-type", b"content-length")


class ProtocolRefusals:
    """Pure ASGI, around all that may refuse."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; problem documents below the protocol's path in another shape."""
        if scope["type"] == "http" and f"{scope['path']}/".startswith(f"{PREFIX}/"):
            send = _Reshaped(send)
        await self._app(scope, receive, send)


class _Reshaped:
    """Holds a problem document back until it is whole."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if dict(message["headers"]).get(b"content-type") == MEDIA_TYPE.encode():
                self._start = message
                return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body", False):
                return
            body = _failure(self._body)
            kept = [pair for pair in self._start["headers"] if pair[0] not in _REPLACED]
            await self._send(
                {
                    **self._start,
                    "headers": [
                        *kept,
                        (b"content-type", b"application/json"),
                        (b"content-length", str(len(body)).encode()),
                    ],
                }
            )
            message = {**message, "body": body}
        await self._send(message)


def _failure(document: bytes) -> bytes:
    return encode(Failure(error=decode(document, Problem).detail))
