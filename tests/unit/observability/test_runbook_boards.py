"""A page for each runbook: its text, and the alert's own expression with its limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from grafana.dashboards.comparison import split
from grafana.dashboards.panel import GREEN, RED
from grafana.dashboards.runbooks import boards, kebab, local

RULES = """
groups:
- name: delivery
  rules:
  - record: sink:lag:max
    expr: max by (sink) (lag_seconds)
  - alert: SightlineSinkLagging
    expr: sink:lag:max > 120
    for: 5m
    labels: {severity: page, group: delivery}
    annotations:
      summary: "Sink {{ $labels.sink }} lags"
      dashboard_url: "{{ $externalLabels.grafana }}/d/sightline-sink?var-sink={{ $labels.sink }}"
  - alert: SightlineUnwritten
    expr: up == 0
    labels: {severity: ticket, group: platform}
"""


@pytest.mark.parametrize(
    ("name", "kebabbed"),
    [
        ("SinkDisconnected", "sink-disconnected"),
        ("RPOMissed", "rpo-missed"),
        ("LatencyP99High", "latency-p99-high"),
        ("Watchdog", "watchdog"),
        ("TAKDown", "tak-down"),
    ],
)
def test_a_name_in_an_address(name: str, kebabbed: str) -> None:
    assert kebab(name) == kebabbed


@pytest.mark.parametrize(
    ("expression", "asked", "limits"),
    [
        ("a > 5", "a", ((None, GREEN), (5, RED))),
        ("sum(rate(a[5m])) >= 0.001", "sum(rate(a[5m]))", ((None, GREEN), (0.001, RED))),
        ("min(free) < 1e9", "min(free)", ((None, RED), (1e9, GREEN))),
        ("up == 0", "up", ((None, GREEN), (0, RED), (1, GREEN))),
        ("burn > (14.4 * 0.001)", "burn", ((None, GREEN), (0.0144, RED))),
        ("a > 5 and b > 1", "a", ((None, GREEN), (5, RED))),
        ("# why\na > 0", "a", ((None, GREEN), (1e-9, RED))),
        (
            "(max by (s) (c) == 0) unless on (s) p",
            "max by (s) (c)",
            ((None, GREEN), (0, RED), (1, GREEN)),
        ),
        ("(\n a > 3\n and b > 1\n) or (c > 2)", "a", ((None, GREEN), (3, RED))),
        ('f{g="a and b"} < 2', 'f{g="a and b"}', ((None, RED), (2, GREEN))),
        ("time() - max(t) > 8 * 86400 or u", "time() - max(t)", ((None, GREEN), (691200, RED))),
        ("a unless b", "a unless b", ()),
        ("absent(a)", "absent(a)", ()),
        ("(a > 1) * 2", "(a > 1) * 2", ()),
        ("a > b", "a > b", ()),
        ("sum(a > 1 or b) > 3", "sum(a > 1 or b)", ((None, GREEN), (3, RED))),
    ],
)
def test_an_expression_and_its_limit(
    expression: str, asked: str, limits: tuple[tuple[float | None, str], ...]
) -> None:
    found, steps = split(expression)
    assert found == asked
    assert [colour for _, colour in steps] == [colour for _, colour in limits]
    assert [value for value, _ in steps] == pytest.approx([value for value, _ in limits])


def test_links_lead_to_pages_or_are_left_as_words() -> None:
    text = local(
        "See [lag](SightlineSinkLagging.md), [it](https://example.org/x), [here](#check),"
        " [the decision](../decisions/0012-when.md)."
    )
    assert "[lag](/d/runbook-sink-lagging)" in text
    assert "[it](https://example.org/x)" in text
    assert "[here](#check)" in text
    assert "the decision (`decisions/0012-when.md`)" in text


def test_the_names_of_other_alerts_lead_to_their_pages_but_in_code() -> None:
    text = local(
        "# SinkLagging\n\nSee SinkLagging, or SightlineDiskFull.\n\n"
        "```sh\namtool SinkLagging\n```\n"
        "`SinkLagging` and SinkLaggingNot.\n",
        {"SightlineSinkLagging", "SightlineDiskFull", "README"},
    )
    assert text == (
        "# SinkLagging\n\nSee [SinkLagging](/d/runbook-sink-lagging), or"
        " [SightlineDiskFull](/d/runbook-disk-full).\n\n```sh\namtool SinkLagging\n```\n"
        "`SinkLagging` and SinkLaggingNot.\n"
    )


def test_an_alert_with_a_runbook_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/delivery.yaml").write_text(RULES)
    (tmp_path / "SightlineSinkLagging.md").write_text("# Lagging\n\nAsk the sink.\n")
    (tmp_path / "README.md").write_text("# Runbooks\n")
    index, board = boards(tmp_path / "rules", tmp_path)
    assert index.uid == "runbook-index"
    assert board.uid == "runbook-sink-lagging"
    document = board.document()
    graph, _, text = document["panels"]
    assert graph["targets"][0]["expr"] == "sink:lag:max"
    assert [each["value"] for each in graph["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [
        None, 120.0,
    ]  # fmt: skip
    assert text["options"]["content"] == "# Lagging\n\nAsk the sink.\n"
    assert [each["url"] for each in document["links"][:2]] == [
        "/d/sightline-sink",
        "/d/runbook-index",
    ]
    assert "Sink <sink> lags" in document["description"]
