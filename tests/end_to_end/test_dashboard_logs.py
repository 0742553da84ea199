"""Every panel about log lines, asked of a real Loki that has a gateway's lines.

Grafana itself cannot be had on the build machines: what it would ask is asked here instead.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard_queries import Clock, committed, unanswered
from observing import Collector, ContainerLog, Loki, contained
from running import Gateway, report, started, wait_for
from scraping import Prometheus

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CLOCK = Clock(range_seconds=120, step_seconds=10, rate_seconds=15)

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Prometheus and Loki, after a gateway has taken a frame in and refused another."""
    folder = tmp_path_factory.mktemp("logs")
    containers = folder / "containers"
    containers.mkdir()
    gateway = Gateway(folder / "gateway")
    gateway.env = {**gateway.env, "SIGHTLINE_COLOUR": "blue"}
    with (
        started(Loki(folder / "loki")) as loki,
        started(Collector(folder / "collector", loki=loki.url, containers=containers)) as collector,
        contained(gateway, ContainerLog(containers, "cop-gateway")),
        started(
            Prometheus(
                folder / "prometheus",
                {
                    "cop-gateway": f"127.0.0.1:{gateway.port}",
                    "collector": f"127.0.0.1:{collector.metrics}",
                },
            )
        ) as prometheus,
    ):
        wait_for(gateway.is_ready, what="the gateway")
        traced = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
        assert gateway.post(report("one"), **traced).status == 201
        assert gateway.post({"frame": {}}, **traced).status == 422
        wait_for(
            lambda: loki.count(f'{{service_name="cop-gateway"}} | trace_id="{TRACE_ID}"'),
            what="the lines of that trace",
        )
        yield prometheus.url, loki.url


@pytest.mark.parametrize(
    "chosen",
    [{}, {"trace_id": TRACE_ID}, {"trace_id": TRACE_ID[:8], "camera": "drone", "level": "info"}],
    ids=["all", "trace", "trace-and-camera"],
)
def test_every_panel_of_logs_has_something_to_show(
    servers: tuple[str, str], chosen: dict[str, str]
) -> None:
    board = next(each for each in committed() if each["uid"] == "sightline-logs")
    wait_for(
        lambda: not unanswered([board], *servers, clock=CLOCK, variables=chosen),
        what="\n".join(unanswered([board], *servers, clock=CLOCK, variables=chosen)),
    )


def test_every_panel_about_the_collector_has_something_to_show(servers: tuple[str, str]) -> None:
    def silent() -> list[str]:
        found = unanswered(committed(), servers[0], None, clock=CLOCK)
        return [each for each in found if "otelcol_" in each]

    wait_for(lambda: not silent(), what="\n".join(silent()))


def test_a_trace_that_nobody_has_shows_no_lines(servers: tuple[str, str]) -> None:
    board = next(each for each in committed() if each["uid"] == "sightline-logs")
    found = unanswered([board], *servers, clock=CLOCK, variables={"trace_id": "0" * 32})
    assert any("/ Lines /" in each and "no data" in each for each in found)
