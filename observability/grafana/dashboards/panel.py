"""A panel as one declaration: what it is called, what it tells, what it asks, where its limits are.

Chart(
    title="Requests",
    description="Answered requests a second, by service.",
    unit="reqps",
    lines={"{{job}}": rate("sightline_http_requests_total", by="job")},
)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from grafana_foundation_sdk.builders import dashboard, loki, prometheus
from grafana_foundation_sdk.models import dashboard as model

GREEN, YELLOW, RED, PLAIN = "green", "yellow", "red", "text"

Limits = tuple[tuple[float | None, str], ...]

_NAMES = "ABCDEFGHIJKLMNOP"


def limits(below: str, *steps: tuple[float, str]) -> Limits:
    """The colour below the first step, and from each step on."""
    return ((None, below), *steps)


@dataclass(frozen=True, kw_only=True)
class Panel(ABC):
    """What all panels have in common. A legend is the name of its query's series."""

    title: str
    description: str
    lines: Mapping[str, str] = field(default_factory=dict)
    """PromQL, or LogQL where the source is Loki, by legend."""
    unit: str = "short"
    limits: Limits = ()
    links: Mapping[str, str] = field(default_factory=dict)
    """From a series to a page about it, by the link's title."""
    width: int = 8
    height: int = 8
    decimals: int | None = None
    absent: str | None = None
    """Why there may be no data; said in the panel then."""
    absent_lines: tuple[str, ...] = ()
    """The legends that this is about, where it is not about all."""
    exemplars: bool = False
    """Mark single requests, with a link to their trace's log lines."""
    source: ClassVar[str] = "prometheus"
    instant: ClassVar[bool] = False

    def may_be_empty(self, legend: str) -> bool:
        """Whether a query without data is as it should be."""
        return self.absent is not None and (not self.absent_lines or legend in self.absent_lines)

    @abstractmethod
    def builder(self) -> Any:
        """The kind of panel, with what is its own."""

    def build(self, number: int) -> Any:
        """The panel for the SDK."""
        made = (
            self.builder()
            .id(number)
            .title(self.title)
            .description(self.description)
            .span(self.width)
            .height(self.height)
            .datasource(data_source(self.source))
        )
        if self.lines:
            made.unit(self.unit)
        if self.decimals is not None:
            made.decimals(self.decimals)
        if self.absent is not None:
            made.no_value(self.absent)
        if self.limits:
            made.thresholds(thresholds(self.limits))
        if self.links:
            made.data_links([link(title, url) for title, url in self.links.items()])
        for name, (legend, query) in zip(_NAMES, self.lines.items(), strict=False):
            made.with_target(self.target(name, legend, query))
        return made

    def target(self, name: str, legend: str, query: str) -> Any:
        """One query."""
        asked = (
            prometheus.Dataquery()
            .ref_id(name)
            .expr(query)
            .legend_format(legend)
            .datasource(data_source(self.source))
        )
        return asked.instant() if self.instant else asked.range().exemplar(self.exemplars)


def data_source(kind: str) -> model.DataSourceRef:
    """The one chosen on the board."""
    return model.DataSourceRef(type_val=kind, uid=f"${{{kind}}}")


def thresholds(steps: Limits) -> dashboard.ThresholdsConfig:
    """Limits in the unit of the panel."""
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=colour) for value, colour in steps])
    )


def link(title: str, url: str) -> dashboard.DashboardLink:
    """A link in the same tab, at the time that is shown."""
    return dashboard.DashboardLink(title).url(url)


def asked_of_loki(name: str, query: str) -> Any:
    """One query in LogQL, over the time shown."""
    return (
        loki.Dataquery()
        .ref_id(name)
        .expr(query)
        .query_type("range")
        .datasource(data_source("loki"))
    )
