"""Every alert fires on its fault, is silent on the near miss, and says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import objectives
from alerting import RULES, RUNBOOKS, VECTORS, Alert, alerts, promtool, run

ALERTS = alerts()
SEVERITIES = {"page", "ticket", "info"}
GROUPS = {
    "service-level", "detection", "delivery", "database", "release", "backup", "platform",
}  # fmt: skip
DASHBOARDS = {
    f"sightline-{name}"
    for name in (
        "fleet", "slo", "detection", "gateway", "sink", "model", "colours", "logs", "database",
    )
}  # fmt: skip
HOME = "{{ $externalLabels.grafana }}/d/"


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """All at once: promtool takes longer to start than to run one of them."""
    return run(VECTORS, tmp_path_factory.mktemp("promtool"))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_it_fires_on_the_fault_and_not_on_the_near_miss(
    path: Path, together: list[str], tmp_path: Path
) -> None:
    if together:
        assert run([path], tmp_path) == []


def test_every_alert_has_its_file_in_the_folder_of_its_group() -> None:
    found = {(path.parent.name, path.stem) for path in VECTORS}
    assert found == {(each.group, each.name) for each in ALERTS}


def test_there_is_an_alert_for_every_group_and_no_two_are_named_alike() -> None:
    names = [each.name for each in ALERTS]
    assert len(names) == len(set(names)) >= 30
    assert {each.group for each in ALERTS} == GROUPS


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_promtool_has_nothing_against_a_file(path: Path) -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_it_says_whom_it_calls_and_what_there_is_to_see(alert: Alert) -> None:
    assert re.fullmatch(r"Sightline([A-Z][a-z]+)+", alert.name)
    assert set(alert.labels) == {"severity", "group"}
    assert alert.labels["severity"] in SEVERITIES
    if alert.file.startswith("alerts-"):
        assert alert.file == f"alerts-{alert.group}.yaml"
    assert set(alert.annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert len(alert.annotations["summary"]) <= 100
    assert "{{ $value | humanize" in alert.annotations["description"]
    assert alert.annotations["description"].endswith(".")
    assert alert.annotations["runbook_url"] == HOME + objectives.runbook(alert.name)
    uid = alert.annotations["dashboard_url"].removeprefix(HOME).partition("?")[0]
    assert uid in DASHBOARDS


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_only_what_the_kubernetes_tools_tell_is_asked_by_their_labels(alert: Alert) -> None:
    """Compose has no pods: what counts there must be asked by labels that both have."""
    if re.search(r"\b(kube|argocd)_", alert.expr):
        assert alert.group == "release"
    else:
        assert not re.search(r"\b(pod|namespace|container|node)\b", alert.expr)


def test_runbooks_and_alerts_are_one_to_one() -> None:
    books = {path.stem for path in RUNBOOKS.glob("Sightline*.md")}
    assert books == {each.name for each in ALERTS}
