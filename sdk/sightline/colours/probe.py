"""Asks an address all the time while a switch is made, as its users do, and counts what it meets.

Two askers: one keeps its connection as long as it may, one makes a new one for each request. A
request fails when it has no answer, or one of 500 and above.
"""

from __future__ import annotations

import http.client
import threading
import time
from urllib.parse import urlsplit

import msgspec

from sightline.colours.colour import Colour
from sightline.colours.errors import ColoursError
from sightline.colours.receipt import ProbeCount

RATE_HZ = 10.0
"""Of each asker."""
SECONDS = 5.0


class _Health(msgspec.Struct):
    colour: str = ""


_HEALTH = msgspec.json.Decoder(_Health)


class Probe:
    """Runs from `start` until `finish`."""

    def __init__(self, url: str, to: Colour) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ColoursError(f"--probe: {url!r} is no http:// or https:// address")
        self._url = url
        self._host, self._port, self._tls = parts.hostname, parts.port, parts.scheme == "https"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._to = to
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._asked = {True: 0, False: 0}
        self._failures = 0
        self._first_failure: str | None = None
        self._moved: float | None = None
        self._met: float | None = None
        self._askers = [
            threading.Thread(target=self._ask, args=(kept,), daemon=True) for kept in (True, False)
        ]

    def start(self) -> None:
        """Begin."""
        for each in self._askers:
            each.start()

    def moved(self) -> None:
        """The first selector was changed, just now."""
        with self._lock:
            if self._moved is None:
                self._moved = time.monotonic()

    def finish(self) -> ProbeCount:
        """End, and tell."""
        self._over.set()
        for each in self._askers:
            each.join(SECONDS)
        with self._lock:
            met = self._met
            return ProbeCount(
                url=self._url,
                requests=sum(self._asked.values()),
                failures=self._failures,
                first_failure=self._first_failure,
                new_connections=self._asked[False],
                kept_connections=self._asked[True],
                first_new_colour_seconds=None if met is None else round(met, 3),
            )

    def _ask(self, kept: bool) -> None:
        connection = self._connection()
        while not self._over.wait(1.0 / RATE_HZ):
            problem, colour = self._once(connection)
            if problem is not None or not kept:
                connection.close()
                connection = self._connection()
            self._count(kept, problem, colour)
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=SECONDS)

    def _once(self, connection: http.client.HTTPConnection) -> tuple[str | None, str]:
        try:
            connection.request("GET", self._path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}", ""
        if answer.status >= 500:
            return f"it answered {answer.status}", ""
        try:
            return None, _HEALTH.decode(body).colour
        except msgspec.DecodeError:
            return None, ""

    def _count(self, kept: bool, problem: str | None, colour: str) -> None:
        with self._lock:
            self._asked[kept] += 1
            if problem is not None:
                self._failures += 1
                self._first_failure = self._first_failure or problem
            if self._moved is not None and self._met is None and colour == self._to:
                self._met = time.monotonic() - self._moved
