"""The dashboards as committed: what the code makes, readable, asking for what there is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from alerting import promtool
from dashboard_queries import committed, filled, panels, used
from grafana import write
from promql import metrics_in
from series import families, registries

UIDS = {
    "sightline-fleet",
    "sightline-slo",
    "sightline-detection",
    "sightline-gateway",
    "sightline-sink",
    "sightline-model",
    "sightline-colours",
    "sightline-logs",
    "sightline-database",
}
OTHERS = ("argocd_", "kube_", "otelcol_", "loki_", "go_", "prometheus_", "alertmanager_", "node_")
"""What other makers' programs tell."""
OF_PROMETHEUS = {"up", "ALERTS", "ALERTS_FOR_STATE"}

LIMITED = {
    "sightline_gateway_ce90_meters_bucket": (30, 100),
    "sightline_gateway_sink_lag_seconds": (),
    "sightline_gateway_sink_lag_events": (),
    "sightline_gateway_sink_connected": (1,),
    "sightline_gateway_dead_letters": (1,),
    "sightline_gateway_delivery_missing_events": (1,),
    "sightline_gateway_store_up": (1,),
    "sightline_gateway_disk_free_bytes": (),
    "sightline_gateway_sink_certificate_expiry_timestamp_seconds": (),
    "sightline_gateway_commit_duration_seconds_bucket": (),
    "sightline_gateway_frame_to_cot_duration_seconds_bucket": (),
    "sightline_gateway_intake_waiting_frames": (),
    "sightline_backup_last_success_timestamp_seconds": (),
    "sightline_backup_last_verified_timestamp_seconds": (),
    "sightline_detection_queue_limit": (),
}
"""What has a limit: panels about it show one, and these where there are fixed ones."""
LIMITLESS = {
    ("sightline-sink", "From commit to acknowledgement"),
    ("sightline-gateway", "Green, yellow, red"),
}
"""Panels that draw the limit another way."""

FOLLOWED = ("http_request_duration", "image_duration", "stage_duration", "tensor_duration")
"""Histograms whose observations carry a trace."""

WORDS_ONLY = {"text", "logs", "table"}
BUILT_IN = {"__range", "__range_s", "__interval", "__rate_interval", "__url_time_range"}
_TO = re.compile(r"/d/(?P<uid>[a-z0-9-]+)")

BOARDS = {each["uid"]: each for each in committed()}
PANELS = [
    pytest.param(board, panel, id=f"{board['uid']}-{panel['title']}")
    for board in BOARDS.values()
    for panel in panels(board)
]


def steps(panel: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    )
    return found


def test_the_committed_boards_are_the_generated_ones() -> None:
    wanted = write.documents()
    there = {path: path.read_text(encoding="utf-8") for path in write.GENERATED.rglob("*.json")}
    assert there.keys() == wanted.keys(), "run `make dashboards` and commit"
    stale = [path.name for path, text in wanted.items() if there[path] != text]
    assert not stale, "run `make dashboards` and commit"


