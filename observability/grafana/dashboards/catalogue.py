"""All boards there are."""

from __future__ import annotations

from grafana.dashboards import (
    colours,
    database,
    detection,
    fleet,
    gateway,
    logs,
    model,
    runbooks,
    sink,
    slo,
)
from grafana.dashboards.board import Board

SUBJECTS: tuple[Board, ...] = (
    fleet.BOARD,
    slo.BOARD,
    detection.BOARD,
    model.BOARD,
    gateway.BOARD,
    sink.BOARD,
    colours.BOARD,
    database.BOARD,
    logs.BOARD,
)


def boards() -> list[Board]:
    """The subjects, and a page for each runbook."""
    return [*SUBJECTS, *runbooks.boards()]
