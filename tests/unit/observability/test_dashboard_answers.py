"""What panels show of data that is known: series written by hand, and what they must come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alerting import promtool
from alertmanager.configuration import read, written
from dashboard_queries import Clock, committed, questions

VECTORS = sorted((Path(__file__).parents[2] / "vectors/dashboards").glob("*.yaml"))
CLOCK = Clock(range_seconds=3600, step_seconds=60, rate_seconds=300)
BOARDS = {each["uid"]: each for each in committed()}


def query(vector: dict[str, Any]) -> str:
    """What the named panel, or annotation, asks."""
    board = BOARDS[vector["board"]]
    chosen = {each["name"]: ".*" for each in board["templating"]["list"]} | CLOCK.values
    (asked,) = {
        each.query
        for each in questions(board, chosen)
        if each.panel == vector.get("panel", "annotations")
        and each.legend == vector.get("legend", vector.get("annotation"))
    }
    return asked


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_panel_shows_what_is_there(path: Path, tmp_path: Path) -> None:
    vector = read(path)
    asked = query(vector)
    tests = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": vector["series"],
                "promql_expr_test": [
                    {"expr": asked, "eval_time": moment, "exp_samples": samples}
                    for moment, samples in vector["at"].items()
                ],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(written(tests), encoding="utf-8")
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
