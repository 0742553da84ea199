"""A dashboard: its variables, its rows of panels, releases across them, the way to the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from grafana.dashboards.panel import Panel, data_source
from grafana.dashboards.variables import ENVIRONMENT, Variable

TAG = "sightline"

RELEASES = {
    "name": "Releases",
    "expr": "count by (job, colour, version) (sightline_build_info)"
    " unless count by (job, colour, version) (sightline_build_info offset 2m)",
    "titleFormat": "{{job}} {{version}} ({{colour}})",
    "textFormat": "This version of this colour was not there two minutes before.",
    "iconColor": "purple",
}
RESTARTS = {
    "name": "Restarts",
    "expr": 'changes(process_start_time_seconds{job=~"detection|cop-gateway"}[2m]) > 0',
    "titleFormat": "{{job}} started anew ({{colour}})",
    "textFormat": "{{instance}}, version {{version}}",
    "iconColor": "orange",
}
"""Written into the JSON as they are: the SDK knows not all of their fields."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A page of Grafana's."""

    uid: str
    title: str
    description: str
    """The question that it answers."""
    rows: Mapping[str, Sequence[Panel]]
    variables: Sequence[Variable] = ()
    tags: Sequence[str] = (TAG,)
    period: str = "now-3h"
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def panels(self) -> list[Panel]:
        """All of them, in the order of their numbers."""
        return [each for row in self.rows.values() for each in row]

    def absences(self) -> dict[tuple[int, str], str]:
        """Which queries may have no data (panel's number and legend), and why."""
        return {
            (number, legend): panel.absent
            for number, panel in enumerate(self.panels, start=1)
            for legend in panel.lines
            if panel.absent is not None and panel.may_be_empty(legend)
        }

    def document(self) -> dict[str, Any]:
        """What Grafana loads."""
        made = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags(list(self.tags))
            .readonly()
            .tooltip(model.DashboardCursorSync.CROSSHAIR)
            .time(self.period, "now")
            .refresh("30s")
            .timezone("browser")
            .variables([each.builder() for each in (ENVIRONMENT, *self.variables)])
        )
        for title, url in self.links.items():
            made.link(
                dashboard.DashboardLink(title)
                .type(model.DashboardLinkType.LINK)
                .url(url)
                .icon("arrow-left")
                .keep_time(True)
                .include_vars(True)
            )
        made.link(
            dashboard.DashboardLink("Boards")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        number = 0
        for row, (title, panels) in enumerate(self.rows.items()):
            if title:
                made.with_row(dashboard.Row(title).id(1000 + row))
            for each in panels:
                number += 1
                made.with_panel(each.build(number))
        document: dict[str, Any] = json.loads(json.dumps(made.build(), cls=JSONEncoder))
        document["annotations"] = {"list": [_annotation(each) for each in (RELEASES, RESTARTS)]}
        return document

    def text(self) -> str:
        """The committed form."""
        return json.dumps(self.document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _annotation(told: Mapping[str, str]) -> dict[str, Any]:
    source = data_source("prometheus").to_json()
    return {
        **told,
        "datasource": source,
        "enable": True,
        "hide": False,
        "step": "60s",
        "tagKeys": "colour,version",
    }
