"""A real Alertmanager for tests, and those it tells: an HTTP receiver and a mail server."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from alertmanager.configuration import BASE, compose, read, written
from probed import Probed
from running import free_port, http, required

RECEIVERS = ("page", "ticket", "chat", "watchdog", "nobody")
ALWAYS = {"name": "working-hours", "time_intervals": [{"weekdays": ["sunday:saturday"]}]}
"""Working hours for tests, which know no night."""

_TIMES = ("group_wait", "group_interval", "repeat_interval")
_DURATION = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def program(name: str) -> str:
    """Debian's name for one of Alertmanager's programs, or everybody else's."""
    for each in (f"prometheus-{name}", name):
        if found := shutil.which(each):
            return found
    return required(f"{name} is not installed: apt-get install prometheus-alertmanager")


def alert(
    name: str,
    *,
    annotations: Mapping[str, str] | None = None,
    resolved: bool = False,
    **labels: str,
) -> dict[str, Any]:
    """An alert as Prometheus sends it."""
    now = datetime.now(UTC)
    ends = now - timedelta(seconds=1) if resolved else now + timedelta(minutes=5)
    return {
        "labels": {"alertname": name, "environment": "test", **labels},
        "annotations": dict(annotations or {}),
        "startsAt": (now - timedelta(seconds=2 if resolved else 0)).isoformat(),
        "endsAt": ends.isoformat(),
    }


def hurried(node: Any, *, factor: float) -> Any:
    """The same routes, so many times as fast."""
    if isinstance(node, list):
        return [hurried(each, factor=factor) for each in node]
    if not isinstance(node, Mapping):
        return node
    return {
        name: _shortened(value, factor) if name in _TIMES else hurried(value, factor=factor)
        for name, value in node.items()
    }


def _shortened(duration: str, factor: float) -> str:
    seconds = sum(int(count) * _SECONDS[unit] for count, unit in _DURATION.findall(duration))
    return f"{round(seconds * 1000 / factor)}ms"


@dataclass
class Received:
    """A request to the inbox: who was meant (its path), and what was said."""

    receiver: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    at: float = field(default_factory=time.monotonic)

    @property
    def names(self) -> set[str]:
        """Of the alerts in it."""
        return {each["labels"]["alertname"] for each in self.body.get("alerts", [])}


class Inbox:
    """Takes what Alertmanager posts; the path names the receiver."""

    def __init__(self) -> None:
        inbox = self
        self.received: list[Received] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.end_headers()
                inbox.received.append(
                    Received(self.path.strip("/"), dict(self.headers), json.loads(body))
                )

            def log_message(self, *_: object) -> None:
                pass

        self._server = _InboxServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def told(self, receiver: str) -> set[str]:
        """The names of all alerts that this receiver was told of."""
        return {name for each in self.received if each.receiver == receiver for name in each.names}

    def to(self, receiver: str) -> list[Received]:
        return [each for each in self.received if each.receiver == receiver]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _InboxServer(ThreadingHTTPServer):
    # Storms come on many connections at once; one that is refused is tried again a second later.
    request_queue_size = 256


class Mailbox:
    """As much SMTP (RFC 5321, AUTH PLAIN) as Alertmanager speaks."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.credentials: list[str] = []
        self._server = _MailServer(("127.0.0.1", 0), _Conversation)
        self._server.mailbox = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    mailbox: Mailbox


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _MailServer)
        mailbox = self.server.mailbox
        answers = {
            "EHLO": "250-mailbox\r\n250 AUTH PLAIN",
            "AUTH": "235 welcome",
            "QUIT": "221 bye",
        }
        self._say("220 mailbox")
        for line in self.rfile:
            verb, _, rest = line.strip().decode().partition(" ")
            if verb == "AUTH":
                mailbox.credentials.append(rest.removeprefix("PLAIN "))
            if verb == "DATA":
                self._say("354 go on")
                mailbox.messages.append(self._message())
            self._say(answers.get(verb, "250 fine"))
            if verb == "QUIT":
                return

    def _message(self) -> EmailMessage:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        parsed = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@dataclass
class Site:
    """A site's part whose every receiver leads to an inbox."""

    inbox: Inbox
    own: dict[str, Any] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        receivers = [
            {"name": name, "webhook_configs": [{"url": f"{self.inbox.url}/{name}"}]}
            for name in RECEIVERS
        ]
        own = {each["name"]: each for each in self.own.get("receivers", [])}
        return {"time_intervals": [ALWAYS], **self.own} | {
            "receivers": [own.get(each["name"], each) for each in receivers]
        }


class Alertmanager(Probed):
    """With the repository's configuration and a site's part, on loopback, in its own folder."""

    called = "Alertmanager"

    def __init__(self, folder: Path, site: Mapping[str, Any], *, factor: float = 60) -> None:
        """Everything that waits waits `factor` times less."""
        self.port = free_port()
        folder.mkdir(exist_ok=True)
        shutil.copytree(BASE.parent / "templates", folder / "templates", dirs_exist_ok=True)
        config = folder / "alertmanager.yaml"
        whole = compose(read(BASE), site)
        config.write_text(written(whole | {"route": hurried(whole["route"], factor=factor)}))
        super().__init__(
            command=[
                program("alertmanager"),
                f"--config.file={config}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                f"--web.external-url=http://127.0.0.1:{self.port}",
                "--cluster.listen-address=",
                "--log.level=debug",
            ],
            log=folder / "alertmanager.log",
        )

    def post(self, *alerts: dict[str, Any]) -> None:
        answer = http(
            f"{self.url}/api/v2/alerts",
            body=json.dumps(alerts).encode(),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status == 200, answer.body

    def states(self) -> dict[str, str]:
        """By name: active, suppressed (inhibited or silenced) or unprocessed."""
        found = http(f"{self.url}/api/v2/alerts").json
        return {each["labels"]["alertname"]: each["status"]["state"] for each in found}


@contextlib.contextmanager
def inbox() -> Iterator[Inbox]:
    """An inbox that ends with its test."""
    opened = Inbox()
    try:
        yield opened
    finally:
        opened.close()


@contextlib.contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mailbox that ends with its test."""
    opened = Mailbox()
    try:
        yield opened
    finally:
        opened.close()
