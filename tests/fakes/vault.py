"""A Vault by its protocol: logins, leases, KV version 2 with its versions, sealing."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class FakeVault:
    """Behaves as told by its attributes; remembers what was asked."""

    def __init__(
        self, *, context: ssl.SSLContext | None = None, namespace: str | None = None
    ) -> None:
        self.versions: dict[str, list[dict[str, Any] | None]] = {}
        """By mount/path: each version's values; None was deleted."""
        self.allowed: set[str] | None = None
        """The paths that the policy lets one read; None is all."""
        self.sealed = False
        self.namespace = namespace
        self.roles = {"role-id": "secret-id"}
        self.accounts = {"reader": "account-jwt"}
        self.ttl, self.renewable = 3600.0, True
        self.tokens: dict[str, float] = {}
        """By token: when it ends."""
        self.asked: list[tuple[str, str]] = []
        self.connections: list[socket.socket] = []
        handler = type("Handler", (_Handler,), {"vault": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._tls = context is not None
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http{'s' * self._tls}://127.0.0.1:{self._server.server_address[1]}"

    def token(self) -> str:
        """A new one, good from now for `ttl`."""
        token = "hvs." + secrets.token_urlsafe(24)
        self.tokens[token] = time.monotonic() + self.ttl
        return token

    def write(self, path: str, values: dict[str, Any]) -> None:
        self.versions.setdefault(path, []).append(values)

    def count(self, path: str) -> int:
        return sum(each == path for _, each in self.asked)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    vault: FakeVault
    protocol_version = "HTTP/1.1"
    timeout = 10

    def setup(self) -> None:
        self.vault.connections.append(self.request)
        super().setup()

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._body()

    def do_PUT(self) -> None:
        self._body()

    def _body(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(json.loads(raw or b"{}"))

    def _answer(self, body: Mapping[str, Any]) -> None:
        vault, parts = self.vault, urlsplit(self.path)
        path = parts.path.removeprefix("/v1/")
        vault.asked.append((self.command, path))
        if vault.sealed:
            return self._say(503, {"errors": ["Vault is sealed"]})
        if vault.namespace != self.headers.get("X-Vault-Namespace"):
            return self._say(403, {"errors": ["permission denied"]})
        if path.endswith("/login"):
            return self._log_in(path, body)
        token = self.headers.get("X-Vault-Token", "")
        if vault.tokens.get(token, 0) <= time.monotonic():
            return self._say(403, {"errors": ["permission denied", "invalid token"]})
        if path == "auth/token/lookup-self":
            left = int(vault.tokens[token] - time.monotonic())
            return self._say(200, {"data": {"ttl": left, "renewable": vault.renewable}})
        if path == "auth/token/renew-self":
            if not vault.renewable:
                return self._say(400, {"errors": ["lease is not renewable"]})
            vault.tokens[token] = time.monotonic() + vault.ttl
            return self._say(200, self._auth(token))
        return self._read(path, parse_qs(parts.query))

    def _log_in(self, path: str, body: Mapping[str, Any]) -> None:
        vault = self.vault
        if path == "auth/approle/login":
            known = vault.roles.get(body.get("role_id", ""))
            if known is None or known != body.get("secret_id"):
                return self._say(400, {"errors": ["invalid role or secret ID"]})
        elif vault.accounts.get(body.get("role", "")) != body.get("jwt"):
            return self._say(403, {"errors": ["permission denied"]})
        return self._say(200, self._auth(vault.token()))

    def _auth(self, token: str) -> dict[str, Any]:
        lease = {"lease_duration": self.vault.ttl, "renewable": self.vault.renewable}
        return {"auth": {"client_token": token, "policies": ["default"], **lease}}

    def _read(self, path: str, query: Mapping[str, list[str]]) -> None:
        mount, _, name = path.partition("/data/")
        wanted = f"{mount}/{name}"
        if self.vault.allowed is not None and wanted not in self.vault.allowed:
            return self._say(403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]})
        versions = self.vault.versions.get(wanted, [])
        number = int(query.get("version", ["0"])[0]) or len(versions)
        if not 0 < number <= len(versions):
            return self._say(404, {"errors": []})
        values = versions[number - 1]
        metadata = {
            "created_time": "2026-11-26T12:00:00.000000000Z",
            "deletion_time": "" if values is not None else "2026-11-26T13:00:00Z",
            "destroyed": False, "version": number, "custom_metadata": None,
        }  # fmt: skip
        told = {"request_id": "r", "lease_id": "", "renewable": False, "lease_duration": 0,
                "data": {"data": values, "metadata": metadata}}  # fmt: skip
        return self._say(200 if values is not None else 404, told)

    def _say(self, status: int, value: Mapping[str, Any]) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silent."""
