"""A gateway that is killed loses nothing that it acknowledged with 201, and keeps the order."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres_server import Postgres
from producers import Producers, arrived, delivered
from running import Gateway, TakClient, Taky, started


@pytest.fixture
def taky(tmp_path: Path) -> Iterator[Taky]:
    with started(Taky(tmp_path)) as server:
        yield server


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with started(Postgres(tmp_path_factory.mktemp("server"))) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_killed_at_a_hundred_random_points(
    tmp_path: Path, taky: Taky, store: str, request: pytest.FixtureRequest
) -> None:
    """kill -9 in the middle of intake and delivery; fifty times with each store."""
    settings = {"log_level": "warning"}
    if store == "postgres":
        settings["database"] = request.getfixturevalue("postgres").create("crashes")
    rng = random.Random(store)
    gateway = Gateway(tmp_path, sink=taky.url, **settings)
    producers = Producers([gateway])
    client = TakClient(taky.port)
    try:
        producers.start()
        for _ in range(50):
            gateway.start()
            producers.get_on(0)
            time.sleep(rng.uniform(0.0, 0.15))
            gateway.kill()
        producers.stop()
        with started(gateway):
            delivered(gateway)
            arrived(client, producers.acknowledged)
        assert len(producers.acknowledged) >= 50
    finally:
        producers.stop()
        client.close()
