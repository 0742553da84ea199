"""Every panel's query, asked of a real Prometheus that watches the running demo.

Grafana itself cannot be had on the build machines: what it would ask is asked here instead. The
same questions go to the compose stack, where Loki is, too.
"""

from __future__ import annotations

import re
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard_queries import Clock, committed, questions, unanswered
from notifying import Alertmanager
from running import Process, http, started, wait_for
from scraping import Prometheus

WATCHED_SECONDS = 25.0
"""How long data may take to be there: rates need a few scrapes."""

CLOCK = Clock(range_seconds=60, step_seconds=5, rate_seconds=15)

NOT_HERE = ("otelcol_",)
"""Whose metrics are asked for in test_dashboard_logs."""

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("demo")
    command = [
        str(Path(sys.executable).with_name("sightline")),
        "demo",
        "--headless",
        "--for",
        "10m",
    ]
    with started(Process(command=command, log=folder / "demo.log", cwd=folder)) as demo:

        def told() -> dict[str, str]:
            assert demo.popen.poll() is None, demo.output
            return dict(re.findall(r"(\w+) is ready on port (\d+)", demo.output))

        wait_for(lambda: {"cop_gateway", "detection"} <= told().keys(), seconds=90, what="the demo")
        yield told()


@pytest.fixture(scope="module")
def prometheus(
    ports: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    jobs = {
        "detection": f"127.0.0.1:{ports['detection']}",
        "cop-gateway": f"127.0.0.1:{ports['cop_gateway']}",
    }
    with started(Alertmanager(tmp_path_factory.mktemp("alertmanager"), {})) as alertmanager:
        jobs["alertmanager"] = f"127.0.0.1:{alertmanager.port}"
        with started(Prometheus(tmp_path_factory.mktemp("prometheus"), jobs)) as running:
            yield running


def test_every_panel_has_something_to_show(prometheus: Prometheus) -> None:
    deadline = time.monotonic() + WATCHED_SECONDS
    while troubles := unanswered(committed(), prometheus.url, None, clock=CLOCK, without=NOT_HERE):
        if time.monotonic() > deadline:
            raise AssertionError("\n".join(troubles))
        time.sleep(1)


def test_a_panel_that_asks_for_nothing_is_named(prometheus: Prometheus) -> None:
    board = next(each for each in committed() if each["uid"] == "sightline-gateway")
    panel = next(each for each in board["panels"] if each["title"] == "Frames committed")
    panel["targets"][0]["expr"] = "sightline_no_such_metric"
    panel["targets"].append({**panel["targets"][0], "expr": "rate(", "legendFormat": "broken"})
    found = [
        each
        for each in unanswered([board], prometheus.url, None, clock=CLOCK)
        if "Frames committed" in each
    ]
    assert len(found) == 2
    assert "no data" in found[0]
    assert "→ 400" in found[1]


def test_a_request_can_be_followed_from_a_chart(
    prometheus: Prometheus, ports: dict[str, str]
) -> None:
    """The dots in a latency chart are exemplars: they carry the trace of one request."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    board = next(each for each in committed() if each["uid"] == "sightline-gateway")
    chosen = {"colour": ".*", "version": ".*", **CLOCK.values}
    asked = next(each for each in questions(board, chosen) if "Latency by route" in each.panel)

    def dotted() -> bool:
        http(
            f"http://127.0.0.1:{ports['cop_gateway']}/v1/sinks",
            headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
        )
        now = time.time()
        query = urllib.parse.urlencode({"query": asked.query, "start": now - 60, "end": now + 1})
        answer = http(f"{prometheus.url}/api/v1/query_exemplars?{query}")
        return trace in answer.body.decode()

    wait_for(dotted, what="the exemplar")
