"""Log lines: of a trace, a camera, a service, and what there are many of."""

from __future__ import annotations

from grafana.dashboards import links
from grafana.dashboards.board import Board
from grafana.dashboards.graphs import LogChart
from grafana.dashboards.listings import LogLines
from grafana.dashboards.variables import CAMERA, COLOUR, LEVEL, LOGS, SEARCH, SERVICE, TRACE

_CHOSEN = (
    '{service_name=~"$service",colour=~"$colour"} |~ "(?i)$search"'
    ' | level=~"$level" | trace_id=~"$trace_id.*" | camera_id=~".*$camera.*"'
)
_LOUD = (
    '{service_name=~"$service",colour=~"$colour"} | level=~"warning|error|critical"'
    ' | trace_id=~"$trace_id.*" | camera_id=~".*$camera.*"'
)

BOARD = Board(
    uid="sightline-logs",
    title="Logs",
    description="What did the services say about this frame, this camera, this minute?",
    variables=(LOGS, SERVICE, COLOUR, LEVEL, TRACE, CAMERA, SEARCH),
    links=links.FLEET,
    period="now-1h",
    rows={
        "How many": (
            LogChart(
                title="Lines by level",
                description="Lines of the choice above, by level.",
                lines={"{{level}}": f"sum by (level) (count_over_time({_CHOSEN} [$__interval]))"},
                stacked=True,
            ),
            LogChart(
                title="Warnings and errors",
                description="Lines at warning and above, by service.",
                lines={
                    "{{service_name}}": "sum by (service_name)"
                    f" (count_over_time({_LOUD} [$__interval]))"
                },
                stacked=True,
                absent="No warnings, no errors.",
            ),
            LogChart(
                title="What is said most",
                description="The ten events that there are most lines of.",
                lines={
                    "{{event}}": f"topk(10, sum by (event) (count_over_time({_CHOSEN}"
                    " [$__interval])))"
                },
                stacked=True,
            ),
        ),
        "Lines": (
            LogLines(
                title="Lines",
                description="Newest first. Open a line for its trace: the link keeps to that one.",
                lines={"lines": _CHOSEN},
            ),
        ),
    },
)
