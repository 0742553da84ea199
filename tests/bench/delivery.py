"""How many CoT events a second reach a reading TCP peer, and how many PyTAK sends in the same run.

The whole delivery path: a real courier that reads a real SQLite outbox, sends over loopback, waits
for the pongs behind its batches and moves the cursor on the disk. PyTAK sends the very same events
from a queue in memory, as fast as its own worker does; nobody acknowledges them. The peer reads and
answers pings, in a process of its own. One after the other, in turns.

    python tests/bench/delivery.py [--events 50000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import random
import subprocess
import sys
import tempfile
import time
import warnings
from configparser import ConfigParser
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import pytak
import structlog
from gateway_http import body
from rich.console import Console
from rich.table import Table

from cop_gateway.app import world
from cop_gateway.cot import pong, protobuf
from cop_gateway.delivery import Bulletin, Courier
from cop_gateway.delivery.policy import Policy
from cop_gateway.delivery.tcp import TcpTransport
from cop_gateway.outbox.record import FrameKey
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.pipeline import Picture, advance
from cop_gateway.settings import Settings
from sightline.messages import DetectionReport, decode


class NoObserver:
    """Nobody counts here."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_, **__: None


class Count:
    """How often a word has come in a stream, wherever it was cut."""

    def __init__(self, word: bytes) -> None:
        self._word, self._tail = word, b""

    def feed(self, data: bytes) -> int:
        whole = self._tail + data
        self._tail = whole[-(len(self._word) - 1) :]
        return whole.count(self._word)


OFFER = (
    '<event version="2.0" uid="peer" type="t-x-takp-{}" how="m-g" time="{}" start="{}" stale="{}">'
    '<point lat="0" lon="0" hae="0" ce="9999999" le="9999999"/><detail><TakControl>{}</TakControl>'
    "</detail></event>"
)


def said(kind: str, what: str) -> bytes:
    """What the peer says in the negotiation of the protocol."""
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return OFFER.format(kind, when, when, when, what).encode()


async def peer(count: int, *, binary: bool) -> None:
    """Reads `count` sightings on each connection; answers pings; says when the last one came."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen, sightings = 0, Count(b" detection=")
        xml_pings, binary_pings = Count(b'type="t-x-c-t"'), Count(b"\x0a\x07t-x-c-t\x12")
        requests = Count(b'type="t-x-takp-q"')
        if binary:
            writer.write(said("v", '<TakProtocolSupport version="1"/>'))
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 18):
                if requests.feed(data):
                    writer.write(said("r", '<TakResponse status="true"/>'))
                for _ in range(xml_pings.feed(data)):
                    writer.write(pong(datetime.now(UTC)))
                for _ in range(binary_pings.feed(data)):
                    answer = protobuf.encode(pong(datetime.now(UTC)).decode())
                    writer.write(protobuf.stream_frame(answer))
                before, seen = seen, seen + sightings.feed(data)
                if before < count <= seen:
                    print("DONE", time.monotonic(), flush=True)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("PORT", server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.get_running_loop().create_future()


def filled(folder: Path, events: int) -> tuple[SqliteOutbox, list[bytes]]:
    """An outbox with so many sightings that nobody has yet, and the same events as they are."""
    settings = Settings(database="sqlite:///x", ground_height_m=400.0, platform_interval_seconds=0)
    report = decode(body("0", "bench", 20), DetectionReport)
    _, (record,) = advance(Picture(), [report], world(settings))
    store = SqliteOutbox(folder / "outbox.db")
    store.account("tak")
    for start in range(0, events // 20, 100):
        store.commit(
            [
                replace(record, key=FrameKey(camera_id="bench", frame_id=f"{start + i}"))
                for i in range(min(100, events // 20 - start))
            ],
            datetime.now(UTC),
        )
    return store, [each.xml.encode() for each in record.events] * (events // 20)


async def ours(
    store: SqliteOutbox, port: int, done: asyncio.StreamReader, *, binary: bool
) -> float:
    """Seconds until the peer had them all and the cursor on the disk was at the end."""
    bulletin = Bulletin(store.head())
    courier = Courier(
        policy=Policy(name="tak"),
        transport=TcpTransport("127.0.0.1", port, upgrade=binary),
        storage=store,
        bulletin=bulletin,
        observer=NoObserver(),
        clock=lambda: datetime.now(UTC),
        uniform=random.random,
    )
    began = time.monotonic()
    running = asyncio.create_task(courier.run())
    ended = float((await done.readline()).split()[1])
    while store.account("tak").cursor < store.head():
        await asyncio.sleep(0.002)
    settled = time.monotonic()
    courier.stop()
    await running
    return max(ended, settled) - began


async def theirs(
    events: list[bytes], port: int, done: asyncio.StreamReader, *, binary: bool
) -> float:
    """Seconds until the peer had what PyTAK's own worker sent."""
    config = ConfigParser()
    config["x"] = {"COT_URL": f"tcp://127.0.0.1:{port}", "TAK_PROTO": str(int(binary))}
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    for event in events:
        queue.put_nowait(event)
    _, writer = await pytak.protocol_factory(config["x"])
    worker = pytak.TXWorker(queue, config["x"], writer)
    began = time.monotonic()
    running = asyncio.create_task(worker.run())
    ended = float((await done.readline()).split()[1])
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    writer.close()
    return ended - began


async def round_of(events: int, *, binary: bool) -> tuple[float, float]:
    """Events a second: ours, PyTAK's."""
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as name:
        store, plain = filled(Path(name), events)
        server = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            "--peer",
            str(events),
            *(["--binary"] if binary else []),
            stdout=subprocess.PIPE,
        )
        try:
            assert server.stdout is not None
            port = int((await server.stdout.readline()).split()[1])
            mine = events / await ours(store, port, server.stdout, binary=binary)
            others = events / await theirs(plain, port, server.stdout, binary=binary)
        finally:
            server.terminate()
            await server.wait()
        store.close()
    return mine, others


def main() -> None:
    """Measure in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--binary", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        asyncio.run(peer(options.peer, binary=options.binary))
        return
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    warnings.simplefilter("ignore")
    table = Table(title=f"Delivery of {options.events} CoT events to a reading TCP peer, SQLite")
    for column in ("protocol", "Sightline events/s", "PyTAK events/s", "ratio"):
        table.add_column(column, justify="right")
    for binary in (False, True):
        rounds = [
            asyncio.run(round_of(options.events, binary=binary)) for _ in range(options.rounds)
        ]
        mine, others = (median(each[i] for each in rounds) for i in (0, 1))
        ratios = sorted(a / b for a, b in rounds)
        table.add_row(
            "protobuf" if binary else "XML", f"{mine:.0f}", f"{others:.0f}",
            f"{median(ratios):.1f} ({ratios[0]:.1f}..{ratios[-1]:.1f})",
        )  # fmt: skip
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
