"""A gateway that is killed loses nothing that it acknowledged with 201, and keeps the order."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from producers import Producers, arrived, delivered
from running import Gateway, TakClient, Taky, started


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_killed_at_a_hundred_random_points(
    tmp_path: Path, taky: Taky, store: str, request: pytest.FixtureRequest
) -> None:
    """kill -9 in the middle of intake and delivery; fifty times with each store."""
    settings = {"log_level": "warning"}
    if store == "postgres":
        settings["database"] = request.getfixturevalue("lone_postgres").create("crashes")
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