def test_every_board_that_others_link_to_is_there_once() -> None:
    assert BOARDS.keys() >= UIDS
    titles = Counter(each["title"] for each in committed())
    assert max(titles.values()) == 1, "Grafana wants a title once in a folder"
    assert len(committed()) == len(BOARDS)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_a_board_says_what_it_answers_and_fits_together(board: dict[str, Any]) -> None:
    assert len(board["description"]) > 20
    assert board["tags"]
    assert not board["editable"], "changes belong into the code"
    numbers = Counter(each["id"] for each in board["panels"])
    assert max(numbers.values()) == 1
    titles = Counter((row, each["title"]) for row, each in in_rows(board))
    assert max(titles.values()) == 1, "a title once in a row"
    boxes = [each["gridPos"] for each in board["panels"]]
    for box in boxes:
        assert box["x"] + box["w"] <= 24, box
    for one, other in combinations(boxes, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def in_rows(board: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    row = ""
    for each in board["panels"]:
        if each["type"] == "row":
            row = each["title"]
        else:
            yield row, each


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_panel_explains_itself(board: dict[str, Any], panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 15
    assert panel["description"].rstrip().endswith("."), "a sentence"
    assert panel["datasource"]["uid"] in ("${prometheus}", "${loki}")
    targets = panel.get("targets", [])
    assert targets or panel["type"] == "text"
    names = [each["refId"] for each in targets]
    assert len(names) == len(set(names))
    for each in targets:
        assert each["datasource"]["uid"] in ("${prometheus}", "${loki}")
        assert each["legendFormat"]
    if panel["type"] not in WORDS_ONLY:
        assert panel["fieldConfig"]["defaults"]["unit"]
    if panel["type"] == "timeseries":
        assert panel["options"]["legend"]["showLegend"]


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_what_has_a_limit_shows_it(board: dict[str, Any], panel: dict[str, Any]) -> None:
    values = [each["value"] for each in steps(panel)]
    assert values == sorted(values, key=lambda value: float("-inf") if value is None else value)
    if (board["uid"], panel["title"]) in LIMITLESS or panel["type"] == "bargauge":
        return
    if board["uid"].startswith("runbook-"):
        return  # whose limit is the alert's own
    for each in panel.get("targets", []):
        if each["datasource"]["type"] != "prometheus":
            continue
        for metric in metrics_in(each["expr"]) & LIMITED.keys():
            assert len(values) > 1, f"{metric} has a limit"
            assert set(LIMITED[metric]) <= set(values), f"{metric} has these limits"


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_latency_leads_to_single_requests(board: dict[str, Any], panel: dict[str, Any]) -> None:
    for each in panel.get("targets", []):
        followed = any(name in each["expr"] for name in FOLLOWED) and "_bucket" in each["expr"]
        if followed and board["uid"] != "sightline-slo" and "runbook" not in board["uid"]:
            assert each["exemplar"], each["expr"]


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_variables_are_declared_and_used(board: dict[str, Any]) -> None:
    declared = {each["name"] for each in board["templating"]["list"]}
    asked = [target["expr"] for panel in panels(board) for target in panel.get("targets", [])]
    asked += [
        str(each.get("query", ""))
        for each in board["templating"]["list"]
        if each["type"] == "query"
    ]
    in_queries = set().union(*map(used, asked)) - BUILT_IN
    assert in_queries <= declared, f"{board['uid']} uses what it does not have"
    assert declared - {"prometheus"} <= in_queries | {"loki"}, f"{board['uid']} asks for nothing"


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_links_lead_somewhere(board: dict[str, Any]) -> None:
    for found in _TO.finditer(str([board["panels"], board["links"]])):
        assert found["uid"] in BOARDS, found["uid"]


def of_our_services() -> set[str]:
    """The names of series that the services' own code has."""
    found: set[str] = set()
    for registry in registries().values():
        for family in families(registry):
            suffixes = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
            found |= {family.name + suffix for suffix in suffixes}
    return found


def recorded() -> set[str]:
    """The names that the rules record."""
    return {each["record"] for each in write.rules() if "record" in each}


def test_every_metric_that_is_asked_for_exists() -> None:
    known = of_our_services() | recorded() | OF_PROMETHEUS
    assert "sightline_http_requests_total" in known
    unknown = {
        (board["uid"], metric)
        for board in BOARDS.values()
        for query in prometheus_queries(board)
        for metric in metrics_in(query)
        if metric not in known and not metric.startswith(OTHERS)
    }
    assert not unknown


def prometheus_queries(board: dict[str, Any]) -> list[str]:
    asked = [
        each["expr"]
        for panel in panels(board)
        for each in panel.get("targets", [])
        if each["datasource"]["type"] == "prometheus"
    ]
    return asked + [each["expr"] for each in board["annotations"]["list"]]


def test_every_query_is_promql(tmp_path: Path) -> None:
    chosen = {
        "__range": "1h",
        "__range_s": "3600",
        "__interval": "15s",
        "__rate_interval": "1m",
        **{each["name"]: ".*" for board in BOARDS.values() for each in board["templating"]["list"]},
    }
    queries = [
        filled(query, chosen) for board in BOARDS.values() for query in prometheus_queries(board)
    ]
    rules = "".join(
        f"  - record: query:{number}\n    expr: |\n      {' '.join(query.split())}\n"
        for number, query in enumerate(queries)
    )
    path = tmp_path / "queries.yaml"
    path.write_text(f"groups:\n- name: queries\n  rules:\n{rules}")
    done = promtool("check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(queries)} rules" in done.stdout
