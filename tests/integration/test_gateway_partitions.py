"""The network falls silent: packets vanish, nothing is reset, and nobody has to do anything."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cables import Island, island
from postgres_server import Postgres, unprivileged
from producers import Producers, arrived, delivered, went_back
from running import Gateway, TakClient, Taky, http, report, started, wait_for

PONG_SECONDS = 2.0
TAKEOVER_SECONDS = 5.0


@pytest.fixture
def isle() -> Iterator[Island]:
    with island() as made:
        yield made


def state(gateway: Gateway) -> str:
    """Of its sink, as it says; without its store, a gateway does not say."""
    answer = http(f"{gateway.url}/v1/sinks/tak")
    assert answer.status in (200, 503), answer.body
    return str(answer.json["state"]) if answer.status == 200 else "unknown"


def test_a_silent_tak_server_is_noticed_and_gets_everything_once_it_is_back(
    tmp_path: Path, isle: Island
) -> None:
    cable, other = isle.cable(), isle.cable()
    with started(Taky(tmp_path, host=other.address, within=isle.within())) as taky:
        client = TakClient(taky.port, taky.host)
        sink = {
            "name": "tak", "url": f"tcp://{cable.address}:{taky.port}",
            "pong_seconds": PONG_SECONDS, "backoff_max_seconds": 0.5,
        }  # fmt: skip
        with started(Gateway(tmp_path, sinks=json.dumps([sink]), log_level="warning")) as gateway:
            producers = Producers([gateway])
            producers.start()
            try:
                producers.get_on(20)
                cable.cut()
                wait_for(lambda: state(gateway) != "connected", what="the trouble in its state")
                told = gateway.get("/v1/sinks/tak")
                assert "no pong within 2 s" in told["last_error"]
                before = gateway.get("/v1/sinks/tak")["cursor"]
                producers.get_on(20)  # intake goes on
                assert gateway.get("/v1/sinks/tak")["cursor"] == before
                cable.mend()
                wait_for(lambda: state(gateway) == "connected", what="the connection")
                producers.get_on(20)
            finally:
                producers.stop()
            assert producers.refused == 0
            delivered(gateway)
            arrived(client, producers.acknowledged)
        client.close()


def test_a_holder_that_is_cut_off_from_postgres_is_replaced_within_seconds_and_comes_back(
    tmp_path: Path, isle: Island
) -> None:
    """It still reaches the TAK server, and its sessions still seem to stand on both sides."""
    cable, other = isle.cable(), isle.cable()
    server = Postgres(
        tmp_path / "server", host=other.address, listens="*", within=isle.within(unprivileged())
    )
    with started(Taky(tmp_path)) as taky, started(server):
        blue, green = (
            Gateway(
                tmp_path / name, sink=taky.url, log_level="warning",
                database=f"postgresql://sightline@{way.address}:{server.port}/postgres",
            )
            for name, way in (("blue", cable), ("green", other))
        )  # fmt: skip
        client = TakClient(taky.port)
        with started(blue):
            wait_for(lambda: state(blue) == "connected", what="blue to hold the sink")
            with started(green):
                producers = Producers([blue, green])
                producers.start()
                try:
                    producers.get_on(30)
                    assert (state(blue), state(green)) == ("connected", "standby")
                    cable.cut()
                    began = time.monotonic()
                    wait_for(lambda: state(green) == "connected", what="the takeover")
                    assert time.monotonic() - began < TAKEOVER_SECONDS
                    refused = blue.post(report("0", camera="another"))
                    assert refused.status == 503
                    assert refused.headers["content-type"] == "application/problem+json"
                    assert "the store could not" in refused.json["detail"]
                    assert state(blue) != "connected"
                    assert http(f"{blue.url}/health").status == 200
                    producers.get_on(30)
                    cable.mend()
                    wait_for(
                        lambda: blue.post(report("0", camera="another")).status == 201,
                        what="blue to take frames again",
                    )
                    wait_for(lambda: state(blue) == "standby", what="blue to stand by")
                    assert state(green) == "connected"
                    producers.get_on(30)
                finally:
                    producers.stop()
                delivered(green)
                arrived(client, [*producers.acknowledged])
                assert went_back(client) <= 1
        client.close()
