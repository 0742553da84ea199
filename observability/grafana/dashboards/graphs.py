"""Panels that draw: lines, bands, heat, bars and large numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.dashboards.panel import Panel, asked_of_loki


@dataclass(frozen=True, kw_only=True)
class Chart(Panel):
    """Lines over time."""

    stacked: bool = False
    top: float | None = None
    bottom: float | None = 0

    def builder(self) -> Any:
        """Lines, with the limits dashed across them."""
        made = (
            timeseries.Panel()
            .line_width(1)
            .fill_opacity(10)
            .show_points(kinds.VisibilityMode.NEVER)
            .legend(legend())
            .tooltip(
                common.VizTooltipOptions()
                .mode(kinds.TooltipDisplayMode.MULTI)
                .sort(kinds.SortOrder.DESCENDING)
            )
        )
        if self.bottom is not None:
            made.min(self.bottom)
        if self.top is not None:
            made.max(self.top)
        if self.stacked:
            made.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL))
        if self.limits:
            made.thresholds_style(
                common.GraphThresholdsStyleConfig().mode(kinds.GraphTresholdsStyleMode.DASHED)
            )
        return made


@dataclass(frozen=True, kw_only=True)
class LogChart(Chart):
    """Lines over time, counted from log lines."""

    source: ClassVar[str] = "loki"

    def target(self, name: str, legend: str, query: str) -> Any:
        """LogQL over the time shown."""
        return asked_of_loki(name, query).legend_format(legend)


@dataclass(frozen=True, kw_only=True)
class States(Panel):
    """What was up when: a band for each series."""

    width: int = 12

    def builder(self) -> Any:
        """Bands, coloured by the limits."""
        return (
            statetimeline.Panel()
            .show_value(kinds.VisibilityMode.NEVER)
            .merge_values(True)
            .legend(legend())
        )


@dataclass(frozen=True, kw_only=True)
class Spread(Panel):
    """A histogram's buckets over time, as heat."""

    width: int = 12

    def builder(self) -> Any:
        """Heat by bucket."""
        return (
            heatmap.Panel()
            .calculate(False)
            .y_axis(heatmap.YAxisConfig().unit(self.unit))
            .color(
                heatmap.HeatmapColorOptions()
                .mode(heat.HeatmapColorMode.SCHEME)
                .scheme("Oranges")
                .steps(64)
            )
            .show_legend()
            .show_tooltip()
        )

    def target(self, name: str, legend: str, query: str) -> Any:
        """Prometheus' buckets, as Grafana takes them."""
        return super().target(name, legend, query).format(PromQueryFormat.HEATMAP)


@dataclass(frozen=True, kw_only=True)
class Number(Panel):
    """The latest values, large, coloured by their limits."""

    width: int = 4
    height: int = 4
    instant: ClassVar[bool] = True

    def builder(self) -> Any:
        """A number each."""
        return (
            stat.Panel()
            .color_mode(
                kinds.BigValueColorMode.VALUE if self.limits else kinds.BigValueColorMode.NONE
            )
            .graph_mode(kinds.BigValueGraphMode.NONE)
            .text_mode(
                kinds.BigValueTextMode.VALUE
                if len(self.lines) == 1 and "{{" not in next(iter(self.lines))
                else kinds.BigValueTextMode.VALUE_AND_NAME
            )
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        )


@dataclass(frozen=True, kw_only=True)
class Bars(Panel):
    """The latest values side by side, longest for most."""

    width: int = 12
    instant: ClassVar[bool] = True

    def builder(self) -> Any:
        """A bar each, lying down: their names are long."""
        return (
            bargauge.Panel()
            .orientation(kinds.VizOrientation.HORIZONTAL)
            .display_mode(kinds.BarGaugeDisplayMode.BASIC)
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
            .min(0)
        )


def legend() -> common.VizLegendOptions:
    """The names of the lines, below them."""
    return (
        common.VizLegendOptions()
        .display_mode(kinds.LegendDisplayMode.LIST)
        .placement(kinds.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
