"""A real Prometheus with the committed configuration and rules, on a real gateway.

What a runbook says to ask is asked here: each query, and each call of the gateway.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerting import ROOT, RUNBOOKS, WATCHDOG, alerts
from running import Gateway, Process, Taky, free_port, http, report, required, started, wait_for

CONFIGURATION = ROOT / "observability/prometheus/prometheus.yaml"
PAGES = sorted(RUNBOOKS.glob("Sightline*.md"))


@dataclass
class Running:
    gateway: Gateway
    prometheus: str

    def api(self, path: str) -> Any:
        answer = http(f"{self.prometheus}/api/v1/{path}")
        assert answer.status == 200, answer.body
        return answer.json["data"]

    def query(self, expression: str) -> list[Any]:
        found = self.api("query?" + urllib.parse.urlencode({"query": expression}))
        result: list[Any] = found["result"]
        return result


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if shutil.which("prometheus") is None:
        required("prometheus is not installed: apt-get install prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        started(Taky(folder)) as taky,
        started(Gateway(folder, sink=taky.url, colour="blue", version="1.2.3")) as gateway,
    ):
        port = free_port()
        configuration = yaml.safe_load(CONFIGURATION.read_text())
        addresses = {"gateway:8001": gateway.port, "prometheus:9090": port}
        configuration["rule_files"] = [str(ROOT / "observability/prometheus/rules/*.yaml")]
        configuration["global"]["scrape_interval"] = "1s"
        configuration["global"]["scrape_timeout"] = "1s"
        configuration["global"]["evaluation_interval"] = "1s"
        for job in configuration["scrape_configs"]:
            (target,) = job["static_configs"][0]["targets"]
            where = f"127.0.0.1:{addresses.get(target, free_port())}"
            job["static_configs"][0]["targets"] = [where]
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
        process = Process(
            command=[
                "prometheus",
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--enable-feature=expand-external-labels,exemplar-storage",
            ],
            log=folder / "prometheus.log",
            env={"SIGHTLINE_ENVIRONMENT": "test", "SIGHTLINE_GRAFANA_URL": "http://grafana:3000"},
        )
        with started(process):
            both = Running(gateway=gateway, prometheus=f"http://127.0.0.1:{port}")
            trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            for number in range(5):
                assert gateway.post(report(str(number)), traceparent=trace).status == 201
            wait_for(
                lambda: process.popen.poll() is None and _scraped(both),
                what=f"what is scraped; {process.output}",
            )
            yield both


def _scraped(both: Running) -> bool:
    try:
        return bool(both.query("sightline_gateway_events_acknowledged_total > 0"))
    except (OSError, AssertionError):
        return False


def test_every_rule_is_loaded_and_evaluated_without_an_error(running: Running) -> None:
    def evaluated() -> bool:
        rules = [rule for group in running.api("rules")["groups"] for rule in group["rules"]]
        assert not [rule for rule in rules if rule["health"] == "err"]
        return all(
            rule["health"] == "ok"
            for group in running.api("rules")["groups"]
            # A group begins at a moment of its own within its interval.
            if group["interval"] <= 1
            for rule in group["rules"]
        )

    wait_for(evaluated, what="an evaluation of every rule")
    names = {
        rule["name"]
        for group in running.api("rules")["groups"]
        for rule in group["rules"]
        if rule["type"] == "alerting"
    }
    assert names == {each.name for each in alerts()}


def test_links_lead_to_the_grafana_of_the_environment(running: Running) -> None:
    def fired() -> Any:
        found = running.api("alerts")["alerts"]
        return [each for each in found if each["labels"]["alertname"] == WATCHDOG]

    (watchdog,) = wait_for(fired, what="the watchdog")
    assert watchdog["annotations"]["runbook_url"] == "http://grafana:3000/d/runbook-watchdog"
    assert watchdog["annotations"]["dashboard_url"] == "http://grafana:3000/d/sightline-fleet"


def test_nothing_is_wrong_with_a_gateway_that_delivers(running: Running) -> None:
    """What is not a number (no certificate, no limit, a database's disk) alarms nobody."""
    wait_for(lambda: running.query("ALERTS"), what="an evaluation")
    found = {each["labels"]["alertname"] for each in running.api("alerts")["alerts"]}
    # There is no backup yet, which is told a day later, and the rest of the stack is not here.
    assert found <= {WATCHDOG, "SightlineBackupMissing", "SightlineTargetDown",
                     "SightlineServiceNotReady"}  # fmt: skip
    firing = running.query('ALERTS{alertstate="firing"}')
    assert {each["metric"]["alertname"] for each in firing} <= {WATCHDOG}
    (backup,) = running.query("sightline_backup_last_success_timestamp_seconds")
    assert backup["value"][1] == "NaN"


def test_a_slow_frame_in_a_chart_leads_to_its_trace(running: Running) -> None:
    query = urllib.parse.urlencode(
        {
            "query": "sightline_http_request_duration_seconds_bucket",
            "start": "0",
            "end": "9999999999",
        }
    )
    found = running.api(f"query_exemplars?{query}")
    traces = {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}
    assert "0af7651916cd43dd8448eb211c80319c" in traces


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_runbook_asks_can_be_asked(page: Path, running: Running) -> None:
    text = page.read_text(encoding="utf-8")
    queries = re.findall(r"^query '(.*)'$", text, re.MULTILINE)
    for query in queries:
        running.query(query)
    calls = re.findall(r'^ask "\$GATEWAY(/.*)"$', text, re.MULTILINE)
    for call in calls:
        assert http(f"{running.gateway.url}{call}").status == 200, call
    assert queries or calls or "kubectl" in text


def test_the_functions_of_the_list_work(running: Running, tmp_path: Path) -> None:
    text = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    (functions, *_) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    functions = functions.replace("http://127.0.0.1:8001", running.gateway.url)
    functions = functions.replace("http://127.0.0.1:9090", running.prometheus)
    script = functions + "ask \"$GATEWAY/v1/sinks\"; query 'count(up)'\n"
    key = tmp_path / "key"
    key.write_text("secret")
    for env in ({}, {"SIGHTLINE_KEY_FILE": str(key)}):
        done = subprocess.run(
            ["bash", "-euc", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", **env},
        )
        first, _, rest = done.stdout.partition("\n")
        assert json.loads(rest)["status"] == "success"
        if not env:
            assert json.loads(first)["sinks"][0]["name"] == "tak"
