"""Clients of a system whose colours are switched: python traffic.py PLAN.json, until SIGTERM.

They have no patience and try nothing twice: whatever goes wrong is a failed request. Each kind
comes with kept connections (left when an answer says so), with a new connection for each request,
and slowly. Prints one JSON document: every failure, what was acknowledged, and who answered when.

Needs Python's library only, since it runs wherever the services can be reached.
"""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Tally:
    """What happened."""

    requests: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: list[tuple[str, str, int]] = field(default_factory=list)
    """Camera, frame, and how many of its detections were placed."""
    colours: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """By client: when it was first answered by another colour than before."""
    answers: dict[str, list[float]] = field(default_factory=dict)
    """By client: when it was answered."""

    def failed(self, client: str, why: str) -> None:
        self.failures.append({"client": client, "at": time.time(), "why": why})

    def answered(self, client: str, colour: str) -> None:
        seen = self.colours.setdefault(client, [])
        if not seen or seen[-1][1] != colour:
            seen.append((time.time(), colour))


class Client:
    """Asks one address, again and again."""

    def __init__(
        self,
        name: str,
        url: str,
        tally: Tally,
        *,
        key: str,
        kept: bool,
        slowly: bool = False,
        patience: float = 15.0,
    ) -> None:
        self.name, self.tally, self.kept, self.slowly = name, tally, kept, slowly
        self.patience = patience
        parts = urlsplit(url)
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self.key = key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json"
    ) -> tuple[int, bytes] | None:
        """Status and body; None where it failed, which is counted."""
        self.tally.requests += 1
        try:
            async with asyncio.timeout(self.patience):
                status, answer, close = await self._exchange(method, path, body, kind)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self.tally.failed(self.name, f"{error!r} {self._where()}")
            self._hang_up()
            return None
        if close or not self.kept:
            self._hang_up()
        if status >= 400:
            self.tally.failed(self.name, f"{status} {answer[:300]!r}")
            return None
        self.tally.answers.setdefault(self.name, []).append(round(time.time(), 3))
        return status, answer

    async def _exchange(
        self, method: str, path: str, body: bytes, kind: str
    ) -> tuple[int, bytes, bool]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self._streams
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nX-Api-Key: {self.key}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            + ("" if self.kept else "Connection: close\r\n")
            + "\r\n"
        )
        writer.write(head.encode())
        if self.slowly:
            for start in range(0, len(body), max(1, len(body) // 8)):
                writer.write(body[start : start + max(1, len(body) // 8)])
                await writer.drain()
                await asyncio.sleep(0.06)
        else:
            writer.write(body)
        await writer.drain()
        status = int((await _line(reader)).split(b" ", 2)[1])
        length, close = 0, False
        while line := await _line(reader):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            if name.lower() == b"connection":
                close = value.strip().lower() == b"close"
        return status, await reader.readexactly(length), close

    def _where(self) -> str:
        """How far it had come: what is refused, lost or not answered has other causes each."""
        if self._streams is None:
            return "while connecting"
        return f"from {self._streams[1].get_extra_info('sockname')}"

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def _line(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise EOFError("the connection ended before the answer")
    return line.rstrip(b"\r\n")


@dataclass(frozen=True)
class Plan:
    """What is to be done."""

    detection: str
    gateway: str
    detection_key: str
    gateway_key: str
    sensor: dict[str, Any]
    image: bytes
    """Of a frame with something in it."""
    frame: dict[str, Any]
    rate: float = 10.0
    """Requests a second of each client."""
    clients: int = 2
    """Of each kind."""
    kinds: tuple[str, ...] = ("report", "picture", "look")
    """What is asked for."""
    patience: float = 15.0
    """Seconds that a request may take."""
    run: str = "run"
    """Goes into the cameras' names, so that no two runs share one."""

    @classmethod
    def read(cls, path: Path) -> Plan:
        text = json.loads(path.read_text())
        return cls(**{**text, "image": base64.b64decode(text["image"])})


async def looks(client: Client, plan: Plan) -> None:
    """GET /health, which says its colour."""
    while True:
        began = time.monotonic()
        if (answer := await client.ask("GET", "/health")) is not None:
            client.tally.answered(client.name, json.loads(answer[1])["colour"])
        await asyncio.sleep(max(0.0, 0.5 / plan.rate - (time.monotonic() - began)))


async def reports(client: Client, plan: Plan) -> None:
    """POST /v1/detections, frame after frame of one camera."""
    number = 0
    while True:
        began = time.monotonic()
        body = {
            "frame": {
                "frame_id": str(number),
                "camera_id": client.name,
                "captured_at": datetime.now(UTC).isoformat(),
                "sensor": plan.sensor,
            },
            "detections": [
                {"class": "car", "confidence": 0.9, "box": [100 + 90 * i, 200, 140 + 90 * i, 230]}
                for i in range(2)
            ],
        }
        answer = await client.ask("POST", "/v1/detections", json.dumps(body).encode())
        if answer is not None:
            client.tally.acknowledged.append((client.name, str(number), 2))
        number += 1
        await asyncio.sleep(max(0.0, 1.0 / plan.rate - (time.monotonic() - began)))


async def pictures(client: Client, plan: Plan) -> None:
    """POST /v1/detect, each picture with its frame; answered once the gateway has committed."""
    number = 0
    while True:
        began = time.monotonic()
        frame = plan.frame | {
            "frame_id": str(number),
            "camera_id": client.name,
            "captured_at": datetime.now(UTC).isoformat(),
        }
        mark = b"sightline-traffic"
        body = b"".join(
            b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n'
            b"Content-Type: %b\r\n\r\n%b\r\n" % (mark, name, name, kind, part)
            for name, kind, part in (
                (b"image", b"image/jpeg", plan.image),
                (b"frame", b"application/json", json.dumps(frame).encode()),
            )
        )
        answer = await client.ask(
            "POST", "/v1/detect", body + b"--%b--\r\n" % mark,
            f"multipart/form-data; boundary={mark.decode()}",
        )  # fmt: skip
        if answer is not None:
            placed = sum(
                bool((each.get("event") or {}).get("uid"))
                for each in json.loads(answer[1])["detections"]
            )
            client.tally.acknowledged.append((client.name, str(number), placed))
        number += 1
        await asyncio.sleep(max(0.0, 4.0 / plan.rate - (time.monotonic() - began)))


async def run(plan: Plan) -> Tally:
    """Ask until told to stop; what is under way is finished."""
    tally = Tally()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def client(kind: str, url: str, key: str, way: str, number: int) -> Client:
        name = f"{plan.run}-{kind}-{way}-{number}"
        return Client(
            name, url, tally,
            key=key, kept=way == "kept", slowly=way == "slow", patience=plan.patience,
        )  # fmt: skip

    work = []
    for number in range(plan.clients):
        for way in ("kept", "fresh", "slow"):
            if "report" in plan.kinds:
                gateway = client("report", plan.gateway, plan.gateway_key, way, number)
                work.append(reports(gateway, plan))
            if "picture" in plan.kinds and number == 0:
                camera = client("picture", plan.detection, plan.detection_key, way, number)
                work.append(pictures(camera, plan))
        for way in ("kept", "fresh") if "look" in plan.kinds else ():
            for what, url in (("cop-gateway", plan.gateway), ("detection", plan.detection)):
                work.append(looks(client(f"look-{what}", url, "", way, number), plan))
    tasks = [asyncio.create_task(each) for each in work]
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done - {stopping}:
        task.result()
    return tally


def main(path: Path) -> None:
    """Run it and tell."""
    tally = asyncio.run(run(Plan.read(path)))
    json.dump(vars(tally), sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
