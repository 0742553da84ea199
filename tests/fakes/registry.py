"""A registry on loopback: the distribution API in memory, its doors, and its bad days."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PATH = re.compile(
    r"/v2/(?P<name>[a-z0-9/._-]+?)/(?:manifests/(?P<manifest>[^/]+)|blobs/(?P<blob>sha256:[0-9a-f]{64})"
    r"|blobs/uploads/(?P<upload>[^/]*)|tags/(?P<tags>list))"
)
USER, PASSWORD = "alice", "wonder land:1"
TOKEN = "token-of-alice"


class Registry:
    """`door` is open, basic or bearer; `trouble` is what goes wrong, if anything."""

    def __init__(
        self,
        *,
        door: str = "open",
        tls: ssl.SSLContext | None = None,
        trouble: str = "",
        host: str = "127.0.0.1",
    ) -> None:
        self.door, self.trouble = door, trouble
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.uploads: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        """Method, path and Authorization of each request."""
        self.realm: str | None = None
        self.blobs_at: str | None = None
        """Where blobs are redirected to."""
        registry = self

        class Handler(_Handler):
            at = registry

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self._server.daemon_threads = True
        self.tls = tls is not None
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.name = f"{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def tags(self, repository: str) -> set[str]:
        return {
            each for each in self.manifests.get(repository, {}) if not each.startswith("sha256:")
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    at: Registry

    def log_message(self, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        self.handle_one("GET")

    def do_HEAD(self) -> None:
        self.handle_one("HEAD")

    def do_POST(self) -> None:
        self.handle_one("POST")

    def do_PUT(self) -> None:
        self.handle_one("PUT")

    def do_PATCH(self) -> None:
        self.handle_one("PATCH")

    def handle_one(self, method: str) -> None:
        body = self.body()
        url = urlsplit(self.path)
        authorization = self.headers.get("Authorization")
        self.at.asked.append((method, self.path, authorization))
        if url.path == "/token":
            basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if authorization != f"Basic {basic}":
                return self.answer(401, b"{}")
            return self.answer(200, json.dumps({"token": TOKEN}).encode())
        if not self.admitted(authorization):
            scheme = "https" if self.at.tls else "http"
            realm = self.at.realm or f"{scheme}://{self.at.name}/token"
            wanted = (
                'Basic realm="registry"'
                if self.at.door == "basic"
                else f'Bearer realm="{realm}",service="registry"'
            )
            return self.answer(401, b"{}", {"WWW-Authenticate": wanted})
        if url.path == "/v2/":
            return self.answer(200, b"{}")
        match = _PATH.fullmatch(url.path)
        if match is None:
            return self.answer(404, b"{}")
        if match["manifest"]:
            return self.manifest(method, match["name"], match["manifest"], body)
        if match["blob"]:
            return self.blob(match["blob"])
        if match["tags"]:
            tags = sorted(self.at.tags(match["name"]))
            return self.answer(200, json.dumps({"name": match["name"], "tags": tags}).encode())
        return self.upload(method, match["name"], match["upload"], url.query, body)

    def admitted(self, authorization: str | None) -> bool:
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        wanted = {"open": None, "basic": f"Basic {basic}", "bearer": f"Bearer {TOKEN}"}
        return self.at.door == "open" or authorization == wanted[self.at.door]

    def manifest(self, method: str, name: str, wanted: str, body: bytes) -> None:
        kept = self.at.manifests.setdefault(name, {})
        if method == "PUT":
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            kept[digest] = kept[wanted] = (self.headers["Content-Type"], body)
            return self.answer(201, b"", {"Docker-Content-Digest": digest})
        if wanted not in kept:
            return self.answer(404, b"{}")
        kind, content = kept[wanted]
        if self.at.trouble == "other manifest":
            content = content.replace(b"2", b"3", 1)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return self.answer(200, content, {"Content-Type": kind, "Docker-Content-Digest": digest})

    def blob(self, digest: str) -> None:
        if self.at.blobs_at is not None and self.command == "GET":
            place = f"{self.at.blobs_at}{self.path}"
            return self.answer(307, b"", {"Location": place})
        if digest not in self.at.blobs:
            return self.answer(404, b"{}")
        content = self.at.blobs[digest]
        if self.at.trouble == "other blob":
            content = content[:-1] + bytes([content[-1] ^ 1])
        if self.at.trouble == "broken off" and self.command == "GET":
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return None
        return self.answer(200, content, {"Docker-Content-Digest": digest})

    def upload(self, method: str, name: str, place: str, query: str, body: bytes) -> None:
        if method == "POST":
            place = uuid.uuid4().hex
            self.at.uploads[place] = b""
        elif self.at.trouble == "full":
            return self.answer(507, b'{"errors": [{"message": "no space left"}]}')
        self.at.uploads[place] += body
        where = f"/v2/{name}/blobs/uploads/{place}?state=1"
        if method != "PUT":
            length = len(self.at.uploads[place])
            return self.answer(202, b"", {"Location": where, "Range": f"0-{max(length - 1, 0)}"})
        (digest,) = parse_qs(query)["digest"]
        content = self.at.uploads.pop(place)
        if digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
            return self.answer(400, b'{"errors": [{"code": "DIGEST_INVALID"}]}')
        self.at.blobs[digest] = content
        return self.answer(201, b"", {"Location": f"/v2/{name}/blobs/{digest}"})

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
