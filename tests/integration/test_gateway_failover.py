"""PostgreSQL fails over to its standby under load: nothing acknowledged is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres_server import Postgres
from producers import Producers, arrived, delivered
from running import Gateway, TakClient, Taky, http, started, wait_for

_ROOM = "max_connections=100"
"""As many as the data was made for: a standby refuses to have fewer."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Postgres, Postgres]]:
    """A primary, and a standby without which it confirms no commit."""
    primary = Postgres(tmp_path / "primary", settings=[_ROOM, "synchronous_standby_names=*"])
    link = f"host=127.0.0.1 port={primary.port} user=sightline application_name=standby"
    standby = Postgres(
        tmp_path / "standby", copy_of=primary, settings=[_ROOM, f"primary_conninfo={link}"]
    )  # fmt: skip
    subprocess.run(["touch", standby.data / "standby.signal"], check=True, user=standby.user)
    with started(primary), started(standby):
        wait_for(lambda: _synchronous(primary), what="the standby to follow")
        yield primary, standby


def _synchronous(primary: Postgres) -> bool:
    with primary.session() as session:
        found = session.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
    return found == [("sync",)]


def test_the_standby_takes_over_and_the_gateway_follows_it(
    tmp_path: Path, pair: tuple[Postgres, Postgres]
) -> None:
    primary, standby = pair
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    url = f"postgresql://sightline@{hosts}/postgres?target_session_attrs=read-write"
    with started(Taky(tmp_path)) as taky:
        client = TakClient(taky.port)
        gateway = Gateway(tmp_path, sink=taky.url, database=url, log_level="warning")
        with started(gateway):
            producers = Producers([gateway])
            producers.start()
            try:
                producers.get_on(30)
                primary.crash()
                refused = producers.refused
                wait_for(lambda: producers.refused > refused, what="a refusal")
                assert http(f"{gateway.url}/health").status == 200
                with standby.session() as session:
                    assert session.execute("SELECT pg_promote()").fetchone() == (True,)
                producers.get_on(30)
            finally:
                producers.stop()
            delivered(gateway)
            arrived(client, producers.acknowledged)
            with standby.session() as session:
                row = session.execute("SELECT count(*) FROM frames").fetchone()
            assert row is not None
            assert row[0] >= len(producers.acknowledged)
        client.close()
