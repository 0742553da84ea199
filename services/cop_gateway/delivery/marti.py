"""Asking a TAK server over HTTPS with a user and a password (its "Marti" interface)."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from cop_gateway.delivery.credentials import CredentialSource
from cop_gateway.delivery.handshake import failure
from cop_gateway.delivery.signing import EnrolmentError
from cop_gateway.delivery.tcp import authority

_SECONDS = 10.0
_ANSWER_SECONDS = 30.0
_ANSWER_BYTES = 1 << 20
_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class RefusedError(EnrolmentError):
    """The server does not take the user with this password; asking again will not help."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Marti:
    """One server and how to prove to it who we are. Its calls block; use a thread."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    ca: CredentialSource
    verify_hostname: bool
    server_name: str
    clock: Callable[[], datetime]

    @property
    def target(self) -> str:
        """The address, for people."""
        return f"https://{authority(self.host, self.port)}"

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes | None:
        """The body of the answer; None when the server does not know the path (404).

        Raises EnrolmentError, RefusedError for a wrong user or password.
        """
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {
            "Authorization": f"Basic {token}",  # RFC 7617
            "Accept": "application/json" if body else "application/xml",
            "Connection": "close",
            **({"Content-Type": "application/pkcs10"} if body else {}),
        }
        with self._connected() as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = _content(response)
        if response.status in _REFUSALS:
            raise RefusedError(f"{self.target} refused the user or the password")
        if response.status == HTTPStatus.NOT_FOUND and not body:
            return None
        if response.status != HTTPStatus.OK:
            reason = response.reason[:80]
            raise EnrolmentError(f"{self.target} answered {response.status} {reason!r}")
        return content

    @contextlib.contextmanager
    def _connected(self) -> Iterator[http.client.HTTPConnection]:
        credentials = self.ca.current()
        context = credentials.context(verify_hostname=self.verify_hostname)
        connection = http.client.HTTPConnection(self.host, self.port)
        try:
            with contextlib.closing(connection):
                plain = socket.create_connection((self.host, self.port), _SECONDS)
                connection.sock = plain  # closed with the connection if the handshake fails
                connection.sock = context.wrap_socket(plain, server_hostname=self.server_name)
                yield connection
        except (OSError, ValueError) as error:
            why = failure(error, server_name=self.server_name, ours=credentials, now=self.clock())
            why = why or getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise EnrolmentError(f"{self.target} cannot be asked: {why}") from error
        except http.client.HTTPException as error:
            raise EnrolmentError(f"{self.target} gave no usable HTTP answer") from error


def _content(response: http.client.HTTPResponse) -> bytes:
    """All of it, within limits of size and time."""
    deadline = time.monotonic() + _ANSWER_SECONDS
    content = bytearray()
    while data := response.read1(1 << 16):
        content += data
        if len(content) > _ANSWER_BYTES or time.monotonic() > deadline:
            raise http.client.HTTPException
    return bytes(content)
