"""A page for each runbook, to be read where there is no network.

It has the text, the alert's own expression over time, and the limit at which it fires.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from grafana.dashboards.board import Board
from grafana.dashboards.comparison import in_one_line, split
from grafana.dashboards.graphs import Chart
from grafana.dashboards.listings import Page
from grafana.dashboards.panel import GREEN, RED, limits

ROOT = Path(__file__).parents[3]
RULES = ROOT / "observability/prometheus/rules"
RUNBOOKS = ROOT / "docs/runbooks"
PREFIX = "Sightline"
INDEX = "runbook-index"

_LINKS = re.compile(r"\[([^\]]+)\]\((?P<target>[^)\s]+)\)")
_PLACES = re.compile(r"\{\{\s*\$labels\.(\w+)[^}]*\}\}")
_ABSENT = {
    r"\b(argocd|kube)_": "Nothing here tells of this: it is only where Kubernetes is.",
    r"\bsightline_backup_": "No backup has been told of yet.",
    r"\bsightline_gateway_disk_free_bytes": "The store is PostgreSQL's: no gateway sees its disk.",
    r"_certificate_expiry_": "No sink has a certificate.",
    r"\bsightline_memory_limit_": "No process has a limit of memory.",
    r'colour=~"blue\|green"': "Neither blue nor green serves here.",
}
"""Expressions that have nothing to show at some sites, and why."""
_STATES = 'count by (alertstate) (ALERTS{alertname="%s"})'
_KEPT = re.compile(r"(```.*?```|`[^`\n]*`|\[[^\]]+\]\([^)\s]+\)|^#.*?$)", re.DOTALL | re.MULTILINE)
"""What is left as it stands: code, headings; and links, which are looked at by themselves."""
_DASHBOARD = re.compile(r"/d/(?P<uid>[a-z0-9-]+)")


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alert as a rule file has it."""

    name: str
    expression: str
    severity: str
    group: str
    waits: str
    summary: str
    dashboard: str | None
    labels: dict[str, str]

    @property
    def uid(self) -> str:
        """Of its runbook's page: what its `runbook_url` ends with."""
        return "runbook-" + kebab(self.name.removeprefix(PREFIX))


def kebab(name: str) -> str:
    """SinkDisconnected → sink-disconnected; RPOMissed → rpo-missed."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def alerts(folder: Path = RULES) -> list[Alert]:
    """Every alert of every rule file, in order of name; an alert of several rules is the first."""
    found: dict[str, Alert] = {}
    for each in rules(folder):
        if "alert" in each and each["alert"] not in found:
            notes = each.get("annotations", {})
            shown = _DASHBOARD.search(notes.get("dashboard_url", ""))
            found[each["alert"]] = Alert(
                name=each["alert"],
                expression=str(each["expr"]).strip(),
                severity=each.get("labels", {}).get("severity", "none"),
                group=each.get("labels", {}).get("group", "none"),
                waits=str(each.get("for", "0s")),
                summary=notes.get("summary", ""),
                dashboard=shown["uid"] if shown else None,
                labels=dict(each.get("labels", {})),
            )
    return [found[name] for name in sorted(found)]


def boards(rules: Path = RULES, texts: Path = RUNBOOKS) -> list[Board]:
    """A page for every alert that has a runbook, and one about them all."""
    there = {path.stem: path.read_text(encoding="utf-8") for path in texts.glob("*.md")}
    pages = [board(each, there[each.name], there) for each in alerts(rules) if each.name in there]
    return [index(there["README"]), *pages] if "README" in there else pages


def index(text: str) -> Board:
    """How to read runbooks, and which there are."""
    return Board(
        uid=INDEX,
        title="Runbooks",
        description="What the commands in runbooks need, and which runbooks there are.",
        rows={
            "": (
                Page(
                    title="Runbooks",
                    description="The text of docs/runbooks/README.md.",
                    markdown=local(text),
                    height=30,
                ),
            )
        },
        tags=("runbook",),
    )


def board(alert: Alert, text: str, names: Collection[str] = ()) -> Board:
    """The alert's page, with its runbook's text."""
    summary = _PLACES.sub(r"<\1>", alert.summary) or alert.name
    asked, limit = split(alert.expression)
    absent = next(
        (reason for pattern, reason in _ABSENT.items() if re.search(pattern, asked)),
        None if limit else "Nothing meets its expression now.",
    )
    return Board(
        uid=alert.uid,
        title=f"Runbook: {alert.name.removeprefix(PREFIX)}",
        description=f"{summary}: what it means, and what to do.",
        rows={
            "": (
                Chart(
                    title="What it fires on",
                    description=f"What the alert looks at. It fires after {alert.waits}"
                    + (" on the red side of the line." if limit else " of any series here.")
                    + f" In full: {in_one_line(alert.expression)}.",
                    lines={"__auto": asked},
                    limits=limit or limits(RED),
                    absent=absent,
                    bottom=None,
                    width=12,
                ),
                Chart(
                    title="When it waited and fired",
                    description="How many of this alert waited (pending) or fired.",
                    unit="none",
                    lines={"{{alertstate}}": _STATES % alert.name},
                    limits=limits(GREEN, (1, RED)),
                    absent="It did not fire.",
                    width=12,
                ),
                Page(
                    title="Runbook",
                    description=f"The text of docs/runbooks/{alert.name}.md.",
                    markdown=local(text, set(names) - {alert.name}),
                    height=24,
                ),
            )
        },
        tags=("runbook", alert.group, alert.severity),
        links=({"The alert's board": f"/d/{alert.dashboard}"} if alert.dashboard else {})
        | {"All runbooks": f"/d/{INDEX}"},
    )


def local(text: str, names: Collection[str] = ()) -> str:
    """Links to other runbooks, and their `names`, lead to their pages; other files are words."""
    short = "|".join(sorted(each.removeprefix(PREFIX) for each in names if each.startswith(PREFIX)))
    named = re.compile(rf"\b(?:{PREFIX})?({short})\b") if short else None

    def led(found: re.Match[str]) -> str:
        words, target = found[1], found["target"]
        if "://" in target or target.startswith(("#", "/")):
            return found[0]
        name = Path(target.partition("#")[0]).stem
        if name.startswith(PREFIX):
            return f"[{words}]({_page(name)})"
        return f"{words} (`{target.lstrip('./')}`)"

    parts = _KEPT.split(text)
    for place, part in enumerate(parts):
        if place % 2:
            parts[place] = _LINKS.sub(led, part) if part.startswith("[") else part
        elif named:
            parts[place] = named.sub(lambda found: f"[{found[0]}]({_page(found[1])})", part)
    return "".join(parts)


def _page(name: str) -> str:
    return f"/d/runbook-{kebab(name.removeprefix(PREFIX))}"


def rules(folder: Path = RULES) -> Iterator[dict[str, Any]]:
    """Every rule of every file."""
    yaml = YAML(typ="safe", pure=True)
    for path in sorted(folder.glob("*.yaml")):
        for group in (yaml.load(path) or {}).get("groups", []):
            yield from group["rules"]
