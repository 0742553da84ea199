"""The formats in which metrics are told, and which one a scraper prefers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """How metrics are written."""

    content_type: str
    write: Callable[[Collector], bytes]


TEXT = Format(content_type="text/plain; version=0.0.4; charset=utf-8", write=generate_latest)
"""Prometheus' own: what everything reads."""

OPENMETRICS = Format(
    content_type="application/openmetrics-text; version=1.0.0; charset=utf-8",
    write=generate_openmetrics,
)
"""Has exemplars: from a slow request in a chart to its trace."""

_OPENMETRICS_TYPE = "application/openmetrics-text"
_TEXT_RANGES = ("text/plain", "text/*", "*/*")


def preferred(accept: str | None) -> Format:
    """OpenMetrics for whoever names it and likes it no less than text (RFC 9110 § 12.5.1)."""
    openmetrics, text = 0.0, 0.0
    for each in (accept or "").split(","):
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        stated = {
            name.strip(): value.strip(' "')
            for name, _, value in (part.partition("=") for part in parameters)
        }
        quality = _quality(stated.get("q", "1"))
        if kind == _OPENMETRICS_TYPE and stated.get("version", "1.0.0") == "1.0.0":
            openmetrics = max(openmetrics, quality)
        elif kind in _TEXT_RANGES:
            text = max(text, quality)
    return OPENMETRICS if openmetrics > 0.0 and openmetrics >= text else TEXT


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= 1.0 else 0.0
