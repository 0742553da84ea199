"""What a switch of colours asks of real processes: clients leave, sinks change hands."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postgres_server import Postgres
from producers import Producers, arrived, delivered, went_back
from running import Gateway, TakClient, Taky, free_port, http, report, started, wait_for


def gateway(folder: Path, colour: str, **settings: str) -> Gateway:
    made = Gateway(folder / colour, **settings)
    made.env = {**made.env, "SIGHTLINE_COLOUR": colour}
    return made


def drain(process: Gateway, method: str = "PUT") -> dict[str, Any]:
    answer = http(f"{process.url}/v1/drain", method=method)
    assert answer.status == 200, answer.body
    return answer.json


def sink(process: Gateway) -> dict[str, Any]:
    (one,) = drain(process, "GET")["details"]["sinks"]
    return dict(one)


def holds(process: Gateway) -> bool:
    return bool(sink(process)["held"]) and sink(process)["state"] == "connected"


class TestTwoColours:
    @pytest.fixture
    def url(self, tmp_path: Path, lone_postgres: Postgres) -> str:
        return lone_postgres.create(f"colours-{tmp_path.name}")

    @pytest.fixture
    def both(self, tmp_path: Path, taky: Taky, url: str) -> Iterator[tuple[Gateway, Gateway]]:
        blue, green = (
            gateway(tmp_path, colour, sink=taky.url, database=url, log_level="warning")
            for colour in ("blue", "green")
        )
        with started(blue), started(green):
            wait_for(lambda: holds(blue), what="blue to deliver")
            yield blue, green

    def test_the_sink_moves_with_the_switch_and_back_under_load(
        self, both: tuple[Gateway, Gateway], taky: Taky
    ) -> None:
        blue, green = both
        client = TakClient(taky.port)
        producers = Producers([blue, green])
        producers.start()
        switches = 6
        try:
            producers.get_on(20)
            old, new = blue, green
            for _ in range(switches):
                drain(new, "DELETE")
                began = time.monotonic()
                assert drain(old)["details"]["sinks"][0]["held"] is False
                wait_for(lambda now=new: holds(now), what="the other colour to deliver")
                assert time.monotonic() - began < 5.0
                producers.get_on(10)
                old, new = new, old
        finally:
            producers.stop()
        delivered(old)
        arrived(client, producers.acknowledged)
        # In order, and each hand-over begins where the one before it had settled: no storm.
        assert went_back(client) <= switches
        client.close()

    def test_the_idle_colour_delivers_not_even_when_nobody_else_does(
        self, both: tuple[Gateway, Gateway]
    ) -> None:
        """What was just released must not get hold of a sink before anybody has looked at it."""
        blue, green = both
        blue.kill()
        assert green.post(report("1")).status == 201
        time.sleep(2.5)
        assert sink(green)["held"] is False
        blue.start()
        wait_for(lambda: holds(blue), what="blue to deliver again")
        wait_for(lambda: sink(blue)["lag_events"] == 0, what="what green took in")

    def test_a_new_process_of_the_colour_that_was_left_knows(
        self, both: tuple[Gateway, Gateway]
    ) -> None:
        blue, green = both
        drain(green, "DELETE")
        drain(blue)
        wait_for(lambda: holds(green), what="green to deliver")
        blue.stop()
        blue.start()
        green.kill()
        time.sleep(2.5)
        assert sink(blue)["held"] is False

    def test_what_a_preflight_asks(self, both: tuple[Gateway, Gateway]) -> None:
        found = drain(both[1], "GET")
        assert (found["service"], found["colour"]) == ("cop-gateway", "green")
        details = found["details"]
        assert details["shared_database"] is True
        assert details["undelivered"] == 0
        schema = details["schema"]
        assert schema["oldest_code"] <= schema["code"] == schema["database"]


def test_with_sqlite_the_drained_gateway_goes_on_until_its_outbox_is_empty(tmp_path: Path) -> None:
    taky = Taky(tmp_path, free_port())
    alone = gateway(tmp_path, "blue", sink=taky.url)
    with started(alone):
        for frame in range(3):
            assert alone.post(report(str(frame))).status == 201
        left = drain(alone)
        assert left["draining"] is True
        assert left["details"]["shared_database"] is False
        assert left["details"]["undelivered"] > 0
        with started(taky):
            wait_for(lambda: drain(alone, "GET")["details"]["undelivered"] == 0, what="delivery")
        # It still takes in what comes on connections that know no better.
        assert alone.post(report("later")).status == 201


def test_kept_connections_are_sent_away_and_idle_ones_closed(tmp_path: Path) -> None:
    with started(gateway(tmp_path, "blue")) as alone, connected(alone) as busy:
        idle = connected(alone)
        assert b"connection: close" not in ask(busy) + ask(idle)
        drain(alone)
        assert b"connection: close" in ask(busy)
        assert busy.recv(1) == b""
        idle.settimeout(15)
        assert idle.recv(1) == b"", "an idle connection stays open"
        idle.close()
        wait_for(lambda: drain(alone, "GET")["connections"] <= 1, what="only our own connection")


def connected(process: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", process.port), 5)


def ask(connection: socket.socket) -> bytes:
    """The head of an answer, whose body is read as well."""
    connection.sendall(b"GET /v1/sinks HTTP/1.1\r\nHost: test\r\n\r\n")
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(65_536)
    return answer.partition(b"\r\n\r\n")[0].lower()
