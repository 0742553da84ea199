"""Several gateways on one PostgreSQL: one delivers, whoever is left takes over, nothing is lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from postgres_server import Postgres
from producers import CARS, Producers, arrived, delivered
from running import Gateway, TakClient, Taky, http, report, started, wait_for


class TestReplicas:
    @pytest.fixture
    def two(
        self, tmp_path: Path, taky: Taky, lone_postgres: Postgres
    ) -> Iterator[tuple[Gateway, Gateway]]:
        url = lone_postgres.create(f"replicas-{tmp_path.name}")
        gateways = [
            Gateway(tmp_path / name, sink=taky.url, database=url, log_level="warning")
            for name in ("blue", "green")
        ]
        with started(gateways[0]), started(gateways[1]):
            yield gateways[0], gateways[1]

    @staticmethod
    def state(gateway: Gateway) -> str:
        state: str = gateway.get("/v1/sinks/tak")["state"]
        return state

    def test_one_delivers_and_the_other_takes_over_when_it_is_killed(
        self, two: tuple[Gateway, Gateway], taky: Taky
    ) -> None:
        wait_for(
            lambda: {self.state(g) for g in two} == {"connected", "standby"}, what="one holder"
        )
        client = TakClient(taky.port)
        producers = Producers(list(two))
        producers.start()
        try:
            wait_for(lambda: len(producers.acknowledged) > 40, what="frames")
            holder, other = two if self.state(two[0]) == "connected" else two[::-1]
            holder.kill()
            began = time.monotonic()
            wait_for(lambda: self.state(other) == "connected", what="the takeover")
            assert time.monotonic() - began < 5.0
            producers.get_on(20)
        finally:
            producers.stop()
        delivered(other)
        arrived(client, producers.acknowledged)
        client.close()

    def test_a_sink_is_paused_and_resumed_at_whichever_gateway(
        self, two: tuple[Gateway, Gateway], taky: Taky
    ) -> None:
        """Behind one address, an operator cannot choose which of them is asked."""
        wait_for(
            lambda: {self.state(g) for g in two} == {"connected", "standby"}, what="one holder"
        )
        holder, other = two if self.state(two[0]) == "connected" else two[::-1]
        assert http(f"{other.url}/v1/sinks/tak/pause", body=b"").status == 200
        wait_for(lambda: {self.state(g) for g in two} == {"paused"}, what="both to pause")
        holder.post(report("while-paused"))
        time.sleep(3.0)  # longer than a takeover takes
        assert {self.state(g) for g in two} == {"paused"}
        assert other.get("/v1/sinks/tak")["lag_events"] > 0
        assert http(f"{holder.url}/v1/sinks/tak/resume", body=b"").status == 200
        wait_for(
            lambda: {self.state(g) for g in two} == {"connected", "standby"}, what="one holder"
        )
        wait_for(lambda: other.get("/v1/sinks/tak")["lag_events"] == 0, what="delivery")

    def test_one_object_has_one_uid_whichever_gateway_saw_it(
        self, two: tuple[Gateway, Gateway]
    ) -> None:
        uids = set()
        for number in range(10):
            receipt = two[number % 2].post(report(str(number), cars=1)).json
            uids.add(receipt["results"][0]["uid"])
        assert len(uids) == 1

    def test_the_same_frame_to_both_is_one_frame(self, two: tuple[Gateway, Gateway]) -> None:
        answers = [gateway.post(report("f-1")) for gateway in (*two, *two)]
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
        for gateway in two:
            assert len(gateway.get("/v1/events")["events"]) == CARS

    def test_a_holder_that_hangs_is_fenced_off(
        self, two: tuple[Gateway, Gateway], taky: Taky, lone_postgres: Postgres
    ) -> None:
        """Its session is ended by the server, as after a partition; it does not know yet."""
        wait_for(
            lambda: {self.state(g) for g in two} == {"connected", "standby"}, what="one holder"
        )
        holder, other = two if self.state(two[0]) == "connected" else two[::-1]
        client = TakClient(taky.port)
        producers = Producers([other])
        producers.start()
        try:
            wait_for(lambda: len(producers.acknowledged) > 20, what="frames")
            holder.popen.send_signal(signal.SIGSTOP)
            with psycopg.connect(lone_postgres.url, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(l.pid) FROM pg_locks AS l JOIN pg_database AS d"
                    " ON d.oid = l.database WHERE l.locktype = 'advisory'"
                    " AND d.datname LIKE 'replicas-%'"
                )
            wait_for(lambda: self.state(other) == "connected", what="the takeover")
            holder.popen.send_signal(signal.SIGCONT)
            producers.get_on(20)
            wait_for(
                lambda: sorted(map(self.state, two)) == ["connected", "standby"],
                what="one holder again",
            )
        finally:
            holder.popen.send_signal(signal.SIGCONT)
            producers.stop()
        delivered(other)
        arrived(client, producers.acknowledged)
        client.close()


def test_postgres_restarts_under_load_and_nobody_has_to_do_anything(
    tmp_path: Path, taky: Taky
) -> None:
    (tmp_path / "db").mkdir()
    server = Postgres(tmp_path / "db")
    client = TakClient(taky.port)
    with started(server):
        gateway = Gateway(tmp_path, sink=taky.url, database=server.url, log_level="warning")
        with started(gateway):
            producers = Producers([gateway])
            producers.start()
            try:
                for crash in (True, False):
                    producers.get_on(20)
                    if crash:
                        # As if the power had failed: the server recovers from its log.
                        server.popen.send_signal(signal.SIGQUIT)
                        server.popen.wait()
                    else:
                        server.stop()
                    down = producers.refused
                    wait_for(lambda n=down: producers.refused > n, what="a refusal")
                    assert http(f"{gateway.url}/health").status == 200
                    server.start()
                producers.get_on(20)
            finally:
                producers.stop()
            delivered(gateway)
            arrived(client, producers.acknowledged)
    client.close()
