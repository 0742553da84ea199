"""Delivery to TAK servers of other makers, the real ones: optional, see tests/tak_servers.py."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cop_gateway.delivery.presence import presence
from running import Gateway, TakClient, http, report, started, wait_for
from tak_servers import FreeTakServer, OpenTakServer

pytestmark = [pytest.mark.optional_server, pytest.mark.timeout(400)]


@contextlib.contextmanager
def ended(server: FreeTakServer | OpenTakServer) -> Iterator[Any]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def client_of(port: int, *, after: float = 0.0) -> Iterator[TakClient]:
    """A plain TAK client; servers tell only those who have told of themselves.

    `after` so many seconds, where a server forgets those who tell at once.
    """
    hello = presence(uid="eye-1", callsign="EYE", cot_type="a-f-G-U-C", version="1", seconds=600.0)(
        datetime.now(UTC)
    )
    client = TakClient(port)
    time.sleep(after)
    client.say(hello.encode())
    try:
        yield client
    finally:
        client.close()


def gateway_to(folder: Path, port: int, **sink: Any) -> Gateway:
    told = {"name": "tak", "url": f"tcp://127.0.0.1:{port}", "backoff_max_seconds": 0.5, **sink}
    return Gateway(folder / "gateway", sinks=json.dumps([told]))


def lag(gateway: Gateway) -> int:
    count: int = gateway.get("/v1/sinks/tak")["lag_events"]
    return count


def uids_of(gateway: Gateway, frames: range) -> set[str]:
    receipts = [gateway.post(report(str(frame))).json for frame in frames]
    return {placed["uid"] for receipt in receipts for placed in receipt["results"]}


def sent_on(client: TakClient, frames: range) -> bool:
    seen = {(frame, index) for _, frame, index in client.sightings()}
    return all((str(frame), index) in seen for frame in frames for index in range(2))


@pytest.mark.parametrize("acknowledge", ["ping", "auto", "send"])
def test_free_tak_server_gets_everything_and_hands_it_on(tmp_path: Path, acknowledge: str) -> None:
    """It takes one event out of the first read and answers a ping with the ping itself."""
    with ended(FreeTakServer(tmp_path / "fts")) as server, client_of(server.port) as eye:
        wait_for(lambda: any(b"Welcome" in event for event in eye.events), what="its welcome")
        gateway = gateway_to(tmp_path, server.port, acknowledge=acknowledge, pong_seconds=5)
        with started(gateway):
            uids_of(gateway, range(5))
            wait_for(lambda: sent_on(eye, range(5)), seconds=60, what="the first frames")
            wait_for(lambda: lag(gateway) == 0, seconds=60, what=str(gateway.get("/v1/sinks/tak")))
            uids_of(gateway, range(5, 60))
            wait_for(lambda: sent_on(eye, range(60)), seconds=120, what="all frames")
            wait_for(lambda: lag(gateway) == 0, seconds=60, what="the cursor")
            told = gateway.get("/v1/sinks/tak")
            assert told["dead_letters"] == 0
            assert told["acknowledges"] == (acknowledge != "send")


def test_open_tak_server_gets_everything_and_hands_it_on(tmp_path: Path) -> None:
    """It loses what a read cuts in two behind a whole event, and answers the ping all the same."""
    with ended(OpenTakServer(tmp_path / "ots")) as server, client_of(server.port, after=3) as eye:
        time.sleep(1)
        gateway = gateway_to(tmp_path, server.port, pong_seconds=5)
        with started(gateway):
            # All at once: what waits goes out in batches, until it is known how pings are answered.
            assert http(f"{gateway.url}/v1/sinks/tak/pause", body=b"").status == 200
            uids_of(gateway, range(150))
            assert http(f"{gateway.url}/v1/sinks/tak/resume", body=b"").status == 200
            wait_for(lambda: lag(gateway) == 0, seconds=60, what="the cursor")
            wait_for(lambda: sent_on(eye, range(150)), seconds=60, what="all frames")
            told = gateway.get("/v1/sinks/tak")
            assert (told["dead_letters"], told["acknowledges"]) == (0, True)
