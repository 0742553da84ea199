"""Every alert of every rule file reaches the receiver that its severity says, and has a page."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from alertmanager.configuration import BASE, read
from dashboard_queries import committed
from grafana.dashboards.runbooks import RUNBOOKS, kebab, rules
from notifying import program

RECEIVERS = {"page": "page", "ticket": "ticket", "info": "chat"}
GROUPS = {
    "service-level", "detection", "delivery", "database", "release", "backup", "platform",
}  # fmt: skip
WATCHDOG = "SightlineWatchdog"
EXTERNAL = "{{ $externalLabels.grafana }}/d/"

ALERTS = [each for each in rules() if "alert" in each]
BOARDS = {each["uid"] for each in committed()}
_NAMED = re.compile(r'^alertname\s*(?:=~|!~|!=|=)\s*"(?P<names>.*)"$')

every = pytest.mark.parametrize(
    "rule", ALERTS, ids=[f"{each['alert']}-{each['labels']['severity']}" for each in ALERTS]
)


def routed(**labels: str) -> str:
    """The receivers that amtool finds, with commas between."""
    done = subprocess.run(
        [
            *(program("amtool"), "config", "routes", "test", f"--config.file={BASE}"),
            *(f"{name}={value}" for name, value in labels.items()),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_there_are_alerts_in_every_group() -> None:
    assert {each["labels"]["group"] for each in ALERTS} == GROUPS
    assert len({each["alert"] for each in ALERTS}) >= 30


@every
def test_an_alert_reaches_its_receiver(rule: dict[str, Any]) -> None:
    labels = {"alertname": rule["alert"], "environment": "production", **rule["labels"]}
    wanted = "watchdog" if rule["alert"] == WATCHDOG else RECEIVERS[rule["labels"]["severity"]]
    assert routed(**labels) == wanted


@every
def test_a_drill_of_it_reaches_nobody(rule: dict[str, Any]) -> None:
    assert routed(alertname=rule["alert"], drill="true", **rule["labels"]) == "nobody"


@every
def test_it_has_a_runbook_and_a_board_in_grafana(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    name = rule["alert"].removeprefix("Sightline")
    assert (RUNBOOKS / f"{rule['alert']}.md").exists()
    assert notes["runbook_url"] == f"{EXTERNAL}runbook-{kebab(name)}"
    assert f"runbook-{kebab(name)}" in BOARDS, "run `make dashboards`"
    assert notes["dashboard_url"].startswith(EXTERNAL)
    assert re.split(r"[?{]", notes["dashboard_url"].removeprefix(EXTERNAL))[0] in BOARDS


def test_somebody_elses_alert_is_a_ticket() -> None:
    assert routed(alertname="KubePodCrashLooping", severity="warning") == "ticket"
    assert routed(alertname="Unlabelled") == "ticket"


def alternatives(pattern: str) -> list[str]:
    """x(1|2)y|z is x1y, x2y and z."""
    found = []
    for each in re.findall(r"(?:[^|()]|\([^()]*\))+", pattern):
        head, _, rest = each.partition("(")
        inner, _, tail = rest.partition(")")
        found += [head + one + tail for one in inner.split("|")]
    return found


def test_inhibition_names_alerts_that_there_are() -> None:
    there = {each["alert"] for each in ALERTS}
    for rule in read(BASE)["inhibit_rules"]:
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]:
            if named := _NAMED.match(matcher):
                for pattern in alternatives(named["names"]):
                    assert any(re.fullmatch(pattern, each) for each in there), pattern


def test_a_drill_and_another_environment_silence_nothing() -> None:
    for rule in read(BASE)["inhibit_rules"]:
        assert 'drill!="true"' in rule["source_matchers"]
        assert "environment" in rule["equal"]
