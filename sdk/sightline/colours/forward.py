"""A connection to a pod's port through the API server, as a socket that `http.client` can use.

The protocol is Kubernetes' port forward on a WebSocket: binary messages whose first byte is a
channel, 0 for data and 1 for errors, each begun by the port's number. The official client's own
port forward loses what it has read when the other side ends the connection (37.0), as a drained
service does after each answer; and what it is told to close on one side, it closes on both.
"""

from __future__ import annotations

import contextlib
import io
import ssl
from typing import Any
from urllib.parse import quote, urlsplit

import websocket
from kubernetes import client

PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1


class ForwardError(OSError):
    """The connection was not made, or broke; `status` is what the API server answered, if so."""

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class Forward:
    """Open until `end`; the rest is what `http.client` asks of a socket."""

    def __init__(
        self, configuration: client.Configuration, namespace: str, pod: str, port: int, *,
        seconds: float,
    ) -> None:  # fmt: skip
        url = (
            f"{configuration.host}/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}"
            f"/portforward?ports={port}"
        )
        try:
            self._socket = websocket.create_connection(
                "ws" + url.removeprefix("http"),
                timeout=seconds,
                subprotocols=[PROTOCOL],
                suppress_origin=True,
                **_options(configuration),
            )
        except websocket.WebSocketBadStatusException as error:
            raise ForwardError(
                f"no port forward: the API server answers {error.status_code}",
                status=error.status_code,
            ) from error
        except (websocket.WebSocketException, OSError) as error:
            raise ForwardError(f"no port forward: {error}") from error
        self._begun: set[int] = set()

    def sendall(self, data: Any) -> None:
        """To the pod."""
        try:
            self._socket.send_binary(bytes([_DATA]) + bytes(data))
        except (websocket.WebSocketException, OSError) as error:
            raise ForwardError(f"the port forward broke: {error}") from error

    def receive(self) -> bytes:
        """From the pod, as it comes; nothing at the end. Raises ForwardError."""
        while True:
            try:
                code, frame = self._socket.recv_data_frame()
            except websocket.WebSocketConnectionClosedException:
                return b""
            except (websocket.WebSocketException, OSError) as error:
                raise ForwardError(f"the port forward broke: {error}") from error
            if code == websocket.ABNF.OPCODE_CLOSE:
                return b""
            channel, data = frame.data[0], bytes(frame.data[1:])
            if channel not in self._begun:
                self._begun.add(channel)
            elif channel == _ERROR and data:
                raise ForwardError(data.decode(errors="replace").strip())
            elif data:
                return data

    def makefile(self, _mode: str) -> io.BufferedReader:
        """To read from."""
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Nothing: `http.client` closes its socket before it reads the body of a last answer."""

    def end(self) -> None:
        """Close it. Nobody is waited for: one request was made, and it is answered."""
        with contextlib.suppress(websocket.WebSocketException, OSError):
            self._socket.shutdown()  # type: ignore[no-untyped-call]


class _Reader(io.RawIOBase):
    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._left = self._left or self._forward.receive()
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def credentials(configuration: client.Configuration) -> dict[str, str]:
    """The headers that let us in; none where a certificate does."""
    ways: Any = configuration.auth_settings()  # of older clients: plain dictionaries
    return {way["key"]: way["value"] for way in ways.values() if way["in"] == "header"}


def _options(configuration: client.Configuration) -> dict[str, Any]:
    """How the official client is let in, for a WebSocket."""
    files = {
        "ca_certs": configuration.ssl_ca_cert,
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    tls: dict[str, Any] = {name: value for name, value in files.items() if value}
    tls["cert_reqs"] = ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE
    if not configuration.verify_ssl or configuration.assert_hostname is False:
        tls["check_hostname"] = False
    shown = [f"{name}: {value}" for name, value in credentials(configuration).items()]
    proxy = urlsplit(configuration.proxy or "")
    through = {
        "http_proxy_host": proxy.hostname,
        "http_proxy_port": proxy.port,
        "proxy_type": "http",
    }
    return {"sslopt": tls, "header": shown, **(through if proxy.hostname else {})}
