"""As much of a Kubernetes API server as `sightline colours` asks: lists, patches, port forwards.

A port forward is the API server's own protocol, on a WebSocket: a channel for the data and one for
errors, each opened by the port's number; it leads to a real HTTP server that stands for the pod.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]
KEY = "the-deployers-key"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PLURALS = {
    "Deployment": "deployments", "Pod": "pods", "Service": "services", "Event": "events",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers", "EndpointSlice": "endpointslices",
    "ConfigMap": "configmaps", "Secret": "secrets",
}  # fmt: skip


class ApiServer:
    """Objects by plural and name; every change raises their resourceVersion."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.version = 100
        self.pods: dict[str, DrainablePod] = {}
        self.asked: list[tuple[str, str]] = []
        self.patches: list[tuple[str, str, Any]] = []
        self.forbidden: set[str] = set()
        self.lock = threading.RLock()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def handle_any(self) -> None:
                api.handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = handle_any

            def log_message(self, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for each in self.pods.values():
            each.close()

    def add(self, kind: str, name: str, document: Object) -> Object:
        self.version += 1
        metadata = {
            "name": name,
            **document.get("metadata", {}),
            "resourceVersion": str(self.version),
        }
        found = {**document, "kind": kind, "metadata": metadata}
        self.objects[_PLURALS[kind], name] = found
        return found

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        steps = parts.path.strip("/").split("/")
        length = int(request.headers.get("Content-Length") or 0)
        body = json.loads(request.rfile.read(length)) if length else None
        if request.headers.get("Upgrade", "").lower() == "websocket":
            self._forward(request, steps[5])
            return
        with self.lock:
            self.asked.append((request.command, parts.path))
            status, answer = self._answer(request.command, steps, parse_qs(parts.query), body)
        content = json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _answer(
        self, method: str, steps: list[str], query: dict[str, list[str]], body: Any
    ) -> tuple[int, Any]:
        if steps[-1] == "selfsubjectreviews":
            return 201, {"status": {"userInfo": {"username": "eva"}}}
        rest = steps[steps.index("namespaces") + 2 :] if "namespaces" in steps else steps
        plural, name = rest[0], rest[1] if len(rest) > 1 else None
        if plural in self.forbidden:
            return _status(403, f"{plural} is forbidden: User eva cannot list resource")
        if name is None:
            return self._create(plural, body) if method == "POST" else (200, self._listed(plural))
        found = self.objects.get((plural, name))
        if found is None:
            return _status(404, f"{plural} {name!r} not found")
        if method == "GET":
            return 200, found
        return (
            self._put(found, body) if method == "PUT" else self._patch(found, plural, query, body)
        )

    def _listed(self, plural: str) -> Object:
        return {"items": [each for (kind, _), each in self.objects.items() if kind == plural]}

    def _create(self, plural: str, body: Object) -> tuple[int, Any]:
        name = body["metadata"]["name"]
        if (plural, name) in self.objects:
            return _status(409, f"{plural} {name!r} already exists")
        return 201, self.add(body["kind"], name, body)

    def _put(self, found: Object, body: Object) -> tuple[int, Any]:
        if body["metadata"].get("resourceVersion") != found["metadata"]["resourceVersion"]:
            return _status(409, "the object has been modified")
        return 200, self.add(found["kind"], body["metadata"]["name"], body)

    def _patch(
        self, found: Object, plural: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, Any]:
        changed = json.loads(json.dumps(found))
        for step in body:
            *way, last = step["path"].strip("/").split("/")
            place = changed
            for each in way:
                place = place[each]
            if step["op"] == "test" and place.get(last) != step["value"]:
                return _status(422, f"the server rejected our request: test {step['path']} failed")
            if step["op"] == "add":
                place[last] = step["value"]
        name = found["metadata"]["name"]
        self.patches.append((name, query["fieldManager"][0], body))
        if plural == "services":
            self._follow(name, changed["spec"]["selector"]["colour"])
        return 200, self.add(found["kind"], name, changed)

    def _follow(self, name: str, colour: str) -> None:
        """The endpoints of a Service follow its selector."""
        component = name.rpartition("-")[0]
        slices = self.objects["endpointslices", f"{name}-x"]
        slices["endpoints"] = self.objects["endpointslices", f"{component}-{colour}-x"]["endpoints"]

    def _forward(self, request: BaseHTTPRequestHandler, name: str) -> None:
        request.close_connection = True
        pod = self.pods.get(name)
        if pod is None:
            request.send_error(404)
            return
        port = int(parse_qs(urlsplit(request.path).query)["ports"][0])
        key = request.headers["Sec-WebSocket-Key"] + _GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        request.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        for channel in (0, 1):
            request.wfile.write(_frame(bytes([channel]) + struct.pack("<H", port)))
        if pod.refuses:
            request.wfile.write(_frame(b"\x01error forwarding port: connection refused"))
            return
        with socket.create_connection(("127.0.0.1", pod.port)) as upstream:
            _carry(request, upstream)


def _carry(request: BaseHTTPRequestHandler, upstream: socket.socket) -> None:
    """Both ways, until either side ends it: the kubelet, too, ends both."""

    def back() -> None:
        with contextlib.suppress(OSError):
            while data := upstream.recv(65536):
                request.wfile.write(_frame(b"\x00" + data))
            request.connection.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=back, daemon=True)
    thread.start()
    with contextlib.suppress(OSError, struct.error, IndexError):
        while True:
            opcode, payload = _read(request.rfile)
            if opcode == 8:
                break
            if payload[:1] == b"\x00":
                upstream.sendall(payload[1:])
    with contextlib.suppress(OSError):
        upstream.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _frame(payload: bytes) -> bytes:
    size = len(payload)
    head = bytes([0x82, size]) if size < 126 else struct.pack(">BBH", 0x82, 126, size)
    if size > 65535:
        head = struct.pack(">BBQ", 0x82, 127, size)
    return head + payload


def _read(stream: Any) -> tuple[int, bytes]:
    head = stream.read(2)
    size = head[1] & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", stream.read(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", stream.read(8))
    mask = stream.read(4)
    return head[0] & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(stream.read(size)))


def _status(code: int, message: str) -> tuple[int, Object]:
    return code, {"kind": "Status", "code": code, "message": message}


class DrainablePod:
    """A service in a pod: its drain call, and nothing else."""

    def __init__(self, report: Object) -> None:
        pod = self
        self.report = report
        self.refuses = False
        self.asked: list[tuple[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                pod.answer(self)

            do_GET = do_PUT = do_DELETE = handle_any

            def log_message(self, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.port: int = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.command, request.path))
        if request.headers.get("X-Api-Key") != KEY:
            status, answer = 401, {"title": "who are you"}
        elif request.path != "/v1/drain":
            status, answer = 404, {"title": "no such call"}
        else:
            if request.command != "GET":
                self.report["draining"] = request.command == "PUT"
                self.moved()
            status, answer = 200, self.report
        content = json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(content)

    def moved(self) -> None:
        """Its drain began or ended."""
