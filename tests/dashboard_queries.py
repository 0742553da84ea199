"""Asks the servers what every panel of every dashboard asks, as Grafana would.

`unanswered` is for whoever has a Prometheus (and a Loki) that watches running services: it fills
the variables, runs each panel's queries, and names those that fail or that have nothing to show.
"""

from __future__ import annotations

import functools
import json
import math
import re
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grafana.dashboards.catalogue import boards
from grafana.write import GENERATED
from running import http

Document = Mapping[str, Any]

_VARIABLE = re.compile(r"\$(?:\{([a-zA-Z_]\w*)(?::[^}]*)?\}|([a-zA-Z_]\w*))")
_LABEL_VALUES = re.compile(r"label_values\((?P<series>.+),\s*(?P<label>\w+)\)$")


@dataclass(frozen=True, kw_only=True)
class Clock:
    """What Grafana knows of time: how long is shown, how far apart points are."""

    range_seconds: int = 120
    step_seconds: int = 5
    rate_seconds: int = 20
    """At least four scrapes."""

    @property
    def values(self) -> dict[str, str]:
        """By the names that Grafana has for them."""
        return {
            "__range": f"{self.range_seconds}s",
            "__range_s": str(self.range_seconds),
            "__interval": f"{self.step_seconds}s",
            "__rate_interval": f"{self.rate_seconds}s",
        }


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One query of a panel, its variables filled in."""

    board: str
    panel: str
    legend: str
    query: str
    source: str
    instant: bool = False
    absent: str | None = None

    def __str__(self) -> str:
        return f"{self.board} / {self.panel} / {self.legend}: {self.query}"


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where to ask."""

    prometheus: str
    loki: str | None
    clock: Clock = field(default_factory=Clock)

    def ask(self, asked: Asked) -> str | None:
        """What is wrong with the answer; None where there is data, or may be none."""
        if asked.source == "loki" and self.loki is None:
            return None
        now = time.time()
        base = self.prometheus if asked.source == "prometheus" else f"{self.loki}/loki"
        spread = {
            "start": now - self.clock.range_seconds,
            "end": now,
            "step": self.clock.step_seconds,
        }
        path, when = ("query", {"time": now}) if asked.instant else ("query_range", spread)
        named = {key: f"{value:.3f}" for key, value in when.items()}
        if asked.source == "loki":
            named = {key: str(int(float(value) * 1e9)) if key != "step" else value
                     for key, value in named.items()}  # fmt: skip
        answer = http(
            f"{base}/api/v1/{path}?{urllib.parse.urlencode({'query': asked.query} | named)}"
        )
        if answer.status != 200:
            return f"{asked} → {answer.status} {answer.body.decode(errors='replace')[:300]}"
        if has_data(answer.json["data"]["result"]) or asked.absent is not None:
            return None
        return f"{asked} → no data"

    def values_of(self, series: str, label: str) -> list[str]:
        """Of a variable, as Grafana asks for them."""
        query = urllib.parse.urlencode({"match[]": series})
        found: list[str] = http(f"{self.prometheus}/api/v1/label/{label}/values?{query}").json[
            "data"
        ]
        return found


def unanswered(
    dashboards: Iterable[Document],
    prometheus_url: str,
    loki_url: str | None,
    *,
    variables: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    without: Sequence[str] = (),
) -> list[str]:
    """What no panel could show: a line each. Without a Loki, its panels are not asked.

    `variables` are chosen values by name; what is not chosen is all. Metrics that begin like one of
    `without` are of programs that do not run: queries about them need only be valid.
    """
    servers = Servers(prometheus=prometheus_url, loki=loki_url, clock=clock or Clock())
    troubles = []
    for each in dashboards:
        chosen = {**defaults(each), **servers.clock.values, **(variables or {})}
        troubles += [
            trouble
            for asked in questions(each, chosen, without)
            if (trouble := servers.ask(asked)) is not None
        ]
        troubles += [
            f"{each['uid']} / ${name}: no values of {series}"
            for name, series, label in _choices(each)
            if not servers.values_of(filled(series, chosen), label)
        ]
    return troubles


def committed(folder: Path = GENERATED) -> list[dict[str, Any]]:
    """The dashboards as Grafana loads them."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.json"))]


def questions(
    dashboard: Document, chosen: Mapping[str, str], without: Sequence[str] = ()
) -> Iterator[Asked]:
    """Every query of every panel and every annotation."""
    absences = _absences(dashboard["uid"])
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            legend = target.get("legendFormat", "")
            yield Asked(
                board=dashboard["uid"],
                panel=panel["title"],
                legend=legend,
                query=filled(target["expr"], chosen),
                source=target["datasource"]["type"],
                instant=bool(target.get("instant")),
                absent=absences.get((panel["id"], legend)) or _missing(target["expr"], without),
            )
    for each in dashboard["annotations"]["list"]:
        yield Asked(
            board=dashboard["uid"],
            panel="annotations",
            legend=each["name"],
            query=filled(each["expr"], chosen),
            source=each["datasource"]["type"],
            absent="nothing was released",
        )


def panels(dashboard: Document) -> Iterator[Document]:
    """All panels, of collapsed rows too; no rows."""
    for each in dashboard["panels"]:
        if each["type"] == "row":
            yield from each.get("panels", ())
        else:
            yield each


def filled(query: str, chosen: Mapping[str, str]) -> str:
    """The query with its variables' values; an unknown variable is an error."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in chosen:
            raise KeyError(f"${name} in {query}")
        return chosen[name]

    return _VARIABLE.sub(value, query)


def used(query: str) -> set[str]:
    """The names of the variables in a query."""
    return {one or other for one, other in _VARIABLE.findall(query)}


def has_data(result: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there is a number to draw, or a line to read."""
    return any(
        not _is_nan(value)
        for series in result
        for _, value in series.get("values", [series["value"]] if "value" in series else [])
    )


def _is_nan(value: str) -> bool:
    try:
        return math.isnan(float(value))
    except ValueError:
        return False  # a log line


def defaults(dashboard: Document) -> dict[str, str]:
    """What its variables are until somebody chooses: all."""
    found = {}
    for each in dashboard["templating"]["list"]:
        if each["type"] == "textbox":
            found[each["name"]] = str(each.get("query", ""))
        elif each["type"] in ("query", "custom"):
            found[each["name"]] = each["allValue"]
    return found


def _choices(dashboard: Document) -> Iterator[tuple[str, str, str]]:
    for each in dashboard["templating"]["list"]:
        if each["type"] == "query" and (asked := _LABEL_VALUES.match(each["query"])):
            yield each["name"], asked["series"], asked["label"]


def _missing(query: str, without: Sequence[str]) -> str | None:
    found = [each for each in without if re.search(rf"\b{each}", query)]
    return f"nobody tells of {', '.join(found)}" if found else None


@functools.cache
def _all_absences() -> Mapping[str, Mapping[tuple[int, str], str]]:
    return {each.uid: each.absences() for each in boards()}


def _absences(uid: str) -> Mapping[tuple[int, str], str]:
    return _all_absences().get(uid, {})
