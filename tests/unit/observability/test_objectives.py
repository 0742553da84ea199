"""The service levels' rules are what slos.toml promises, and their windows add up."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import objectives
from alerting import ROOT, promtool

PROMETHEUS = ROOT / "observability/prometheus"
SLOS = (PROMETHEUS / "slos.toml").read_text(encoding="utf-8")
PERIOD = 30 * 86_400


def test_the_committed_rules_are_the_generated_ones() -> None:
    committed = (PROMETHEUS / "rules/slo.yaml").read_text(encoding="utf-8")
    assert committed == objectives.written(), "run `make rules` and commit"


def test_each_pair_of_windows_spends_a_stated_share_of_the_budget() -> None:
    """Of 30 days: 2 % in an hour and 5 % in six page; 10 % in one day and in three are tickets."""
    _, burns = objectives.read(SLOS)
    spent = [
        (burn.severity, burn.long, round(burn.factor * objectives.seconds(burn.long) / PERIOD, 3))
        for burn in burns
    ]
    assert spent == [
        ("page", "1h", 0.02), ("page", "6h", 0.05), ("ticket", "1d", 0.1), ("ticket", "3d", 0.1),
    ]  # fmt: skip
    for burn in burns:
        # Short enough that an alert ends soon after its cause, and no shorter than a rate can be.
        assert objectives.seconds(burn.long) / objectives.seconds(burn.short) == 12


def test_every_window_is_recorded_for_every_objective() -> None:
    promises, _ = objectives.read(SLOS)
    document = yaml.safe_load(objectives.written())
    recorded = {
        (rule["record"], rule["labels"]["slo"])
        for group in document["groups"]
        for rule in group["rules"]
        if "slo" in rule.get("labels", {})
    }
    for each in promises:
        for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"):
            assert (f"slo:error:ratio_rate{window}", each.name) in recorded
        assert ("slo:error_budget:remaining30d", each.name) in recorded
    assert ("slo:error_budget:remaining30d", "zero-loss") in recorded


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("least_bad = 10\n", ""), TypeError),
        (("least_bad = 10\n", "least_bad = 10\nleastbad = 3\n"), TypeError),
        (("factor = 14.4\n", ""), TypeError),
    ],
)
def test_what_is_forgotten_or_misspelt_is_refused(change, error) -> None:
    assert SLOS.count(change[0]) == 1
    with pytest.raises(error):
        objectives.read(SLOS.replace(*change))


def test_half_the_allowed_errors_leave_half_the_budget(tmp_path: Path) -> None:
    labels = 'job="cop-gateway", instance="a", method="POST", route="/v1/detections"'
    requests = "sightline_http_requests_total"
    document = {
        "rule_files": [str(PROMETHEUS / "rules/slo.yaml")],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f'{requests}{{{labels}, status="201"}}', "values": "0+1999x60"},
                    {"series": f'{requests}{{{labels}, status="503"}}', "values": "0+1x60"},
                    {
                        "series": 'sightline_gateway_delivery_missing_events{sink="tak"}',
                        "values": "0x60",
                    },
                    {
                        "series": 'sightline_gateway_delivery_missing_events{sink="lost"}',
                        "values": "0x20 7x2 0x40",
                    },
                ],
                "promql_expr_test": [
                    {
                        "expr": "round(sum by (slo, sink) (slo:error_budget:remaining30d), 0.01)",
                        "eval_time": "1h",
                        "exp_samples": [
                            {"labels": '{slo="availability"}', "value": 0.5},
                            {"labels": '{slo="zero-loss", sink="tak"}', "value": 1},
                            {"labels": '{slo="zero-loss", sink="lost"}', "value": 0},
                        ],
                    },
                    {
                        "expr": "round(sum(slo:burn_rate:1h), 0.01)",
                        "eval_time": "1h",
                        "exp_samples": [{"labels": "{}", "value": 0.5}],
                    },
                ],
            }
        ],
    }
    file = tmp_path / "budget.yaml"
    file.write_text(yaml.safe_dump(document))
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_its_configuration() -> None:
    done = promtool("check", "config", PROMETHEUS / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
