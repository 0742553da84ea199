"""`sightline-cop-gateway migrate`, as a deployment runs it before a release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from cop_gateway.outbox import postgres_schema
from cop_gateway.outbox.errors import StoreUnusableError
from cop_gateway.outbox.migrations import POSTGRES_STEPS
from cop_gateway.outbox.postgres import PostgresOutbox
from postgres_server import Postgres
from running import started


@pytest.fixture
def url(lone_postgres: Postgres, tmp_path: Path) -> str:
    return lone_postgres.create(f"migration-{tmp_path.name}")


def migrate(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cop_gateway", "migrate", *arguments],
        env=os.environ
        | {"SIGHTLINE_GATEWAY_DATABASE": url, "SIGHTLINE_GATEWAY_GROUND_HEIGHT_M": "400"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def on_duty(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT name FROM colours WHERE stands_down = 0 ORDER BY name")
        return [row[0] for row in rows]


def test_it_brings_an_empty_database_up_and_says_so_in_one_line(url: str) -> None:
    done = migrate(url)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["schema"] == len(POSTGRES_STEPS)
    assert migrate(url).returncode == 0


def test_several_at_once_take_turns(url: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(migrate, [url] * 3))
    assert [each.returncode for each in done] == [0, 0, 0], [each.stderr for each in done]


def test_a_database_of_a_later_release_is_refused_in_one_sentence(url: str) -> None:
    assert migrate(url).returncode == 0
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE schema_version SET version = 99, oldest_code = 98")
    done = migrate(url)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "98" in line


def test_a_setting_that_is_wrong_is_refused_as_the_gateway_refuses_it(url: str) -> None:
    assert migrate("mysql://x").returncode == 2


@pytest.fixture
def contracting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that drops what the code of today needs."""
    later = (*POSTGRES_STEPS, "CREATE TABLE later (x INTEGER)")
    monkeypatch.setattr(postgres_schema, "POSTGRES_STEPS", later)
    monkeypatch.setattr(postgres_schema, "POSTGRES_OLDEST", len(later))


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {row[0] for row in rows}


class TestAReleaseThatTheOtherColourCannotWorkWith:
    def test_is_refused_and_changes_nothing(self, url: str, request: pytest.FixtureRequest) -> None:
        PostgresOutbox(url, colour="blue").close()
        before = tables(url)
        request.getfixturevalue("contracting")
        with pytest.raises(StoreUnusableError, match="blue, which is on duty"):
            PostgresOutbox(url, colour="green")
        assert tables(url) == before

    def test_goes_once_the_other_colour_is_not_on_duty(
        self, url: str, request: pytest.FixtureRequest
    ) -> None:
        blue = PostgresOutbox(url, colour="blue")
        PostgresOutbox(url, colour="green").close()
        blue.close()
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE colours SET stands_down = 1 - stands_down")
        request.getfixturevalue("contracting")
        PostgresOutbox(url, colour="green").close()
        assert "later" in tables(url)


class TestWhoDelivers:
    def test_the_first_colour_and_not_the_one_that_comes_later(self, url: str) -> None:
        PostgresOutbox(url, colour="green").close()
        PostgresOutbox(url, colour="blue").close()
        assert on_duty(url) == ["green"]

    def test_a_deployment_says_whom_it_wants_until_a_switch_decides(self, url: str) -> None:
        PostgresOutbox(url, colour="green").close()
        assert json.loads(migrate(url, "--on-duty", "blue").stdout)["on_duty"] == "blue"
        assert on_duty(url) == ["blue"]
        store = PostgresOutbox(url, colour="blue")
        store.stand_down(stands_down=True, at=datetime.now(UTC))
        store.close()
        assert json.loads(migrate(url, "--on-duty", "blue").stdout)["on_duty"] is None
        assert on_duty(url) == []

    def test_a_gateway_without_a_colour_delivers(self, url: str) -> None:
        PostgresOutbox(url, colour="blue").close()
        store = PostgresOutbox(url)
        store.account("tak")
        hold = store.hold("tak")
        assert hold is not None
        assert hold.alive()
        hold.release()
        store.close()


def test_a_database_that_is_still_to_come_is_waited_for_where_it_is_asked(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "later")
    refused = migrate(server.url)
    assert refused.returncode == 1
    assert "connection failed" in refused.stderr
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(migrate, server.url, "--wait", "50")
        time.sleep(2.0)
        assert not waiting.done()
        with started(server):
            done = waiting.result()
    assert done.returncode == 0, done.stderr
