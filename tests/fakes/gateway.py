"""A gateway that answers as it is told to: a small real HTTP server, for what no gateway does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer; without a body it is the receipt of whatever was reported."""

    status: int = 201
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Asked:
    path: str
    headers: dict[str, str]
    json: Any


def receipt(report: Any) -> dict[str, Any]:
    """The first detection is on the map, the others are not."""
    results: list[dict[str, Any]] = []
    for index, _ in enumerate(report["detections"]):
        if index == 0:
            results.append(
                {
                    "status": "placed",
                    "index": 0,
                    "uid": "SL.1",
                    "cot_type": "a-u-G",
                    "position": {"latitude": 47.5, "longitude": 8.25, "hae": 410.5},
                    "ce90_m": 12.5,
                    "le90_m": 3.5,
                    "flag": "GREEN",
                    "tle_category": 2,
                }
            )
        else:
            results.append(
                {
                    "status": "unplaced",
                    "index": index,
                    "reason": "above_horizon",
                    "message": "the ray does not meet the ground",
                }
            )
    frame = report["frame"]
    return {
        "frame_id": frame["frame_id"],
        "camera_id": frame["camera_id"],
        # Out of order on purpose: the index tells, not the place in the list.
        "results": results[::-1],
    }


class FakeGateway:
    """Gives `replies` in turn, then the last one again and again."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies) or [Reply()]
        self.asked: list[Asked] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                gateway.asked.append(
                    Asked(
                        path=self.path,
                        headers={name.lower(): value for name, value in self.headers.items()},
                        json=body,
                    )
                )
                replies = gateway.replies
                reply = replies.pop(0) if len(replies) > 1 else replies[0]
                time.sleep(reply.seconds)
                answer = receipt(body) if reply.body is None else reply.body
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def serving(self) -> Iterator[FakeGateway]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join(5)
