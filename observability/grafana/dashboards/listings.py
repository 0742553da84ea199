"""Panels that are read: tables, log lines, pages of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from grafana_foundation_sdk.builders import logs, table, text
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from grafana.dashboards.panel import Panel, asked_of_loki


@dataclass(frozen=True, kw_only=True)
class Rows(Panel):
    """A table of the latest series: a column for each label."""

    width: int = 12
    instant: ClassVar[bool] = True
    hidden: tuple[str, ...] = ("Time", "__name__")

    def builder(self) -> Any:
        """A table without what nobody reads."""
        return (
            table.Panel()
            .show_header(True)
            .with_transformation(
                model.DataTransformerConfig(
                    id_val="organize",
                    options={"excludeByName": dict.fromkeys(self.hidden, True)},
                )
            )
        )

    def target(self, name: str, legend: str, query: str) -> Any:
        """As a table: every label is a column."""
        return super().target(name, legend, query).format(PromQueryFormat.TABLE)


@dataclass(frozen=True, kw_only=True)
class LogLines(Panel):
    """Log lines themselves."""

    width: int = 24
    height: int = 16
    source: ClassVar[str] = "loki"

    def builder(self) -> Any:
        """Newest first, each with what belongs to it."""
        return (
            logs.Panel()
            .show_time(True)
            .wrap_log_message(True)
            .prettify_log_message(False)
            .enable_log_details(True)
            .sort_order(kinds.LogsSortOrder.DESCENDING)
            .dedup_strategy(kinds.LogsDedupStrategy.NONE)
        )

    def target(self, name: str, legend: str, query: str) -> Any:
        """LogQL; the legend is for those who read this."""
        return asked_of_loki(name, query).legend_format(legend).max_lines(1000)


@dataclass(frozen=True, kw_only=True)
class Page(Panel):
    """Text, as Markdown."""

    markdown: str
    width: int = 24

    def builder(self) -> Any:
        """The text."""
        return text.Panel().mode(TextMode.MARKDOWN).content(self.markdown)
