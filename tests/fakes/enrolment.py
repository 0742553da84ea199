"""A scripted TAK enrolment server (port 8446 on real ones): HTTPS, basic auth, signs requests."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fakes.authority import DAY, Authority, Issued, server_context

ENTRIES = (("O", "TAK"), ("OU", "Übung"))


class EnrolmentServer:
    """Behaves as told by its attributes; remembers what was asked."""

    def __init__(self, folder: Path, authority: Authority, *, server: Issued | None = None) -> None:
        self.authority = authority
        self.user, self.password = "drone", "swordfish"
        self.form = "json"
        self.entries: tuple[tuple[str, str], ...] | None = ENTRIES
        self.begins, self.ends = -DAY, 30 * DAY
        self.answer: tuple[int, bytes] | None = None
        self.cas: list[x509.Certificate] = [authority.certificate]
        self.other_key: Any = None
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self.headers: list[dict[str, str]] = []
        handler = type("Handler", (_Handler,), {"script": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        context = server_context(folder, server or authority.issue("server", hosts=("127.0.0.1",)))
        # The handshake belongs into the connection's thread, not into the accepting one.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def signings(self) -> int:
        return sum(path.endswith("signClient/v2") for _, path, _ in self.asked)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def sign(self, body: bytes) -> tuple[str, bytes]:
        """As OpenTAKServer reads the request, and with TAK Server's check of its subject."""
        pem = b"-----BEGIN CERTIFICATE REQUEST-----\n" + body + b"-----END CERTIFICATE REQUEST-----"
        request = x509.load_pem_x509_csr(pem)
        assert request.is_signature_valid
        told = {(each.rfc4514_attribute_name, each.value) for each in request.subject}
        assert told == {("CN", self.user), *(self.entries or ())}
        issued = self.authority.issue(
            public_key=self.other_key or request.public_key(),
            subject=request.subject,
            begins=self.begins,
            ends=self.ends,
        )
        certificates = [issued.certificate, *self.cas]
        encoded = [
            base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in certificates
        ]
        if self.form == "xml":
            cas = "".join(f"<ca>{each}</ca>" for each in encoded[1:])
            text = f"<enrollment><signedCert>{encoded[0]}</signedCert>{cas}</enrollment>"
            return "application/xml", b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()
        if self.form == "pem":  # with the lines of PEM, some of them spelt out
            encoded = [each.public_bytes(Encoding.PEM).decode() for each in certificates]
            encoded[-1] = encoded[-1].replace("\n", "\\n")
        names = ["signedCert", *(f"ca{index}" for index in range(len(self.cas)))]
        return "text/plain", json.dumps(dict(zip(names, encoded, strict=True))).encode()


class _Handler(BaseHTTPRequestHandler):
    script: EnrolmentServer
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        script = self._note()
        if not self._authorised():
            return
        if script.entries is None:
            self._say(404, b"", "text/plain")
            return
        entries = "".join(f'<nameEntry value="{v}" name="{n}"/>' for n, v in script.entries)
        self._say(
            200,
            '<ns2:certificateConfig xmlns="http://bbn.com/marti/xml/config" '
            f'xmlns:ns2="com.bbn.marti.config"><nameEntries>{entries}</nameEntries>'
            "</ns2:certificateConfig>".encode(),
            "application/xml",
        )

    def do_POST(self) -> None:
        script = self._note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._authorised():
            return
        if script.answer is not None:
            self._say(*script.answer, "text/plain")
            return
        kind, answer = script.sign(body)
        self._say(200, answer, kind, chunked=True)

    def _note(self) -> EnrolmentServer:
        parts = urlsplit(self.path)
        self.script.asked.append((self.command, parts.path, parse_qs(parts.query)))
        self.script.headers.append(dict(self.headers))
        return self.script

    def _authorised(self) -> bool:
        told = f"{self.script.user}:{self.script.password}".encode()
        if self.headers["Authorization"] == "Basic " + base64.b64encode(told).decode():
            return True
        self._say(401, b"who are you", "text/plain")
        return False

    def _say(self, status: int, body: bytes, kind: str, *, chunked: bool = False) -> None:
        """Chunked as Tomcat does."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), 500):
                part = body[at : at + 500]
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""
