"""Rules and dashboards within the chart: a chart reads no file outside its folder."""

from __future__ import annotations

from pathlib import Path

from chart.values import CHART

ROOT = CHART.parents[2]

SOURCES = {
    "rules": sorted((ROOT / "observability/prometheus/rules").glob("*.yaml")),
    "dashboards": sorted((ROOT / "observability/grafana/generated").glob("*/*.json")),
}
"""By the folder in the chart's `files`: what is copied there."""


def copies() -> dict[Path, str]:
    """What the chart's folders hold, by path."""
    return {
        CHART / "files" / folder / source.name: source.read_text(encoding="utf-8")
        for folder, sources in SOURCES.items()
        for source in sources
    }


def strangers() -> list[Path]:
    """Files in those folders that are copies of nothing."""
    there = [path for folder in SOURCES for path in (CHART / "files" / folder).glob("*")]
    return sorted(set(there) - set(copies()))
